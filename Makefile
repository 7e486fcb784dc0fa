# Everything that is done with this repository. `make help` lists it; each target sets up .venv by itself.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The interpreter that makes .venv: python3 where it is new enough, else the newest found, unless one is given:
# make test PYTHON=/usr/bin/python3.12
PYTHON ?=
# Test processes. The servers of a test run share the machine with them.
JOBS ?= 2
# More arguments for pytest: make test PYTEST="tests/unit -k money"
PYTEST ?=

VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A stamp carries the digest of what it was made from, so that a changed lock file installs anew and a changed
# time stamp does not. `stack` runs everything, `dev` also tests, checks and generates.
digest = $(shell cat requirements/$(1).txt protos/pyproject.toml 2>/dev/null | cksum | tr " " "-")
STACK_STAMP := $(VENV)/.stack-$(call digest,stack)
DEV_STAMP := $(VENV)/.dev-$(call digest,dev)
# The tools of `dev` contain those of `stack`.
RUN_STAMP := $(if $(wildcard $(DEV_STAMP)),$(DEV_STAMP),$(STACK_STAMP))

CODE := $(wildcard chassis console gateway services stack tests bench docs protos)
TYPED := $(wildcard chassis console gateway services stack tests bench docs protos/generate.py)

##@ Everyday

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUN_STAMP) ## Start all services with the demo marketplace, play one negotiation, stay up
	$(BIN)/python -m stack up --demo

.PHONY: test
test: $(DEV_STAMP) ## Run the tests, all but those that break real processes for minutes
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not faults and not browser" $(PYTEST)

.PHONY: check
check: check-format check-lint check-types check-imports check-protos check-docs ## Run every check that is not a test

.PHONY: fmt
fmt: $(DEV_STAMP) ## Format the code and apply the fixes that are safe
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

##@ The parts of `make check`

.PHONY: check-format
check-format: $(DEV_STAMP) ## Is the code formatted?
	$(BIN)/ruff format --check $(CODE)

.PHONY: check-lint
check-lint: $(DEV_STAMP) ## Does the code keep the rules of ruff?
	$(BIN)/ruff check $(CODE)

.PHONY: check-types
check-types: $(DEV_STAMP) ## Do the types hold, tests included?
	$(BIN)/mypy $(TYPED)

.PHONY: check-imports
check-imports: $(DEV_STAMP) ## Does every room import only what it may?
	PYTHONPATH=.:protos/gen $(BIN)/lint-imports

.PHONY: check-protos
check-protos: $(DEV_STAMP) ## Are the protos clean, compatible with main, and the stubs theirs?
	$(BIN)/python protos/generate.py lint
	$(BIN)/python protos/generate.py breaking
	$(BIN)/python protos/generate.py --check

.PHONY: check-docs
check-docs: $(DEV_STAMP) ## Do the generated pages say what the code says?
	$(BIN)/python docs/capabilities.py --check
	$(BIN)/python docs/events.py --check
	$(BIN)/python docs/settings.py --check

##@ Generated files

.PHONY: protos
protos: $(DEV_STAMP) ## Regenerate protos/gen from the protos
	$(BIN)/python protos/generate.py

.PHONY: docs
docs: $(DEV_STAMP) ## Regenerate docs/capabilities.md, docs/events.md and docs/settings.md
	$(BIN)/python docs/capabilities.py --write
	$(BIN)/python docs/events.py --write
	$(BIN)/python docs/settings.py --write

# UPGRADE=1 takes the newest versions that the ranges allow, UPGRADE_PACKAGE=name only that one's.
LOCK_FLAGS := $(if $(UPGRADE),--upgrade) $(if $(UPGRADE_PACKAGE),--upgrade-package $(UPGRADE_PACKAGE))
UV_LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--custom-compile-command "make lock"

