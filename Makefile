# Every verb prepares .venv by itself: a new machine needs Python >= 3.11, make and a package index.
# make PYTHON=/path/to/python chooses the interpreter; after `make clean` if .venv was made with another one.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
PYTHON ?=

# A stamp is written last, so whatever was interrupted is done again. `demo` needs less than the developers' tools.
MADE := $(VENV)/.made-stamp
DEMO := $(VENV)/.demo-stamp
DEV := $(VENV)/.dev-stamp

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow lint fix bench compiled uncompiled vectors check-generated pin clean

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-24s%s\n", $$1, $$2 }'

demo: $(DEMO) ## an afternoon of tea: a mandate, payments and refusals, with real keys and a real ledger
	@$(BIN)/act demo

test: $(DEV) ## the tests a developer waits for
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow"

test-slow: $(DEV) ## the long tests, and 100,000 examples of every promised property
	ACT_HYPOTHESIS_PROFILE=slow $(BIN)/python -m pytest -q -n 2 -m slow

lint: $(DEV) ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

fix: $(DEV) ## mend what a tool can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## print the tables of the benchmarks, of compiled code where there is a C compiler
	@! command -v cc >/dev/null || $(MAKE) --no-print-directory compiled || $(MAKE) --no-print-directory uncompiled
	$(BIN)/python -m benchmarks

compiled: $(DEV) uncompiled ## compile act.wire into this checkout; needs a C compiler
	@echo "Compiling act.wire (some 20 s)"
	@ACT_COMPILED=1 $(PIP) install --no-deps --no-build-isolation -e .

uncompiled: ## remove what `make compiled` made
	@rm -f *__mypyc.*.so *__mypyc.*.pyd
	@find act '(' -name '*.so' -o -name '*.pyd' ')' -delete

vectors: $(DEV) ## write the test vectors and the specification's tables again
	$(BIN)/python test-vectors/generate.py
	$(BIN)/python spec/generate.py
	$(BIN)/python scripts/readme.py

check-generated: $(DEV) ## fail if a generated file is not what its generator writes
	$(BIN)/python test-vectors/generate.py --check
	$(BIN)/python spec/generate.py --check
	$(BIN)/python scripts/readme.py --check

pin: ## resolve requirements/dev.txt anew (with Python 3.11)
	@python=$$(PYTHON='$(if $(PYTHON),$(PYTHON),python3.11)' sh scripts/find-python) && sh scripts/pin "$$python"

clean: uncompiled ## remove .venv, caches and build results
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE): pyproject.toml requirements/dev.txt
	@python=$$(PYTHON='$(PYTHON)' sh scripts/find-python) && \
		echo "Preparing $(VENV) with $$python (once; about a minute)" && \
		"$$python" -m venv --clear $(VENV)
	@touch $@

$(DEMO): $(MADE)
	@$(PIP) install -c requirements/dev.txt hatchling editables
	@$(PIP) install -c requirements/dev.txt --no-build-isolation -e '.[cli]'
	@touch $@

$(DEV): $(MADE)
	@$(PIP) install -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(PIP) check
	@touch $@
