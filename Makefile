# Everything a developer or an operator types. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help run test test-otp coverage lint bench faults fuzz soak install uninstall doctor certs lock clean
.DELETE_ON_ERROR:

VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.installed
INSTALL := apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y
ROOT   := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

# The interpreter that mod_python3 embeds; `make install` installs for it.
PYTHON ?= /usr/bin/python3
# Where it installs, when FreeSWITCH's folders are not to be found: FS_CONF_DIR, FS_SCRIPT_DIR.
# As fs_cli has them, for install, uninstall and doctor: ARGS="-H 127.0.0.1 -P 8021 -p ClueCon".
FOLDERS = $(if $(FS_CONF_DIR),--conf-dir '$(FS_CONF_DIR)') $(if $(FS_SCRIPT_DIR),--script-dir '$(FS_SCRIPT_DIR)')
# What tests to run, for example: make test ARGS="tests/etf -k atom"
ARGS   ?=
# For how long something is tried with the node.
MINUTES ?= 5
# What `make fuzz` tries: a node in a real switch, and functions of their own (tests/fuzz/targets.py).
TARGETS ?= switch guard frames handshake epmd events
# What `make run` needs, without what developers do.
RUN    := .run

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN)/.ready erlang ## try it: a scratch FreeSWITCH where one is installed, else the simulated switch; ARGS=my-dialplan.xml
	@$(FIND_PYTHON); PYTHONPATH=$(RUN)/libraries exec "$$(find_python any)" -m scripts.run --libraries $(RUN)/libraries $(ARGS)

# What runs the tests: pytest, or coverage with it.
PYTEST := pytest
# Most tests wait, for a switch or a node: two processes have all of them, each the next file, in half the time.
ALL    := --numprocesses 2 --dist loadfile --no-loadscope-reorder
test: $(READY) erlang elixir strangers ## run the tests; ARGS="tests/etf -k atom" for some of them
	@$(PY) -m $(PYTEST) $(or $(ARGS),$(ALL))

# The nodes in processes of their own are measured too, which makes them slower.
coverage: ## run the tests, and show which lines no test ran; ARGS as for test
	@rm -f .coverage .coverage.*
	@MEASURE_NODES=1 $(MAKE) --no-print-directory test ALL= PYTEST='coverage run -m pytest'; tests=$$?; \
	$(PY) -m coverage combine --quiet && $(PY) -m coverage report && exit $$tests

test-otp: $(READY) erlang ## run the tests that have Erlang nodes with OTP=23, 27 or 29, as root on Debian; ARGS="-k ticks"
	@scripts/test_otp.sh '$(OTP)' $(ARGS)

lint: $(READY) ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy mod_erlang_py scripts tests

bench: $(READY) erlang tcmalloc measuring ## measure beside mod_erlang_event; ARGS="events calls --rounds 5", --quick, --publish
	@$(PY) -m scripts.bench $(ARGS)

faults: $(READY) erlang ## do to the node what may be done to it, in FreeSWITCHes; ARGS="kill reload", --quick, --publish
	@$(PY) -m scripts.trials.faults $(ARGS)

fuzz: $(READY) erlang fuzzing ## broken bytes for a node in a real FreeSWITCH, then for functions; MINUTES=5 of each, SEED= ONLY= TARGETS=
	@$(if $(filter switch,$(TARGETS)),$(PY) -m scripts.trials.fuzz --minutes $(MINUTES) \
		$(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(ARGS))
	@$(if $(filter-out switch,$(TARGETS)),$(PY) -m tests.fuzz --minutes $(MINUTES) \
		$(if $(SEED),--seed $(SEED)) $(if $(KEEP),--keep) $(filter-out switch,$(TARGETS)))

soak: $(READY) erlang tcmalloc measuring ## everything together in a scratch FreeSWITCH, for MINUTES=5; ARGS=--publish
	@$(PY) -m scripts.trials.soak $(MINUTES) $(ARGS)

install: python ## install into a FreeSWITCH [FS_CONF_DIR= FS_SCRIPT_DIR= DIALPLAN=yes EXTRAS=prometheus WHEELS= PYTHON= EVENT_SOURCE=]
	@$(FIND_PYTHON); exec "$$(find_python any)" -m scripts.install --python '$(PYTHON)' $(FOLDERS) \
		$(foreach extra,$(EXTRAS),--extra '$(extra)') $(if $(filter yes,$(DIALPLAN)),--dialplan) \
		$(if $(WHEELS),--wheels '$(WHEELS)') $(if $(EVENT_SOURCE),--event-source '$(EVENT_SOURCE)') $(ARGS)

uninstall: ## remove what install wrote, except what was changed since [FS_CONF_DIR=... FS_SCRIPT_DIR=...]
	@$(FIND_PYTHON); exec "$$(find_python any)" -m scripts.uninstall $(FOLDERS) $(ARGS)

doctor: ## check a running installation; ARGS="-H 127.0.0.1 -P 8021 -p ClueCon" are fs_cli's
	@scripts/erlang_py_doctor $(ARGS)

# HOSTS: those in the nodes' names. What is in TO already is kept, but for the certificates of these hosts.
certs: ## make a CA and certificates, to try TLS with [HOSTS="fs.example.com erl.example.com" TO=certs]
	@$(FIND_PYTHON); exec "$$(find_python any)" -m scripts.certs $(if $(TO),--to '$(TO)') $(HOSTS)

# Newer versions, within the ranges of pyproject.toml.
PIN := uv pip compile --quiet --universal --no-python-downloads --python-version 3.10 --generate-hashes --no-annotate \
	--no-header --upgrade --only-binary lxml --only-binary prometheus-client --only-binary setuptools
lock: $(READY) ## pin what is installed into a FreeSWITCH, with hashes: requirements/
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/$(PIN) --output-file requirements/runtime.txt pyproject.toml
	$(VENV)/bin/$(PIN) --output-file requirements/prometheus.txt --extra prometheus \
		--no-emit-package erlang-py --no-emit-package lxml pyproject.toml
	echo 'setuptools>=77' | $(VENV)/bin/$(PIN) --output-file requirements/build.txt -

clean: ## remove .venv, .run and everything that was made
	rm -rf $(VENV) $(RUN) .coverage* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +

# find_python any: one that can run our scripts, PYTHON first. find_python venv: one that can make a venv.
define FIND_PYTHON
usable() { "$$1" -c "import sys$$2; sys.exit(not (3, 10) <= sys.version_info < (3, 14))" >/dev/null 2>&1; }; \
find_python() { case $$1 in any) first='$(PYTHON)'; modules=;; *) first=python3; modules=', venv, ensurepip';; esac; \
	for p in "$$first" python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do \
	usable "$$p" "$$modules" && echo "$$p" && return; done; echo "Python 3.10 to 3.13 is needed" >&2; echo false; }
