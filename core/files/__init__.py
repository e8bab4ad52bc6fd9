"""Files that are private, locked, kept short and free of secrets; the user's folders; which extras are installed."""
