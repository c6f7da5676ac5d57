# The two commands of the README, and what CI adds to them. Needs Python 3.11 or later, and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAINTS ?= constraints/ci.txt
DEMO ?= demo
DEMO_STEPS ?= 400

.PHONY: demo test long clean

# Install, train on drug-likeness and ease of synthesis for a few minutes, say where the page is.
demo: $(VENV)/installed
	$(BIN)/fluvial design --steps $(DEMO_STEPS) --out $(DEMO)/$$(date +%Y%m%d-%H%M%S) -n 3000

# Install with the development tools, lint, check types, run the tests that gate each commit.
test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not long"

# The tests that train for minutes or kill processes.
long: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m long --durations=20

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/pip install --disable-pip-version-check --quiet -c $(CONSTRAINTS) -e .
	touch $@

$(VENV)/installed-dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/pip install --disable-pip-version-check --quiet -c $(CONSTRAINTS) -e ".[all,dev]"
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
