# Two commands do all the set-up on a fresh machine with Python 3.11 or newer: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test check bench docs oracle clean accuracy

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,fast]'
	@touch $(STAMP)

demo: $(STAMP)  ## the main job on a real one-gigawatt scenario
	@$(BIN)/gigawatt run examples/one-gigawatt.yaml -o runs/one-gigawatt

test: $(STAMP)  ## the whole suite, on as many cores as there are
	@$(BIN)/python -m pytest -n auto --dist loadfile

check: $(STAMP)  ## style, types, layers, tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

bench: $(STAMP)  ## whole-process and in-process speed, as ratios against limits measured in the same run
	@for file in bench/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: $(STAMP)  ## generated pages, then the site
	@$(BIN)/python -m gigawatt.report.pages docs
	@$(BIN)/python -m gigawatt.api.pages docs
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@$(BIN)/mkdocs build --strict --quiet

oracle: $(STAMP)  ## checks against large libraries (torch, SALib) and on a Ray cluster of this machine; installs them
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0 transformers==5.24.0 ray SALib
	@$(BIN)/python -m pytest tests/oracle

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache
