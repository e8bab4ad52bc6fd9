"""A file here is a command of `lrm-tui`, named like it (`import_` for a name that Python keeps): see core/cli/grammar.py."""
