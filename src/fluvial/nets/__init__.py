"""Neural modules: observation in, features out."""
