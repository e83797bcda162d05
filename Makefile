# `make demo` and `make test` each work alone on a bare Debian or Ubuntu machine with Python 3.11, gcc and make.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test test-full lint bench clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

setup: $(READY)  ## Virtual environment and tools

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	sh scripts/setup.sh $(VENV)
	touch $@

demo: $(READY)  ## A recording through codec, gates and back; the iCEBreaker bitstream with its report
	$(BIN)/python -m scripts.demo

test: $(READY)  ## All tests but the long ones
	$(BIN)/python -m pytest -m "not slow" tests verif

test-full: $(READY)  ## All tests, every recording through the gates
	$(BIN)/python -m pytest tests verif

lint: $(READY)  ## Style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)  ## Ratios and speeds, beside other codecs in the same run
	$(BIN)/python -m scripts.bench

clean:  ## Remove what was built
	rm -rf build dist *.egg-info $(VENV)
