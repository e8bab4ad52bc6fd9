"""The engine transformers."""
