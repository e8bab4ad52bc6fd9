"""The rows of every table."""