.PHONY: lock
lock: $(DEV_STAMP) ## Lock the dependencies of requirements/*.in with hashes (UPGRADE=1 for newer ones)
	cd requirements && PATH="$(CURDIR)/$(BIN):$$PATH" && lock() { ../$(UV_LOCK) "$$@" > /dev/null; } && \
	lock runtime.in stack.in protos.in dev.in -o dev.txt $(LOCK_FLAGS) && \
	lock runtime.in -c dev.txt -o runtime.txt && \
	lock runtime.in stack.in -c dev.txt -o stack.txt && \
	lock protos.in -c dev.txt -o protos.txt
	@! grep -nE '://|^-|file:|@ ' requirements/*.txt || { echo "lock: an address got into the lock files" >&2; exit 1; }

##@ Reports and long runs

.PHONY: capabilities
capabilities: $(DEV_STAMP) ## Print the capabilities that no passing test covers (as of the last test runs)
	$(BIN)/python docs/capabilities.py

.PHONY: bench
bench: ## Measure speed, each figure beside its floor (minutes; FIGURES="gate place" for some of them)
	# What the test tools bring along is in the way: libraries load what they find, and grow by it.
	$(MAKE) --no-print-directory VENV=.venv-bench figures

.PHONY: figures
figures: $(RUN_STAMP)
	$(BIN)/python -m bench $(FIGURES)

.PHONY: test-faults
test-faults: $(DEV_STAMP) ## Kill real processes while negotiations run and count what was lost (minutes)
	$(BIN)/pytest -m faults --timeout 1800 $(PYTEST)

.PHONY: test-console
test-console: $(DEV_STAMP) ## Test the console in a real browser (skipped where there is no chromium)
	$(BIN)/pytest -m browser $(PYTEST)

APERTIUM := apertium-apy apertium-eng-spa

.PHONY: test-translation
test-translation: $(DEV_STAMP) ## Translate by a real engine: Apertium, installed by apt-get where it is missing (as root)
	@if [ -z "$${PARLEY_TEST_APERTIUM:-}" ] && ! { command -v apertium-apy && test -e /usr/share/apertium/modes/eng-spa.mode; } > /dev/null; then \
	  if [ "$$(id -u)" != 0 ]; then echo "there is no Apertium: as root, apt-get install $(APERTIUM), or name one in PARLEY_TEST_APERTIUM" >&2; exit 1; fi; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(APERTIUM); \
	fi
	$(BIN)/pytest tests/component/messaging/test_apertium.py $(PYTEST)

.PHONY: compose-secrets
compose-secrets: $(RUN_STAMP) ## Write the passwords and keys that docker-compose.yml reads into .compose/
	$(BIN)/python -m stack secrets .compose

.PHONY: test-compose
test-compose: $(DEV_STAMP) ## Test docker-compose.yml end to end (COMPOSE=command, RUNNING=1 if it is up)
	$(BIN)/python -m tests.e2e.compose $(if $(RUNNING),--running)

.PHONY: clean
clean: ## Remove the virtual environment and every cache
	rm -rf $(VENV) .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
	find . -maxdepth 3 -name '*.egg-info' -type d -not -path './.git/*' -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------ environment

.PHONY: venv
venv: $(DEV_STAMP)

$(STACK_STAMP): LOCK := requirements/stack.txt
$(DEV_STAMP): LOCK := requirements/dev.txt
$(STACK_STAMP) $(DEV_STAMP):
	@python=""; \
	for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Parley needs Python 3.11 or newer, found: $$(python3 --version 2>&1 || true). Name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import pip' 2> /dev/null; then \
	  echo "making $(VENV) with $$("$$python" --version)"; \
	  rm -rf $(VENV); \
	  if ! "$$python" -m venv $(VENV); then \
	    rm -rf $(VENV); \
	    echo "$$python cannot make virtual environments; on Debian and Ubuntu: apt install $$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; \
	  fi; \
	fi
	@echo "installing $(LOCK)"
	@$(BIN)/python -m pip install -qq --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e . -e protos
	@rm -f $(VENV)/.stack-* $(VENV)/.dev-*
	@touch $@
