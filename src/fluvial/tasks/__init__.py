"""Ready problems: a configuration each, with comments that teach, and a size for a laptop."""
