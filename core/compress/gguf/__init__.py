"""GGUF files: export, quantization, and back."""
