# The two commands of the README, and those behind them. Only Python 3.11+, make and a package index
# are taken for granted; a browser and PostgreSQL are looked for by tests/provision.sh.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8050
SERVE  ?= 1
# Compiled modules make the second start of every command several times faster.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test validate bench lint clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@
