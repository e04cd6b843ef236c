# make demo: the whole line on this machine.  make up: Dagster's UI.  make test, make check, make bench: for developers.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo up test test-failed test-large torture check bench lock clean

demo: $(INSTALLED)
	@$(BIN)/unde-catalog demo

up: $(INSTALLED)
	@$(BIN)/unde-catalog up

# In the order of the tree: by the number of their tests, as it would be else, the slowest files came last.
test: $(INSTALLED)
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# What failed the last time, one after the other.
test-failed: $(INSTALLED)
	@$(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none

# At 1,000,000 due rows, and 50,000 products checked by eight processes; two or three minutes.
test-large: $(INSTALLED)
	@$(BIN)/python -m pytest unde_catalog_tests/large

# Everything killed in turn, at seeded moments; about ten minutes.
torture: $(INSTALLED)
	@$(BIN)/python -m unde_catalog_tests.torture

check: $(INSTALLED)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/dagster definitions validate -w workspace.yaml --log-level warning

bench: $(INSTALLED)
	@$(BIN)/python -m unde_catalog_tests.benchmarks

# After a change of pyproject.toml's dependencies. Names no host, so that it installs from anywhere.
lock:
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv
	@$(BIN)/python -m uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --no-strip-extras --extra dev --extra search --extra user-media pyproject.toml -o requirements.lock

# .venv is made anew when the lock changes; the stamp comes last, so that an interrupted install starts over.
# Without looking for dependencies: the lock names all of them, and pip takes a newer pydantic than that for what asks
# for pydantic where the lock says pydantic[email], and then misses its hash.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "unde_catalog wants Python 3.11 or newer; say which with: make PYTHON=/path/to/python3 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv: on Debian, apt-get install python3-venv"; exit 1; }
	@echo "Installing into .venv (a minute or two) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	@rm -rf .venv .unde
