"""Engines: child processes that turn prompts into streams of tokens.

`wire` is the protocol, `host` the child, `serve` its main loop, `engine` what an engine must implement. `llamacpp` and `hf` are
engines; what both need is in `batching`, `stream`, `prompt`, `chat`, `text` and `sampling`.
The host side (everything but `catalog`) uses the standard library, numpy, Jinja and its engine only, with relative imports,
because it may run under another Python interpreter, where this project is not installed.
"""
