# make help lists the targets. Everything is set up in .venv beside this file; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
N ?= 50
SEED ?= 0
TRIALS = VAE_CLI_TRIALS=$(N) VAE_CLI_SEED=$(SEED)

.PHONY: help train test test-crash test-disk test-fuzz test-damage test-launchers lint docs bench bench-gpu reproduce clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

train: .venv/installed  ## set up, then train: make train ARGS="latent=bernoulli data=mnist"
	$(BIN)/vae-train $(ARGS)

test: .venv/installed-dev  ## set up, then run the tests: make test ARGS="-k resume"
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile $(ARGS)

test-crash: .venv/installed-dev  ## N=50 signals at random moments of every command: called again, all is bit for bit as if undisturbed
	$(TRIALS) $(BIN)/pytest -s tests/integration/crash $(ARGS)

test-disk: .venv/installed-dev  ## N=50 full disks, limits, failing disks and power cuts (as root): good checkpoints, one line, and the call goes on
	$(TRIALS) $(BIN)/pytest -s -rs tests/integration/disk $(ARGS)

test-fuzz: .venv/installed-dev  ## N=50 command lines, hostile ones among them: carried out, or refused in one line with nothing left
	$(TRIALS) OMP_NUM_THREADS=1 $(BIN)/pytest -s tests/integration/fuzz/command_lines.py $(ARGS)

test-damage: .venv/installed-dev  ## N=50 damaged files of runs, read by every command: named, or no figure changes without a word
	$(TRIALS) OMP_NUM_THREADS=1 $(BIN)/pytest -s tests/integration/damage $(ARGS)

test-launchers: .venv/installed-launchers  ## sweeps through real Slurm, Ray, joblib and submitit (minutes; as root it installs Slurm)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v sbatch >/dev/null; then \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends slurm-wlm munge; fi
	VAE_CLI_LAUNCHERS=1 $(BIN)/pytest -rs tests/integration/launchers $(ARGS)

lint: .venv/installed-dev  ## formatting, lint, types and the order of the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/installed  ## write the option tables of configs/README.md from the comments in the YAML files
	$(BIN)/python -m vae_cli.config.tables configs/README.md

bench: .venv/installed-dev .venv-pythae/installed  ## our step, start-up and likelihood against others, ratios inside one run; scaling, logging, vae-compare, a packed sweep
	$(BIN)/python tests/benchmarks/step.py
	$(BIN)/python tests/benchmarks/startup.py
	$(BIN)/python tests/benchmarks/estimators.py
	$(BIN)/python tests/benchmarks/likelihood.py
	$(BIN)/python tests/benchmarks/compare.py
	$(BIN)/python tests/benchmarks/packed.py
	$(BIN)/python tests/benchmarks/logging_cost.py
	$(BIN)/python tests/benchmarks/scaling.py

bench-gpu: .venv/installed-dev  ## every figure of a GPU in one call of minutes; VAE_CLI_PYTHAE=PYTHON names one that has Pythae
	$(BIN)/python tests/benchmarks/gpu.py $(ARGS)

reproduce: .venv/installed-dev  ## train and evaluate all presets, fill the table in configs/experiment/README.md (hours; needs MNIST)
	$(BIN)/python tests/benchmarks/reproduce.py $(ARGS)

clean:  ## remove the environments and caches, not outputs/
	rm -rf .venv .venv-pythae .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@ .venv/installed

.venv/installed-launchers: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --editable '.[dev,joblib,slurm,ray,optuna]'
	@touch $@ .venv/installed .venv/installed-dev

.venv-pythae/installed: | .venv/installed-dev  # the same torch as ours, so that the ratio compares the code
	$(PYTHON) -m venv .venv-pythae
	.venv-pythae/bin/pip install --quiet pythae==0.1.2 torch==$$($(BIN)/python -c 'from importlib.metadata import version; print(version("torch"))')
	@touch $@
