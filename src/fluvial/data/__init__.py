"""Objects out of files, and back into terminal states: tables, encoding with a report, offline data sets."""
