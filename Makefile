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
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,train]'
# Its metadata asks for torchvision, which only a part of it needs that no test reaches.
	$(BIN)/python -m pip install --quiet --no-deps segment-anything-hq==0.3
	touch $@

demo: $(READY) ## Draw small stand-ins of the sources, build, audit, split and query them, and train on them (about 7 minutes)
	$(BIN)/hqdata demo --out demo
	$(BIN)/hqdata sql "SELECT source, count(*) AS masks, round(median(thin_share_1024), 3) AS thin_share FROM stats GROUP BY source ORDER BY thin_share DESC" demo/collection
	$(BIN)/hqdata sql "SELECT level, source, other_source, count(*) AS pairs FROM leaks GROUP BY ALL ORDER BY ALL" demo/collection
	@echo "Now look at demo/contact-sheet.png and demo/splits/ladder.png, and open demo/audit.html and demo/pictures/index.html"

test: $(READY) check ## Lint, type-check and test, offline
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(READY) ## The long loops over kills and bit flips as well
	$(BIN)/python -m pytest -n 2 -m 'slow or not slow'

check: $(READY) ## Lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf .work/typed build
	$(BIN)/python -m pip install --quiet --no-deps --target .work/typed .
	cd .work && MYPYPATH=typed ../$(BIN)/mypy --config-file ../pyproject.toml -p hqdata

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(READY) ## Measure speed and the audit's recall and precision, side by side with what one would use instead
	$(BIN)/python benchmarks/build.py --memory
	$(BIN)/python benchmarks/masks.py
	$(BIN)/python benchmarks/sql.py
	$(BIN)/python benchmarks/suspects.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/degrade.py
	$(BIN)/python benchmarks/draw.py
	$(BIN)/python benchmarks/sa1b.py
	$(BIN)/python benchmarks/match.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/train.py

clean: ## Remove what the other commands made
	rm -rf $(VENV) .work build demo *.egg-info
