# `make run` and `make test` need Python 3.11 to 3.13, make and a C compiler; nothing else.
PYTHON ?= python3
PORT ?= 3000
ENV := .venv
BIN := $(ENV)/bin
READY := $(ENV)/ready

.DEFAULT_GOAL := help
.PHONY: help run test test-integration torture mutants sbom lint ui benchmark benchmark-quick benchmark-quality clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

$(READY): requirements/build.txt requirements/locked.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: $$($(PYTHON) --version) found, Python 3.11 to 3.13 expected; name one: make PYTHON=python3.12" >&2; exit 2; }
	@echo "making the environment in $(ENV), once"
	@rm -rf $(ENV) && $(PYTHON) -m venv $(ENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements/build.txt
	@# LightFM is compiled with what Python was: where that is -O2, it takes twice as long to train
	@CFLAGS="$(CFLAGS) -O3" $(BIN)/pip install -qq --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r requirements/locked.txt
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/pip check --disable-pip-version-check >/dev/null
	@touch $@

run: $(READY)  ## The whole chain on the default source, into data/store
	@$(BIN)/lastfm-assets refresh

test: lint  ## Lint, types and all tests, on all processors
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-integration: $(READY) $(ENV)/integration  ## Tests with a browser, PostgreSQL, daemons and servers
	@$(BIN)/python -m pytest -m integration --numprocesses auto --dist loadfile tests/integration

$(ENV)/integration: requirements/integration.txt $(READY)
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

torture: $(READY) $(ENV)/integration  ## Kills, faults, damage and hostile input, an hour: docs/reliability.md
	@$(BIN)/python tests/torture/run.py

mutants: $(READY) $(ENV)/mutation  ## Whether tests notice changes to metrics, split, cleaning, gate and ranking
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/mutmut run
	@$(BIN)/mutmut results

$(ENV)/mutation: requirements/mutation.txt $(READY)
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

sbom: $(READY) $(ENV)/integration  ## The bill of materials, requirements/sbom.json
	@$(BIN)/python requirements/sbom.py

lint: $(READY)  ## Style and types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary

ui: $(READY)  ## The Dagster web UI with its daemon, on 127.0.0.1:3000 (another: PORT=3001)
	@$(PYTHON) -c 'import socket; socket.create_server(("127.0.0.1", $(PORT))).close()' 2>/dev/null || \
	  { echo "error: port $(PORT) is in use; stop what holds it or name another: make ui PORT=3001" >&2; exit 2; }
	@DAGSTER_HOME="$$($(BIN)/python -m lastfm_assets.automation.instance)" \
	  DAGSTER_SCHEDULE_GRPC_TIMEOUT_SECONDS=1800 \
	  PYTHONWARNINGS=ignore::FutureWarning $(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port $(PORT)

benchmark: $(READY)  ## Against other libraries, and the chain from 93 thousand to 17.5 million pairs
	@$(BIN)/python benchmarks/run.py

benchmark-quick: $(READY)  ## The small sizes of the same, in about five minutes
	@$(BIN)/python benchmarks/run.py --quick

benchmark-quality: $(READY)  ## Quality over seeds, time and memory of the chain
	@$(BIN)/python benchmarks/hetrec.py

clean:  ## Remove the environment; data stays
	rm -rf $(ENV)
