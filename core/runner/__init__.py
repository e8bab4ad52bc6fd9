"""The runner: one detached process a store, which claims jobs and drives engines and compressions."""
