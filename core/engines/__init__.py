"""Engines: child processes that turn prompts into streams of tokens.

`host/` is the child process: `wire` is the protocol, `serve` the main loop, `engine` what an engine implements, and `options`
the registry (`ENGINES`: module, class, model format and options of each engine). A new engine is its module and its entry
there. The engines are `llamacpp/`, `transformers/`, `vllm/`, `openai/` and `replay`; `decode/` holds what they share. The
modules beside them (`memory`, `processors`, `ggml_types`, `thinking` and the readers of models) also serve the rest of `core`.

A host may run under another Python interpreter, where this project is not installed. So this package uses relative imports
only, and of libraries only numpy, Jinja and the engine's own.
"""
