# Syncline. `make run` tries it, `make test` proves it; `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Whole files stay in one process, so that a file's database is started once.
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

# An interpreter given by hand (make test PYTHON=python3.12) is the only candidate.
PYTHONS = $(or $(PYTHON),python3 python3.13 python3.12 python3.11)

.DEFAULT_GOAL := help
.PHONY: help run test check lint docs bench clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /: /' | sort

run: $(VENV)/.run ## crawl a site and search it: make run URL=https://... Q="how do I ..."; without URL, our own docs
ifdef URL
	@$(BIN)/syncline crawl "$$URL"
ifdef Q
	@$(BIN)/syncline search "$$Q"
endif
else
	@$(BIN)/python docs/demo.py
endif

test: lint ## every check and every test
	$(PYTEST)

check: lint ## the fast part of `make test`: everything but the slow tests
	$(PYTEST) -m "not slow"

lint: $(VENV)/.dev ## format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(VENV)/.run ## write docs/api.md anew and build the documentation into site/
	$(BIN)/python docs/api_page.py --write
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(VENV)/.dev ## run every benchmark and print its table
	@set -e; for script in benchmarks/bench_*.py; do \
		test -e "$$script" || { echo "There is no benchmark yet; see benchmarks/README.md."; break; }; \
		echo "== $$script"; $(BIN)/python "$$script"; \
	done

clean: ## remove what make made: the environment, caches and built files; never a database
	rm -rf $(VENV) site dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A half-made environment is removed, or the next make would take it for a whole one.
$(BIN)/python:
	@for candidate in $(PYTHONS); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$candidate"; \
			"$$candidate" -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); exit 1; \
		fi; \
	done; \
	echo "Syncline needs Python 3.11 or newer, and none of these is: $(PYTHONS). Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "Installing Syncline into $(VENV)"
	@$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing Syncline and its development tools into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $(VENV)/.run $@
