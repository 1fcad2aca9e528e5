# Each target sets up everything it needs on a fresh clone and then does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# what the command line, the reports and the page need; all the rest, networks and development, on top
RUNNING := $(VENV)/.running
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo app test lint docs bench render clean

demo: $(RUNNING)
	$(BIN)/faircluster demo --output demo-output

# The page for people who do not program.
app: $(RUNNING)
	$(BIN)/faircluster app

test: $(INSTALLED)
	$(BIN)/python -m pytest -q --cov --cov-report=term:skip-covered

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation in docs/_build/html; its examples are run, a warning is an error, a broken link too.
docs: $(VENV)/.docs-installed
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

$(VENV)/.docs-installed: $(INSTALLED)
	$(PIP) --constraint constraints.txt sphinx pydata-sphinx-theme numpydoc sphinx-gallery myst-parser
	touch $@

# Long: every published table against its rivals, each in a process of its own.
bench: $(INSTALLED) .venv-rivals/.installed
	$(BIN)/python -m benchmarks.transport --rivals .venv-rivals/bin/python
	$(BIN)/python -m benchmarks.bounded --rivals .venv-rivals/bin/python
	$(BIN)/python -m benchmarks.kmeans --rivals .venv-rivals/bin/python
	$(BIN)/python -m benchmarks.kcenter
	$(BIN)/python -m benchmarks.social_lp
	$(BIN)/python -m benchmarks.social_lloyd
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.render

render: $(INSTALLED)
	$(BIN)/python -m benchmarks.render

$(RUNNING): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt hatchling editables
	$(PIP) --constraint constraints.txt --no-build-isolation --editable ".[app]"
	touch $@

$(INSTALLED): $(RUNNING)
	$(PIP) --constraint constraints.txt --no-build-isolation --editable ".[all]" \
		pytest pytest-cov hypothesis ruff mypy import-linter polars httpx playwright
	touch $@

.venv-rivals/.installed: benchmarks/rivals-requirements.txt
	test -x .venv-rivals/bin/python || $(PYTHON) -m venv .venv-rivals
	.venv-rivals/bin/python -m pip install --quiet --requirement benchmarks/rivals-requirements.txt
	touch $@

clean:
	rm -rf $(VENV) .venv-rivals demo-output docs/_build docs/api docs/gallery
