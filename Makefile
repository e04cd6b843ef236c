# `make` alone prints what there is.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PORT ?= 3000
ENGINE ?= docker
IMAGE ?= unde-catalog:dev
COMMAND ?= --help
PROFILE ?= small
# Podman's own `compose` only calls another program.
COMPOSE ?= $(if $(filter podman,$(ENGINE)),podman-compose,$(ENGINE) compose)
# NETWORK=host: no networks of their own, for machines where containers cannot have any.
COMPOSE_RUN := $(COMPOSE) -f docker/compose.yaml $(if $(filter host,$(NETWORK)),-f docker/compose.host.yaml) \
	$(foreach one,$(PROFILE),--profile $(one))
# The demo reads the sandbox's addresses in place of .env.
COMPOSE_ENVIRONMENT := IMAGE=$(IMAGE) $(if $(filter demo,$(PROFILE)),ENV_FILE=demo.env)
# Podman keeps the image's health check only in this format; Docker has no other and does not read this.
export BUILDAH_FORMAT := docker
# dg reads its telemetry switch from there.
export DG_CLI_CONFIG := pyproject.toml
# Three processes on two cores, since a test waits for servers half of its time.
WORKERS ?= $(shell echo $$(( ($$(nproc 2>/dev/null || echo 2) * 3 + 1) / 2 )))
# In the order of the folders: sorted by their number of tests, as xdist does, the slowest files would come last.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

COMPILE := $(BIN)/python -m uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
	--no-header --no-annotate --no-strip-extras pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help install setup demo up run dev test test-all test-rest test-failed test-large torture hosts coverage check lint format bench \
	build docker-build docker-run compose-up compose-logs compose-down lock clean reset

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install everything into .venv

setup: ## Create .env from .env.example, readable by you alone
	@if [ -e .env ]; then echo ".env exists already; it is left as it is"; else \
		(umask 077 && cp .env.example .env && chmod 600 .env) && echo "created .env: fill in what you need"; fi

demo: $(INSTALLED) ## Run the whole pipeline on this machine, on embedded databases and a sandbox of the external services
	@$(BIN)/unde-catalog demo

up: $(INSTALLED) ## Serve Dagster's UI, the search page and user media on the demo's state (PORT=3000)
	@$(BIN)/unde-catalog up --port $(PORT)

run: up ## The same as up

dev: $(INSTALLED) ## Serve Dagster's UI alone and reload the definitions on request (dg dev)
	@DAGSTER_HOME="$$($(BIN)/python -c 'from unde_catalog.local.processes import dagster_home; from unde_catalog.settings.environment import load_settings; print(dagster_home(load_settings()))')" \
		$(BIN)/dg dev --port $(PORT)

test: $(INSTALLED) ## Run the tests that every change should pass (9 minutes on 2 cores)
	@$(PYTEST) -m "not slow"

test-all: $(INSTALLED) ## Run all tests but the large ones (35 minutes)
	@$(PYTEST)

test-rest: $(INSTALLED) ## Run what test-all has and test has not
	@$(PYTEST) -m slow

test-failed: $(INSTALLED) ## Run what failed the last time again, one test after the other
	@$(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none

test-large: $(INSTALLED) ## Run the tests at 1,000,000 due rows and 50,000 products (3 minutes)
	@$(BIN)/python -m pytest unde_catalog_tests/large

torture: $(INSTALLED) ## Kill every process in turn at seeded moments and compare what is left (10 minutes)
	@$(BIN)/python -m unde_catalog_tests.torture

hosts: $(INSTALLED) ## Work on all brands with several hosts, as root, and measure 1, 2 and 4 workers (20 minutes)
	@$(BIN)/python -m unde_catalog_tests.several_hosts

coverage: $(INSTALLED) ## Run the tests of make test and report which lines they reach
	@$(BIN)/python -m coverage erase
	@$(PYTEST) -m "not slow" --cov=unde_catalog --cov-report=term:skip-covered --cov-report=html:.coverage-html

check: lint ## Check format, lint, types and the Dagster definitions
	@$(BIN)/pyright
	@$(BIN)/dg check defs

lint: $(INSTALLED) ## Check format and lint, also of docker/
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/hadolint docker/Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker/compose.yaml docker/compose.host.yaml
	@$(BIN)/kubernetes-validate --quiet --strict -k 1.33 $(filter-out %/values.yaml,$(wildcard docker/kubernetes/*.yaml))
	@docker/check.sh

format: $(INSTALLED) ## Format the code and fix what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: $(INSTALLED) ## Run the benchmarks
	@$(BIN)/python -m unde_catalog_tests.benchmarks

build: $(INSTALLED) ## Build the wheel into dist/
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist

docker-build: build ## Build the container image (ENGINE=docker or podman; BASE= and IMAGE= choose others)
	@$(ENGINE) build $(BUILD_OPTIONS) $(if $(BASE),--build-arg BASE=$(BASE)) -f docker/Dockerfile -t $(IMAGE) .

docker-run: ## Run a command in the image, such as make docker-run COMMAND=doctor; state is in the volume unde-catalog
	@$(ENGINE) run --rm $(if $(shell test -t 0 && echo tty),-it) --read-only --tmpfs /tmp $(if $(wildcard .env),--env-file .env) \
		-v unde-catalog:/var/lib/unde $(IMAGE) $(COMMAND)

compose-up: ## Start a whole system in containers (PROFILE=small, full or demo), after make docker-build; creates its secrets
	@docker/make-secrets.sh
	@$(COMPOSE_ENVIRONMENT) $(COMPOSE_RUN) up -d $(UP_OPTIONS)

compose-logs: ## Follow the logs of these containers
	@$(COMPOSE_ENVIRONMENT) $(COMPOSE_RUN) logs -f

compose-down: ## Stop and remove these containers; the data stays in their volumes
	@$(COMPOSE_ENVIRONMENT) $(COMPOSE_RUN) down

# The locks name no host, so that they install from anywhere. The image's has what the wheel needs, in the same versions.
lock: ## Renew both locks after a change of the dependencies in pyproject.toml
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv
	@$(COMPILE) --extra dev --extra search --extra user-media --extra celery --extra aws --extra kubernetes -o requirements.lock
	@$(COMPILE) --extra search --extra user-media --extra celery --extra aws --extra kubernetes -c requirements.lock -o docker/requirements.lock

clean: ## Remove .venv, caches and builds; data stays
	@rm -rf .venv dist build .pytest_cache .ruff_cache .hypothesis .coverage .coverage-html
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# [u]: otherwise pgrep finds the shell of this recipe, whose command line has the pattern.
reset: ## Remove .unde, the demo's databases and objects, after asking (FORCE=1 does not ask)
	@if [ ! -d .unde ]; then echo "there is no .unde here"; exit 0; fi; \
	if [ "$(FORCE)" != 1 ]; then \
		printf 'Remove .unde with its databases, photos and collages? [y/N] '; read -r reply; [ "$$reply" = y ] || exit 1; fi; \
	if pgrep -f "[u]nde_catalog.stores.embedded.supervisor $(CURDIR)/.unde" >/dev/null; then \
		echo ".unde is in use: stop make up first"; exit 1; fi; \
	rm -rf .unde && echo "removed .unde"

# .venv is created anew when the lock changes; the stamp comes last, so that an interrupted installation starts over.
# --no-deps: the lock names every dependency, and pip would otherwise look for pydantic where the lock says
# pydantic[email], take a newer one and miss its hash.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "unde_catalog needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv: on Debian, apt-get install python3-venv"; exit 1; }
	@echo "Installing into .venv (a minute or two) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
