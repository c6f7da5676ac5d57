"""Public data files of others: found in a local folder or cache, or downloaded once, checksum verified."""
