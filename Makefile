# Both commands of the README set everything up by themselves: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-slow check format benchmark clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("hqdata needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(READY) ## Draw small stand-ins of the sources, build a collection, show it (under 3 minutes)
	$(BIN)/hqdata demo --out demo
	$(BIN)/hqdata stats demo/collection --workers 2
	$(BIN)/hqdata sql "SELECT source, count(*) AS masks, round(median(thin_share_1024), 3) AS thin_share FROM stats GROUP BY source ORDER BY thin_share DESC" demo/collection
	@echo "Now look at demo/contact-sheet.png"

test: $(READY) check ## Lint, type-check and test, offline
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(READY) ## The long loops over kills and bit flips as well
	$(BIN)/python -m pytest -n 2 -m 'slow or not slow'

check: $(READY) ## Lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf .work/typed
	$(BIN)/python -m pip install --quiet --no-deps --target .work/typed .
	cd .work && MYPYPATH=typed ../$(BIN)/mypy --config-file ../pyproject.toml -p hqdata

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(READY) ## Measure builds against the least they could cost and against `datasets`
	$(BIN)/python benchmarks/build.py --memory
	$(BIN)/python benchmarks/masks.py
	$(BIN)/python benchmarks/sql.py

clean: ## Remove what the other commands made
	rm -rf $(VENV) .work build demo *.egg-info
