# make demo: a Virtual Observatory data centre on http://127.0.0.1:8000/   make test: all tests
# Needs only Python 3.11+, make and the package index.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
DATA ?= vo-data
BIN := $(VENV)/bin

.PHONY: demo test check format docs site clean

demo: $(VENV)/.installed
	$(BIN)/vo demo --port $(PORT) --data-dir $(DATA)

test: $(VENV)/.installed-dev
	$(BIN)/pytest -q -n auto

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_layers.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/generate.py

site: $(VENV)/.installed-dev
	$(BIN)/sphinx-build -W -b html docs docs/_build

clean:
	rm -rf $(VENV) docs/_build .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.installed
