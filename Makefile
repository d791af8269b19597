# Thin aliases; each says what it does in `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# make test AIRFLOW=newest
AIRFLOW ?= 3.2.1
ifeq ($(AIRFLOW),newest)
  VENV := .venv-newest
  LOCK := requirements/airflow-3.3.2.txt
else
  VENV := .venv
  LOCK := requirements/airflow-3.2.1.txt
endif
BIN := $(VENV)/bin
LOCAL := PYTHONPATH=infra/local:plugins $(BIN)/python -m filebatch_local

.PHONY: help setup demo aws down env test lint bench audit lock

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## make the environments (Airflow, worker, AWS CLI) and Airflow's database
	@tools/setup $(VENV) $(LOCK)
	@tools/setup .venv-worker requirements/worker.txt
	@tools/setup .venv-cli requirements/cli.txt
	@tools/database $(VENV)

demo: setup  ## drop sample files, or FILES="a.csv b.csv.gz", and see what becomes of them
	@PYTHONPATH=infra/local:plugins:tools $(BIN)/python -m demo $(FILES)

aws: setup  ## start the local AWS in the background
	@$(LOCAL) up

down:  ## stop what `make aws` or `make up` started
	@$(LOCAL) down

env:  ## print the settings of a shell: eval "$$(make -s env)"
	@$(LOCAL) env

audit: setup  ## compare bucket, ledger and results: lost=0 doubled=0 untrue=0, or what is wrong
	@PYTHONPATH=infra/local:plugins:tools $(BIN)/python -m audit $(SETTINGS)

test: setup  ## all tests; AIRFLOW=newest for the newest Airflow
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not terraform" $(ARGS)

lint: setup  ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy plugins/filebatch plugins/filebatch_plugin.py dags worker/filebatch_worker infra/local/filebatch_local tools bench
	@PYTHONPATH=plugins:worker:infra/local $(BIN)/lint-imports

lock:  ## make the lock files anew: CONSTRAINTS="3.2.1-file 3.3.1-file"
	@PATH=$(CURDIR)/$(BIN):$$PATH requirements/compile $(CONSTRAINTS)
