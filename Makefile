# The commands of a working day. Everything installs into .venv; nothing is done twice.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= passive

.PHONY: help setup demo test quick soak gpu-check lint readme clean .types

help:
	@echo "make demo    install, then train, compare, discover and report (about 3 minutes)"
	@echo "make test    install, then the whole test suite, ruff and mypy"
	@echo "make quick   the tests that answer in two minutes"
	@echo "make soak    10 million steps of MiniGrid's worlds and 10,000 missions of each kind of BabyAI's"
	@echo "             beside minigrid (about an hour and a half, resumable)"
	@echo "make gpu-check  on a GPU: parity with the CPU, speed, a short training run"
	@echo "make setup   install into .venv"

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "s2lab needs Python 3.11 to 3.13; name one: make PYTHON=python3.12 setup"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

.types:
	@rm -rf .types && mkdir -p .types/s2lab
	@cd .types/s2lab && ln -s ../../s2lab/* . && ln -s ../../envs ../../agents ../../causal .
	@rm -f .types/s2lab/__pycache__

demo: setup
	@$(BIN)/s2lab demo

test: setup lint
	@$(BIN)/pytest -n 2 --dist loadfile

quick: setup
	@$(BIN)/pytest -n 2 --dist loadfile -m 'not slow'

soak: setup
	@nice -n 10 $(BIN)/python -O -W ignore tests/envs/soak.py
	@nice -n 10 $(BIN)/python -W ignore tests/envs/soak_babyai.py

gpu-check: setup
	@$(BIN)/python -W ignore tests/envs/gpu_check.py

lint: setup .types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

readme: setup
	@$(BIN)/python -m s2lab.readme README.md
	@$(BIN)/python -m s2lab.reproduce.generalisation

clean:
	rm -rf .venv .types build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
