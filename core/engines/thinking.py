"""The marks around a model's thinking. Every module that looks for them takes them from here."""

THINK = "<think>"
"""Opens the thinking, in the prompt or at the start of an output."""
THINK_END = "</think>"
"""Closes the thinking; what follows is the answer part."""
