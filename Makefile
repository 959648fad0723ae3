# The commands of the project. `make demo` and `make test` need nothing but Python 3.11, 3.12 or 3.13 and a package index.

# the first that runs and is of these versions: pyenv answers to names of versions that it does not run
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c $(SUPPORTED) 2>/dev/null && echo $$python && break; done)
SUPPORTED = 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
PROFILE ?= profiles/local
SHELL := bash
.SHELLFLAGS := -o pipefail -c
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup demo run check test test-long test-slurm lint types format bench bench-dag docs notebooks pictures lock reproduce check-config clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: .venv/installed ## make the virtual environment .venv from the lock

PACKAGES = $(shell grep -c == envs/requirements.lock)
PIP = .venv/bin/python -m pip install --disable-pip-version-check --require-hashes

.venv/installed: envs/requirements.lock
	@echo "Making the virtual environment .venv: $(PACKAGES) packages, 3 GB, one to three minutes"
	@python="$(PYTHON)"; if [ -z "$$python" ] && command -v uv >/dev/null; then uv venv --quiet --seed --python 3.11 .venv; \
	elif $${python:-false} -c $(SUPPORTED); then $$python -m venv .venv; \
	else echo "Python 3.11, 3.12 or 3.13 is needed$${python:+, and $$python is none of them}; name one, as in" \
		"make setup PYTHON=/path/to/python3.12, or install uv (https://docs.astral.sh/uv), which fetches one"; exit 1; fi
	@# NengoDL is built with the lock's setuptools: the one that it asks for does not run on Python 3.12
	@$(PIP) -r <(sed -n '/^setuptools==/,/[^\\]$$/p' $<) >/dev/null
	@$(PIP) --no-build-isolation -r $< | awk \
		'/^(Coll|Process)/ { sub(".*/", "", $$2); print ++n "/$(PACKAGES) " $$2 } /^Inst/ { print "installing all" } { fflush() }'
	@touch $@

demo: setup ## the whole workflow on bundled digits: results/demo/
	snakemake --profile profiles/demo
	@echo; cat results/demo/tables/table2.md

run: setup ## the experiment of config.yaml on this machine
	snakemake --profile $(PROFILE)

check: lint types ## linters, type checks and unit tests: a minute and a half
	pytest tests/unit -m "not slow and not long and not network" --numprocesses $(shell nproc) --dist worksteal

test: setup ## all tests but those of a cluster
	pytest tests/workflow tests/slurm tests/unit --numprocesses $(shell nproc) --dist worksteal  # the longest first

test-long: setup ## what make test does once, many times: kills, other faults, generated networks; about half an hour
	pytest -m long

test-slurm: setup ## the tests of a cluster; as root, after apt-get install slurmctld slurmd slurm-client munge
	timeout -s INT -k 120 3600 pytest tests/slurm -m slurm -v --durations=0

lint: setup ## ruff, snakefmt and snakemake --lint
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/Snakefile workflow/rules
	snakemake --lint

types: setup ## mypy
	mypy

format: setup ## format all code
	ruff check --fix-only .
	ruff format .
	snakefmt Snakefile workflow/Snakefile workflow/rules

bench: setup ## measure the engines against each other: benchmarks/results-<processor>.json; half an hour
	for part in engine larger growth; do python benchmarks/$$part.py || exit; done

bench-dag: setup ## measure how long Snakemake plans large sweeps: benchmarks/dag.json
	python benchmarks/dag.py

docs: setup ## the reference of config.yaml from its schema, and the rule graph (needs Debian's graphviz)
	python docs/configuration.py
	snakemake --configfile profiles/demo/config.yaml --rulegraph dot -- results/demo/report.html | dot -Tsvg > docs/pictures/rulegraph.svg

notebooks: demo ## execute the notebooks of the documentation, on the demo's results
	PYTHONPATH=$(CURDIR)/workflow/scripts python docs/notebooks.py

pictures: demo ## the pictures of the documentation from the demo's report (needs Debian's chromium and chromium-driver)
	python docs/pictures.py results/demo/report.html

lock: ## pin the packages of envs/*.in anew
	envs/lock.sh

reproduce: setup ## run an experiment again from its provenance and compare: make reproduce RESULTS=results/demo
	python workflow/reproduce.py $(RESULTS) $(foreach file,$(ALLOW),--allow $(file))

check-config: setup ## check a configuration without running what it names: make check-config FILE=config.yaml
	python workflow/check_config.py $(FILE)

clean: ## remove what demo and tests made, but no experiment
	rm -rf results/demo .pytest_cache .ruff_cache .hypothesis
