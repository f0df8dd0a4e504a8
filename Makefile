# The two commands of the README (demo, test) and those behind them. Only Python 3.11+, make and a
# package index are taken for granted; tests/provision.sh finds or fetches what the tests need besides.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8050
SERVE  ?= 1
WORKERS ?= 2
PIP    := $(BIN)/pip --disable-pip-version-check
# Compiled modules make the second start of every command several times faster.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint loops provisions validate bench screenshots clean

# Modules are compiled when they are first imported, not all at once: most of what is installed is never run.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, $$($(PYTHON) --version) found; name another with PYTHON=..." >&2; exit 1; }
@$(PYTHON) -m venv $(VENV)
@$(PIP) install --quiet --no-compile -c constraints.txt -e '$(1)'
endef

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing corelab into $(VENV)"
	$(call install,.)
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt
	@echo "installing corelab and the test tools into $(VENV)"
	$(call install,.[test])
	@touch $(VENV)/.installed $@

provisions:
	@tests/provision.sh

demo:
	@set -e; start=$$(date +%s); \
	$(MAKE) --no-print-directory $(VENV)/.installed; \
	ready=$$(date +%s); echo "installed in $$((ready - start)) s"; \
	$(BIN)/python -m pipelines.demo build/demo --seed-file sample_data/seed.txt --workers $(WORKERS); \
	echo "trial ready in $$(($$(date +%s) - ready)) s after installation, $$(($$(date +%s) - start)) s in all"
	@if [ "$(SERVE)" != 0 ]; then echo "dashboard on http://127.0.0.1:$(PORT) (stop with Ctrl-C)"; exec $(BIN)/corelab serve build/demo --port $(PORT); fi

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell corelab pipelines dashboards tests docs README.md CHANGELOG.md

# The loops are compiled on one core while the other lints; what both workers of the rest need is then there.
LOOPS := tests/cytometry/kernel tests/cytometry/test_fair_part.py tests/cytometry/test_columns.py

# Homes of the tests lie in memory where there is room: each of thousands of small files waits for no disk.
SCRATCH := $(shell df -k --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 4000000 {found = 1} END {print found ? "/dev/shm" : "/tmp"}')

loops: $(VENV)/.installed-test
	@$(BIN)/pytest -q $(LOOPS)

test:
	@$(MAKE) --no-print-directory --output-sync=line --jobs=2 provisions $(VENV)/.installed-test
	@$(MAKE) --no-print-directory --output-sync --jobs=2 lint loops
	@set -e; scratch=$$(mktemp -d -p $(SCRATCH)); trap 'rm -rf "$$scratch"' EXIT; \
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --basetemp "$$scratch/pytest" $(addprefix --ignore=,$(LOOPS))

validate: $(VENV)/.installed-test provisions
	@$(BIN)/python -m tests.validation.report docs/validation.md

# One thread: what libraries do with more says nothing about the work that a file takes.
bench: export OPENBLAS_NUM_THREADS := 1
bench: export NUMBA_NUM_THREADS := 1
bench: $(VENV)/.installed-test
	@$(BIN)/python -m tests.bench.report docs/performance.md

screenshots: $(VENV)/.installed-test provisions
	@$(BIN)/python -m tests.browser.screenshots build/demo --out build/screenshots --sheet docs/contact_sheet.jpg

clean:
	rm -rf build .venv
