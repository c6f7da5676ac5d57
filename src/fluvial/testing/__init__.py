"""Contract checkers that users can run on their own environment, reward or policy."""
