# Everything here works from a fresh clone; `make run` sets up first if need be.
# ARGS goes to the command: make run ARGS="--set training.steps=50"

.DEFAULT_GOAL := help
.PHONY: help setup ready run test test-replays test-plants test-orchestrators test-engines test-all test-current test-newcomer test-stores test-image fuzz lint format bench golden requirements docs pictures wheel licences clean distclean

# With it set, Python compiles TFX anew in every process, which takes twenty seconds each.
unexport PYTHONDONTWRITEBYTECODE

# The set-up runs on any Python from 3.8 on. A whole .venv has one at hand that starts fast (-S: no
# packages), which keeps `make run` from waiting for a version manager's shims.
define WITH_PYTHON
if [ -f .venv/fareline-stamp.json ] && [ -x .venv/bin/python ]; then \
  exec .venv/bin/python -S $(1); \
fi; \
for python in python3 python python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do \
  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then \
    exec "$$python" $(1); \
  fi; \
done; \
echo "set-up: no working python3 on PATH; 3.8 or newer is needed to run the set-up." \
  "Hint: install Python 3.10 (Debian, Ubuntu: apt install python3 python3-venv)." >&2; \
exit 2
endef

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## Builds .venv for this machine (FARELINE_STACK=…, FARELINE_PYTHON=… override)
	@$(call WITH_PYTHON,requirements/install.py)

ready:
	@$(call WITH_PYTHON,requirements/install.py --quiet)

run: ready ## Runs the pipeline on this machine
	@.venv/bin/fareline run $(ARGS)

# Two workers, no more than there are cores, a file at a time; ARGS="-n 0" runs all in one process.
PYTEST = .venv/bin/python -m pytest -n logical --maxprocesses 2 --dist loadfile --no-loadscope-reorder
CHOSEN = -m "not replay and not plants"

test: lint ## Runs the checks of `lint`, then tests that this machine has the programs for; no replays, few plants
	$(PYTEST) $(CHOSEN) $(ARGS)

test-replays: ready ## Runs whole compiled specs here, as Vertex and Kubeflow would, and compares them
	$(PYTEST) -m replay tests/e2e $(ARGS)

test-orchestrators: ready ## Runs exported files by Airflow, Luigi and Celery, each installed in an environment of its own
	.venv/bin/python -m pytest -n 0 tests/orchestrators $(ARGS)

test-engines: ready ## Runs pipelines on Beam engines (Prism by Go; job servers by Maven and Java) and compares
	.venv/bin/python -m pytest -n 0 tests/engines $(ARGS)

test-plants: ready ## Checks every planted model that must not be published, with its reason
	$(PYTEST) -m plants tests/component/serving $(ARGS)

test-all: export CI = true
test-all: CHOSEN =
test-all: test ## Runs `test`, replays and plants, where a program that is missing is a failure

fuzz: export FUZZ_EXAMPLES ?= 10000
fuzz: ready ## Tries 10,000 column names, rows, settings and requests of each kind (FUZZ_EXAMPLES=…)
	$(PYTEST) tests/fuzz --timeout 0 $(ARGS)

# These two take ARGS from the environment, where make puts what its command line sets.
test-current: ## Proves the current stack: run and test-all on a clean Debian 13 (root; ARGS for test)
	@$(call WITH_PYTHON,.ci/debian13.py)

test-newcomer: ## Proves run and test there with what the README asks for, nothing else (root)
	@$(call WITH_PYTHON,.ci/debian13.py --newcomer)

test-stores: ready ## Proves that both stacks write and continue one store (root)
	@$(call WITH_PYTHON,.ci/two_stacks.py stores)

test-image: ## Builds the Dockerfile without Docker and runs the pipeline in it (root)
	@$(call WITH_PYTHON,.ci/image.py)

lint: ready ## Checks style, format and import directions; changes nothing
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

format: ready ## Sorts imports and formats all sources
	.venv/bin/ruff check --select I,W --fix .
	.venv/bin/ruff format .

golden: ready ## Writes the golden specs in tests/golden anew; read the diff
	@.venv/bin/python -m tests.golden.golden_specs

bench: ready ## Measures against stock TFX, side by side
	.venv/bin/python -m benchmarks $(ARGS)

# What `make docs` and `make wheel` need beside .venv, in a folder of its own: whoever only runs the
# pipeline does not wait for it.
TOOLS = .uv/tools
$(TOOLS)/installed: requirements/tools.txt
	@rm -rf $(TOOLS)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --target $(TOOLS) -r requirements/tools.txt
	@touch $@

# proselint looks at the words. Left out: repetitions, which tables and output have; curly quotes; hyphens in
# names of commands; "3 more only" in output.
docs: ready ## Builds the documentation site in build/site; fails on a dead link or a page outside its navigation
	@$(MAKE) --no-print-directory $(TOOLS)/installed
	@PYTHONPATH=$(TOOLS) .venv/bin/python -m proselint check --config docs/site/proselint.json \
	  docs/*.md docs/decisions/*.md README.md CONTRIBUTING.md SECURITY.md
	@PYTHONPATH=$(TOOLS) NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict

pictures: ready ## Takes the pictures of the documentation anew from a run in workspace/ (Chromium)
	@PYTHONPATH=. .venv/bin/python docs/site/pictures.py

wheel: ready ## Builds sdist and wheel twice, compares them, and tries the wheel in an empty environment
	@$(MAKE) --no-print-directory $(TOOLS)/installed
	@.venv/bin/python requirements/wheel.py

licences: ready ## Lists the licences of all installed packages; fails on one that does not allow our use
	@.venv/bin/python requirements/licences.py

requirements: ## Pins anew from requirements/*.in (ARGS=--upgrade for newer versions)
	@$(call WITH_PYTHON,requirements/lock.py $(ARGS))

clean: ## Deletes what builds and tests left; keeps .venv and workspace/
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . \( -name .git -o -name .venv -o -name .uv -o -name workspace \) -prune \
	  -o -type d -name __pycache__ -exec rm -rf {} +
	@if [ -d workspace ]; then \
	  echo "workspace/ (runs, metadata, pushed models) is kept; rm -r workspace deletes it"; fi

distclean: clean ## Also deletes .venv and the private uv
	rm -rf .venv .uv
