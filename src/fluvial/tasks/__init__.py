"""Ready problems."""