endef

# What it takes to install libraries: a pip, or the venv that brings one.
.PHONY: python
python:
	@$(FIND_PYTHON); python=$$(find_python any); \
	if [ -n "$(ROOT)" ] && ! "$$python" -m pip --version >/dev/null 2>&1 && ! usable "$$python" ', ensurepip'; then \
		echo "Installing python3-venv"; \
		{ $(INSTALL) python3-venv; } >/dev/null; \
	fi

$(RUN)/.ready: requirements/build.txt requirements/runtime.txt
	@$(MAKE) --no-print-directory python
	@$(FIND_PYTHON); python=$$(find_python any); rm -rf $(RUN); mkdir $(RUN); \
	echo "Installing into $(RUN)"; \
	"$$python" -m scripts.libraries --python "$$python" $(RUN)/libraries && touch $@

$(READY): pyproject.toml
	@$(FIND_PYTHON); python=$$(find_python venv 2>/dev/null); \
	if [ "$$python" = false ] && [ -n "$(ROOT)" ]; then \
		echo "Installing python3-venv"; \
		{ $(INSTALL) python3-venv; } >/dev/null; \
		python=$$(find_python venv 2>/dev/null); \
	fi; \
	if [ "$$python" = false ]; then \
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
		echo "Installing erlang-base erlang-ssl"; \
		{ $(INSTALL) erlang-base erlang-ssl; } >/dev/null; \
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

# Only for the C node and the Java node of tests/peers, which are skipped without.
.PHONY: strangers
strangers: erlang
	@lib=$$(erl -noshell -eval 'io:put_chars(code:lib_dir()), halt().'); \
	if ls $$lib/erl_interface-*/include/ei.h $$lib/jinterface-*/priv/OtpErlang.jar >/dev/null 2>&1 && \
		command -v gcc >/dev/null && command -v javac >/dev/null; then :; \
	elif [ -n "$(ROOT)" ]; then \
		echo "Installing erlang-dev erlang-jinterface gcc default-jdk-headless"; \
		{ $(INSTALL) erlang-dev erlang-jinterface gcc libc6-dev default-jdk-headless; } >/dev/null || \
			echo "they could not be installed; the tests of C and Java nodes are skipped" >&2; \
	else \
		echo "Without erlang-dev, erlang-jinterface, gcc and a JDK the tests of C and Java nodes are skipped" >&2; \
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

# What looks for inputs of functions; there is none for each machine.
.PHONY: fuzzing
fuzzing: $(READY)
	@[ -z "$(filter-out switch,$(TARGETS))" ] || $(PY) -c 'import atheris' 2>/dev/null || \
		{ echo "Installing atheris into $(VENV)"; \
		$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]' || \
		echo "it could not be installed: make test tries the inputs that are kept, nothing looks for more" >&2; }

# What `make bench` compiles, draws and calls with; what cannot be installed is left out of it.
.PHONY: measuring
measuring: $(READY) erlang
	@if command -v cc >/dev/null && command -v sipp >/dev/null && ls $$(erl -noshell -eval \
		'io:put_chars(code:lib_dir()), halt().')/erl_interface-*/include/ei.h >/dev/null 2>&1; then :; \
	elif [ -n "$(ROOT)" ]; then \
		echo "Installing gcc erlang-dev sip-tester"; \
		for package in "gcc libc6-dev" erlang-dev sip-tester; do \
			{ $(INSTALL) $$package; } >/dev/null || echo "$$package could not be installed" >&2; \
		done; \
	fi
	@$(PY) -c 'import matplotlib' 2>/dev/null || { echo "Installing matplotlib into $(VENV)"; \
		$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[bench]' || \
		echo "it could not be installed: no charts" >&2; }
