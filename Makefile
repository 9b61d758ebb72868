# Targets a person needs: setup, run, test, check, bench, docs.
PYTHON_CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
WORKERS ?= 2
ARGS ?=
BENCH ?=

BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format types docs check bench lock

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## Create .venv and install everything (instant when nothing changed)

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || { \
	  for candidate in $(PYTHON) $(PYTHON_CANDIDATES); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	      echo "creating .venv with $$candidate"; "$$candidate" -m venv .venv && exit 0; exit 1; \
	    fi; \
	  done; \
	  echo "error: Python 3.11 or newer is needed and none was found (tried: $(PYTHON) $(PYTHON_CANDIDATES));" \
	    "install one or name it: make setup PYTHON=/path/to/python" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

run: $(READY) ## Run the For You product; pass options as ARGS="..."
	@$(BIN)/python -m products.for_you $(ARGS)

test: $(READY) ## Run all tests and doctests with coverage
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --cov $(ARGS)

lint: $(READY) ## Check format and lint
	@status=0; $(BIN)/ruff check . || status=1; $(BIN)/ruff format --check . || status=1; exit $$status

format: $(READY) ## Format, and fix what can be fixed safely
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

types: $(READY) ## Check types
	$(BIN)/pyright

docs: $(READY) ## Build the documentation into site/; a warning is an error
	$(BIN)/mkdocs build --strict --quiet

check: lint types docs test ## Everything that has to pass before a change lands

bench: $(READY) ## Run the benchmarks, or BENCH=framework; pass options as ARGS="--json"
	@$(BIN)/python -m benchmarks $(BENCH) $(ARGS)

lock: ## Resolve constraints.txt anew in an empty environment
	@.ci/lock
