# Set up, run, test. Everything is installed into .venv once; the stamp file says that it is there.
#
#   make run                        the standard run; ARGS="--model fno" adds flags
#   make test                       linters, types and all tests but the slow ones
#   make lint                       linters and types alone

PYTHON ?= python3
BIN := .venv/bin
STAMP := .make/installed
PACKAGES := $(wildcard pyproject.toml plugins/*/pyproject.toml examples/*/pyproject.toml)

.PHONY: run test lint slow

run: $(STAMP)
	@$(BIN)/crystalsim run $(ARGS)

test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow" $(ARGS)

slow: $(STAMP)
	$(BIN)/pytest -m slow $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(STAMP): requirements-dev.txt constraints.txt $(PACKAGES)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-r requirements-dev.txt -c constraints.txt
	@mkdir -p $(@D) && touch $@
