"""Widgets: stream, tables, header, footer and more."""
