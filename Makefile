# Everything is installed into .venv from requirements-dev.lock (exact versions and hashes). The lock is complete, so
# nothing is resolved (--no-deps): in hash mode pip stumbles over extras that are pinned below the newest version.
# pip brings uv, and uv the rest: on two cores it takes a fifth of pip's time. It asks the index that pip is set to, with
# the certificates of the machine, but reads no other setting of pip's: where it fails, pip does it.
#
# Bytecode is compiled once and kept: an image of Python may say that none is written, but then each of some hundred
# processes of the tests compiles all that it imports, which is half of what most of them do.
unexport PYTHONDONTWRITEBYTECODE
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PART ?= 1/1

PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-deps
INDEX = $(shell $(BIN)/python -m pip config get global.index-url 2>/dev/null || printenv PIP_INDEX_URL)
UV = $(if $(INDEX),UV_DEFAULT_INDEX=$(INDEX)) UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --python $(BIN)/python --no-deps --compile-bytecode
LOCKED := --require-hashes -r requirements-dev.lock
# $(call step,what it does,command): one line, and what the command says only if it fails. pip has a warning for each
# package and each place of the machine's settings that it does not find it in.
step = @echo "setup: $(1)"; { $(2); } > $(VENV)/setup.log 2>&1 || { cat $(VENV)/setup.log; echo "setup: failed: $(1)"; exit 1; }

.PHONY: setup demo test test-served test-properties test-units test-checks check slow-test crash-matrix errno-matrix state-machine ui-test deploy-test fuzz bench lock

setup: $(VENV)/.installed

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Quire needs Python 3.11 or later, this is " + sys.version) if sys.version_info < (3, 11) else None'
	@mkdir -p $(VENV)
	$(call step,making $(VENV),$(PYTHON) -m venv $(VENV))
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > $(VENV)/uv.txt
	$(call step,installing uv,$(PIP) --require-hashes -r $(VENV)/uv.txt)
	$(call step,installing what requirements-dev.lock names: a minute or more,$(UV) $(LOCKED) || $(PIP) $(LOCKED))
	$(call step,installing quire itself,$(PIP) --no-build-isolation --editable .)
	@touch $@

demo: setup
	$(BIN)/quire demo

# Side by side, so that no core waits; what is not the longest says all it has to say when it ends. What needs no server
# has processes of its own: hypothesis takes the random numbers that a thread of Prefect's draws meanwhile for a
# strategy's. The rest waits a lot, so it has three; each has a Prefect server and an emulator of its own.
# tests/conftest.py puts the longest files first.
PYTEST := $(BIN)/python -m pytest -q --durations=10

test: setup
	@$(MAKE) --no-print-directory --keep-going --jobs=4 test-served test-properties test-units test-checks

# $(call at-once,command): run it, and print what it says when it has ended.
at-once = @said=$$(mktemp); $(1) > $$said 2>&1; status=$$?; echo; echo "$@:"; cat $$said; rm $$said; exit $$status

test-served:
	$(PYTEST) -m "not ui and not slow and not deploy" -n 3 --dist loadfile --no-loadscope-reorder \
		--ignore=tests/unit --ignore=tests/properties --ignore=tests/architecture

test-properties:
	$(call at-once,$(PYTEST) tests/properties)

test-units:
	$(call at-once,$(PYTEST) tests/unit)

test-checks:
	$(call at-once,$(MAKE) --no-print-directory check)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture

# What takes too long for each change: passes that are stopped, a server that goes away.
slow-test: setup
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

# Every kill point; hours on a small machine. Shares run side by side: make crash-matrix PART=1/4
crash-matrix: setup
	PREFECT_LOGGING_LEVEL=CRITICAL $(BIN)/python -m tests.crash_matrix.run --part $(PART)

# Every place that asks the file system for something, with every error that may come of it. Hours, too: make errno-matrix PART=1/4
errno-matrix: setup
	PREFECT_LOGGING_LEVEL=CRITICAL $(BIN)/python -m tests.errno_matrix.run --part $(PART)

# The state machine of the protocol with many more examples, and others each time.
state-machine: setup
	QUIRE_MACHINE_EXAMPLES=$(or $(EXAMPLES),10000) $(BIN)/python -m pytest tests/properties/test_protocol_machine.py -q

ui-test: setup
	$(BIN)/python -m pytest -m ui

# Prefect on PostgreSQL, workers, forms filled in in a browser. Skipped, with a word, where PostgreSQL is not installed.
deploy-test: setup
	$(BIN)/python -m pytest -m deploy tests/deploy

# The laws of the parser of result files once more, with chance and many examples for each: FUZZ_EXAMPLES=5000 for fewer.
fuzz: setup
	FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),100000) $(BIN)/python -m pytest tests/properties/test_results.py -q \
		--hypothesis-profile=fuzz --hypothesis-show-statistics

# Each row of docs/performance.md: our work and a plain script's, in turn, on the same data; writes its tables and benchmarks/results.json. Ends with 1
# when a bar is not met. QUICK=1: small sizes, five minutes. ROWS=scan,settle: these alone. DATA=FOLDER: data is made there, and stays.
bench: setup
	$(BIN)/python -m benchmarks.run $(if $(QUICK),--quick) $(if $(ROWS),--rows $(ROWS)) $(if $(DATA),--data $(DATA))

# Two locks, from pyproject.toml: what runs a collection, and the same with demo, notebooks and development added; and of
# the second, what the image's build stage makes the wheel with, and what the local Gemini's image has. Each gets what it lacks; UPGRADE=--upgrade takes the
# newest of everything.
# opencv-python is left out: rapidocr asks for it, but it needs libGL; the headless wheel gives the same module.
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet $(UPGRADE)

lock: setup
	$(COMPILE) pyproject.toml -o requirements.lock
	echo "opencv-python; sys_platform == 'never'" > .lock-overrides.txt
	echo "pillow>=11.3" >> .lock-overrides.txt # iiif-prezi3 (3.1) bounds it, and asks it for nothing but the size of an image
	$(COMPILE) pyproject.toml --all-extras --overrides .lock-overrides.txt --constraints requirements.lock \
		-o requirements-dev.lock
	$(COMPILE) pyproject.toml --extra emulator --overrides .lock-overrides.txt --constraints requirements-dev.lock \
		-o requirements-emulator.lock
	rm .lock-overrides.txt
	echo hatchling | $(COMPILE) - --constraints requirements-dev.lock -o requirements-build.lock
