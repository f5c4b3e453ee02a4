# `make run` and `make test` do all the set-up there is. Needed beforehand: python3 (3.11 or newer) and make.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is installed: this checkout, or a wheel if WHEEL names one (`.ci/run` tests the wheel, not the checkout).
WHEEL ?=
PACKAGE = $(if $(WHEEL),'$(WHEEL)[all]',--editable '.[all]')
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# Further arguments for pytest: make test ARGS="-k ports"
ARGS ?=

.PHONY: help run test check format venv bench clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

run: $(VENV)/.installed  ## a twelve-host cluster on loopback, checked: the table here, reports in out/
	@mkdir -p out
	@status=0; $(BIN)/portcheck run --inventory examples/hosts.txt --phase pre-install \
	  --html out/report.html --json out/report.json || status=$$?; \
	if [ -e out/report.html ]; then echo "Reports: out/report.html, out/report.json"; fi; exit $$status

test: $(VENV)/.developing  ## every test; the namespace tests too where namespaces can be made
	@VENV=$(VENV) tests/run $(ARGS)

check: $(VENV)/.developing  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.developing  ## format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

venv: $(VENV)/.developing  ## only the set-up

bench: $(VENV)/.installed  ## side by side with nmap, in network namespaces
	@if [ "$$(id -u)" = 0 ]; then exec $(BIN)/python benchmarks/walk.py; \
	else exec unshare --user --map-root-user --net --mount $(BIN)/python benchmarks/walk.py; fi

clean:  ## remove everything that make has made
	rm -rf $(VENV) out dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: installed again only when pyproject.toml (or the wheel) is newer.
$(VENV)/.installed: pyproject.toml $(WHEEL) | $(BIN)/pip
	@echo "Installing portcheck into $(VENV) …"
	@$(PIP) install $(PACKAGE)
	@touch $@

# Dependency groups need pip 25.1; Debian's is older.
$(VENV)/.developing: $(VENV)/.installed
	@echo "Installing the tools for tests and checks into $(VENV) …"
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --group test --group check
	@touch $@

$(BIN)/pip:
	@PYTHON="$(PYTHON)" packaging/venv $(VENV)
