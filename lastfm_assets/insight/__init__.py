"""The report page: what the tables say, for people who would rather read and look."""
