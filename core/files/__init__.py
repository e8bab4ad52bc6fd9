"""Files that are private, locked, kept short and free of secrets."""
