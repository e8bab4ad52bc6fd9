"""Pruning of folders in Hugging Face format, one decoder block at a time."""
