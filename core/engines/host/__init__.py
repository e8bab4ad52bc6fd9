"""The child process of an engine: its protocol, its main loop and its options."""
