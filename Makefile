# Everything a developer or an operator types. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help run test coverage lint bench install uninstall doctor clean
.DELETE_ON_ERROR:

VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.installed
INSTALL := apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y
ROOT   := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

# The interpreter that mod_python3 embeds; `make install` installs for it.
PYTHON ?= /usr/bin/python3
# Where it installs, when FreeSWITCH's folders are not to be found: FS_CONF_DIR, FS_SCRIPT_DIR.
FOLDERS = $(if $(FS_CONF_DIR),--conf-dir '$(FS_CONF_DIR)') $(if $(FS_SCRIPT_DIR),--script-dir '$(FS_SCRIPT_DIR)')
# What tests to run, for example: make test ARGS="tests/etf -k atom"
ARGS   ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) erlang ## try it: a scratch FreeSWITCH where one is installed, else the simulated switch
	@$(PY) -m scripts.run

# What runs the tests: pytest, or coverage with it.
PYTEST := pytest
test: $(READY) erlang elixir ## run the tests; ARGS="tests/etf -k atom" for some of them
	@$(PY) -m $(PYTEST) $(ARGS)

# The nodes in processes of their own are measured too, which makes them slower.
coverage: ## run the tests, and show which lines no test ran; ARGS as for test
	@rm -f .coverage .coverage.*
	@MEASURE_NODES=1 $(MAKE) --no-print-directory test PYTEST='coverage run -m pytest'; tests=$$?; \
	$(PY) -m coverage combine --quiet && $(PY) -m coverage report && exit $$tests

lint: $(READY) ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy mod_erlang_py scripts tests

bench: $(READY) erlang tcmalloc ## measure requests and events a second
	@$(PY) -m scripts.bench $(ARGS)

install: $(READY) ## install into a FreeSWITCH [FS_CONF_DIR=... FS_SCRIPT_DIR=... EXTRAS=prometheus PYTHON=...]
	@$(PY) -m scripts.install --python '$(PYTHON)' $(foreach extra,$(EXTRAS),--extra '$(extra)') $(FOLDERS)

uninstall: $(READY) ## remove what install wrote, except what was changed since [FS_CONF_DIR=... FS_SCRIPT_DIR=...]
	@$(PY) -m scripts.uninstall $(FOLDERS)

doctor: ## check a running installation; ARGS="-H 127.0.0.1 -P 8021 -p ClueCon" are fs_cli's
	@scripts/erlang_py_doctor $(ARGS)

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) .coverage* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +

# One recipe line prints what a missing Python or venv needs; as root on Debian and Ubuntu it is installed.
define FIND_PYTHON
usable() { "$$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }; \
find_python() { for p in python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do \
	usable "$$p" && echo "$$p" && return; done; }
endef

$(READY): pyproject.toml
	@$(FIND_PYTHON); python=$$(find_python); \
	if [ -z "$$python" ] && [ -n "$(ROOT)" ]; then \
		echo "Installing python3-venv"; \
		{ $(INSTALL) python3-venv; } >/dev/null; \
		python=$$(find_python); \
	fi; \
	if [ -z "$$python" ]; then \
		echo "Python 3.10 to 3.13 with venv is needed: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	echo "Installing into $(VENV)"; \
	{ [ -x $(VENV)/bin/pip ] || "$$python" -m venv --clear $(VENV); } && \
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]' && \
	touch $@

.PHONY: erlang
erlang:
	@if command -v erl >/dev/null && command -v epmd >/dev/null; then :; \
	elif [ -n "$(ROOT)" ]; then \
		echo "Installing erlang-base"; \
		{ $(INSTALL) erlang-base; } >/dev/null; \
	else \
		echo "Erlang/OTP is needed: apt-get install erlang-base" >&2; exit 1; \
	fi

# Only for the page on Elixir, whose test is skipped without.
.PHONY: elixir
elixir: erlang
	@if command -v iex >/dev/null; then :; \
	elif [ -n "$(ROOT)" ]; then \
		echo "Installing elixir"; \
		{ $(INSTALL) elixir; } >/dev/null || \
			echo "elixir could not be installed; the test of its page is skipped" >&2; \
	fi

# As docs/troubleshooting.md advises for a switch with many events.
.PHONY: tcmalloc
tcmalloc:
	@if ldconfig -p | grep -q libtcmalloc_minimal; then :; \
	elif [ -n "$(ROOT)" ]; then \
		echo "Installing libtcmalloc-minimal4"; \
		{ $(INSTALL) libtcmalloc-minimal4; } >/dev/null || \
			echo "libtcmalloc-minimal4 could not be installed; FreeSWITCH is measured without" >&2; \
	fi
