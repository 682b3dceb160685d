# make demo: from a fresh clone to invented names.  make test: everything that must hold.
# Both make .venv when it is missing.  PYTHON=… chooses the interpreter it is made from.
# make bench PEERS="…" passes other options to bench.peers; PEERS= measures the whole grid, which takes over an hour.

FINE = import ensurepip, os, sys, sysconfig; \
       sys.exit(sys.version_info < (3, 11) or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
            $$python -c '$(FINE)' 2>/dev/null && echo $$python && break; done)
RUN = .venv/bin/python
NEEDS = import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); x = p["project"]; \
        print(*p["build-system"]["requires"], *x["dependencies"], *x["optional-dependencies"]["test"], sep="\n")
EXTRA = import sys, tomllib; \
        print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")
HERE = import os, sysconfig; \
       open(sysconfig.get_path("purelib") + "/fastrnn-here.pth", "w").write(os.getcwd() + "\n")

PIP = $(RUN) -m pip install -q --disable-pip-version-check
PEERS = --quick

.PHONY: help demo test check bench peers docs build clean

help:
	@echo "make demo    build, train a character-level LSTM in under a minute, print invented names"
	@echo "make test    build and run all tests"
	@echo "make check   build and run the quick tests"
	@echo "make bench   build and measure beside the peers that are installed, in under four minutes"
	@echo "make peers   install those peers: PyTorch, ONNX Runtime and JAX, some gigabytes"
	@echo "make docs    build and run the examples in the documentation and the docstrings"
	@echo "make build   compile the extension in place"
	@echo "make clean   remove what was built (.venv stays)"

demo: build
	@echo "fastrnn: training on the names of dinosaurs"
	@$(RUN) -m fastrnn demo

test: build
	@echo "fastrnn: running all tests"
	@$(RUN) -m pytest -q tests

check: build
	@echo "fastrnn: running the quick tests"
	@$(RUN) -m pytest -q -m "not slow" tests

bench: build
	@echo "fastrnn: measuring (nothing else should run on this machine)"
	@$(RUN) -c '$(EXTRA)' bench > .venv/bench.txt
	@$(PIP) -r .venv/bench.txt || echo "fastrnn: could not install all of the extra bench: there may be no chart"
	@$(RUN) -m bench.peers $(PEERS)

peers: build
	@echo "fastrnn: installing the peers into .venv"
	@$(RUN) -c '$(EXTRA)' peers > .venv/peers.txt
	@$(PIP) -r .venv/peers.txt

docs: build
	@echo "fastrnn: running the examples of README.md, docs/ and the docstrings"
	@$(RUN) -m pytest -q --doctest-modules --doctest-glob='*.md' README.md docs fastrnn tests/test_docs.py

build: .venv/.complete
	@echo "fastrnn: building the extension"
	@$(RUN) setup.py -q build_ext --inplace

.venv/.complete: pyproject.toml
	@if [ ! -x $(RUN) ]; then \
	    if [ -z "$(PYTHON)" ]; then \
	        echo "fastrnn: needs Python 3.11 or later with venv and headers: apt-get install python3-venv python3-dev"; \
	        exit 1; \
	    fi; \
	    echo "fastrnn: making .venv with $(PYTHON)"; \
	    $(PYTHON) -m venv .venv; \
	fi
	@echo "fastrnn: installing what building and testing need into .venv"
	@$(RUN) -c '$(NEEDS)' > .venv/requirements.txt
	@$(PIP) -r .venv/requirements.txt
	@$(RUN) -c '$(HERE)'
	@touch $@

clean:
	@echo "fastrnn: removing what was built"
	@rm -rf build dist *.egg-info fastrnn/*.so .pytest_cache .hypothesis .benchmarks
	@find fastrnn tests bench examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
