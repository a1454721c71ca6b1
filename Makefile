# The project's tasks. `make` alone lists them; each builds what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXAMPLE := examples/lantern-open-2027

# Which Python makes .venv; searched for by scripts/find-python where it isn't given.
PYTHON ?=
# The Pythons that requirements.lock must hold for.
PYTHONS ?= python3.11 python3.12 python3.13
# Where `make demo` and `make dev` listen and keep their data.
PORT ?= 8000
DATA_DIR ?= .eventimport
# Anything but empty: `make demo` exits after the import's result.
ONCE ?=
# More arguments for pytest: make test ARGS="-k import -x"
ARGS ?=
# How long `make soak` accepts imports, and how many at most; how long `make stateful` runs.
MINUTES ?= 30
IMPORTS ?= 500

.PHONY: help
help: ## List the targets
	@echo 'make <target> [PYTHON=python3.12] [PORT=8000] [DATA_DIR=.eventimport]'; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv with the pinned dependencies and the project itself
	@echo "$(VENV) is ready"

$(STAMP): requirements.lock pyproject.toml
	@set -e; \
	python="$$(PYTHON='$(PYTHON)' sh scripts/find-python)"; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear $(VENV); \
	echo "$(VENV) is of $$($(BIN)/python --version)"; \
	echo "Installing $$(grep -c == requirements.lock) pinned packages; this takes a minute or two"; \
	$(BIN)/python -m pip install -qq --retries 10 --timeout 60 --only-binary :all: --no-deps \
		--require-hashes -r requirements.lock; \
	$(BIN)/python -m pip install -qq --no-build-isolation --no-deps --editable .; \
	$(BIN)/python -m pip check; \
	touch $@

.PHONY: demo
demo: $(STAMP) ## Start everything, import the example, keep serving (ONCE=1: exit after the result)
	@$(BIN)/eventimport demo $(EXAMPLE) --port $(PORT) --data-dir $(DATA_DIR) $(if $(ONCE),--once)

.PHONY: dev
dev: $(STAMP) ## Start PostgreSQL, Valkey, API and worker, with a demo account
	@$(BIN)/eventimport dev --port $(PORT) --data-dir $(DATA_DIR)

.PHONY: test
test: $(STAMP) ## Run the tests and measure coverage (ARGS="-k word" for some tests, without coverage)
ifeq ($(strip $(ARGS)),)
	@rm -rf .coverage
	@$(BIN)/python -m compileall -q src
	@$(BIN)/coverage run -m pytest -n auto --durations=20
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
else
	@$(BIN)/pytest -n auto --durations=20 $(ARGS)
endif

.PHONY: test-fast
test-fast: $(STAMP) ## Run the quick tests that need no server, in less than a minute
	@$(BIN)/pytest -n auto -m "not (contract or faults or fuzz or real_archives or servers or slow)" $(ARGS)

.PHONY: test-pythons
test-pythons: ## Run the tests on each Python of 3.11, 3.12 and 3.13 that is installed
	@ARGS='$(ARGS)' sh scripts/test-pythons $(PYTHONS:python%=%)

.PHONY: test-browser
test-browser: $(STAMP) ## Run the tests in Chromium; as root, install it from Debian if it's missing
	@sh scripts/install-chromium
	@$(BIN)/pytest -n auto tests/browser $(ARGS)

.PHONY: test-clients
test-clients: $(STAMP) ## Run the example clients, and libraries for JSON:API; needs npm's registry
	@$(BIN)/pytest tests/clients $(ARGS)

.PHONY: check
check: $(STAMP) ## Check spelling, format, lint, types, import rules and migrations
	$(BIN)/typos
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_migrations.py

.PHONY: format
format: $(STAMP) ## Format the code, and mend what ruff can mend
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

.PHONY: readme
readme: $(STAMP) ## Write the tables of settings and of exports' losses in the documentation
	@$(BIN)/python scripts/settings_table.py
	@$(BIN)/python scripts/losses_table.py

.PHONY: lock
lock: ## Pin the newest versions anew, for all of PYTHONS
	@python="$$(PYTHON='$(PYTHON)' sh scripts/find-python)" && "$$python" scripts/lock.py $(PYTHONS)

.PHONY: example
example: $(STAMP) ## Zip the example conference, beside its folder
	@$(BIN)/eventimport archive $(EXAMPLE) --output $(EXAMPLE).zip

.PHONY: benchmark
benchmark: $(STAMP) ## Measure the speed of imports beside COPY and beside INSERT
	@$(BIN)/python benchmarks/import_speed.py $(ARGS)

.PHONY: soak
soak: $(STAMP) ## Import for long while workers are killed (MINUTES=30 IMPORTS=500)
	@PYTHONPATH=. $(BIN)/python scripts/soak.py --minutes $(MINUTES) --imports $(IMPORTS) $(ARGS)

.PHONY: stateful
stateful: $(STAMP) ## Send long sequences of requests that schemathesis makes (MINUTES=30)
	@EVENTIMPORT_STATEFUL_MINUTES=$(MINUTES) $(BIN)/pytest -n 0 -o faulthandler_timeout=0 $(ARGS) \
		tests/web/test_stateful_schemathesis.py

.PHONY: fairness
fairness: $(STAMP) ## Show how long a tiny import waits behind another user's 50 long ones
	@PYTHONPATH=. $(BIN)/python scripts/fairness.py $(ARGS)

.PHONY: attack
attack: $(STAMP) ## Attack a service of our own while a pulse asks whether it is alive
	@$(BIN)/python scripts/attack.py $(ARGS)

.PHONY: clean
clean: ## Remove .venv, caches, built files and the data of demo and dev
	rm -rf $(VENV) .venv-* $(DATA_DIR) dist build $(EXAMPLE).zip
	git clean -fdqX examples/clients
	rm -rf .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks scripts alembic -name __pycache__ -prune -exec rm -rf {} +
