# The two commands: `make demo` and `make test`. Both make .venv when it is missing; `make clean` removes it.

PYTHON ?= python3
VENV ?= .venv
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
PYTEST_ARGS ?= -n auto

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BASE := $(VENV)/.installed-base
TEST := $(VENV)/.installed-test
ACCELERATOR := setup.py src/opencwm/tracer/_accelerator.c
PACKAGE := pyproject.toml setup.py $(shell find src -type f -not -name '*.pyc' -not -name '*.so' -not -path '*.egg-info/*')

# An editable install, which tests make, also serves the demo; a plain one is renewed when the package changes.
INSTALLED := $(if $(wildcard $(TEST)),$(TEST),$(BASE))

.PHONY: demo demo-agent test test-slow lint types layers unit docs clean

demo: $(INSTALLED)
	$(BIN)/opencwm debug examples/strawberry.py --call "f('strawberry', 'r')" --compare

# Tasks from a small package, a scripted policy in the sandbox, grading in fresh boxes, a report, a page to look at; then the
# same policy with the model in the package as its planner: the column "test runs" shows what it saves. With
# POLICY=http://HOST:PORT/v1 a model acts instead; AGENT=DIR keeps it elsewhere. pytest is what the tasks are graded with.
POLICY ?= searcher
AGENT ?= build/demo-agent
demo-agent: $(INSTALLED)
	$(BIN)/python -c 'import pytest' 2>/dev/null || $(PIP) install --quiet pytest
	$(BIN)/opencwm tasks mutate examples/warehouse -n 3 -o $(AGENT)/tasks
	$(BIN)/opencwm rollout $(AGENT)/tasks --policy $(POLICY) --undo --workers 2 -o $(AGENT)/run
	$(BIN)/opencwm rollout $(AGENT)/tasks --policy $(POLICY) --undo --planner package --skip-below 0.1 --workers 2 -o $(AGENT)/planned
	$(BIN)/opencwm view $(AGENT)/planned --save $(AGENT)/view.html

test: lint types layers unit

lint: $(TEST)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(TEST)
	$(BIN)/mypy

layers: $(TEST)
	$(BIN)/lint-imports

unit: $(TEST)
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

# Minutes, not seconds: a build killed at twenty moments, a build on a local Ray, a model trained from nothing, and the like.
test-slow: $(TEST)
	$(PIP) install --quiet -c constraints.txt --editable '.[test,train,ray]'
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

# What is written from the code: docs/cli.md and the tree in README.md.
docs: $(INSTALLED)
	$(BIN)/python dev/generate_docs.py

# Debian's python3 may lack ensurepip (package python3-venv); its pip can then fill the environment from outside.
$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "OpenCWM needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV) && $(PYTHON) -m venv --without-pip $(VENV) \
		&& $(PYTHON) -m pip --python $(VENV)/bin/python install pip; }

# What an earlier install left in build/ would bring back files that are gone.
$(BASE): $(BIN)/python $(PACKAGE)
	rm -rf build
	$(PIP) install --quiet .
	rm -rf build
	touch $@

# torch comes first and alone: only this one look-up goes to the CPU index, and a machine that cannot reach it loses a second.
$(TEST): $(BIN)/python pyproject.toml constraints.txt $(ACCELERATOR)
	$(PIP) install --quiet --no-deps --retries 1 --extra-index-url $(TORCH_CPU_INDEX) -c constraints.txt torch
	$(PIP) install --quiet -c constraints.txt --editable '.[test,train]'
	rm -f $(BASE)
	touch $@

clean:
	rm -rf $(VENV) build src/opencwm/tracer/*.so
