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
# make simulate SEEDS=1000 FROM=1
SEEDS ?= 200
FROM ?= 1
# make image
TAG ?= filebatch-worker
PLATFORM ?= linux/amd64
# make mean OF=whole SEEDS=3 FROM=1
OF ?= plain
# Packages that people run from the repository: the library, the local AWS and the tools.
RUN := PYTHONPATH=infra/local:plugins:tools $(BIN)/python

# Tests that go through Airflow: what else there is can't differ between its versions.
AIRFLOW_TESTS := tests/dags tests/packages tests/e2e tests/filebatch/operators tests/filebatch/sensors tests/filebatch/web tests/filebatch/test_run_context.py tests/filebatch/test_task_log.py tests/filebatch/test_run_notes.py tests/filebatch/triggers tests/local/serve/test_shell.py tests/local/serve/test_runbook.py tests/local/batch/test_stock_operator.py \
  tests/filebatch/feeds/test_windows.py tests/filebatch/queries/test_health.py tests/scheduler tests/tools

# Of these, what a version of Airflow does not change (our tools; which files, how many calls, what AWS may do): `make test` alone has them.
ANY_AIRFLOW := $(addprefix --ignore=tests/, tools/deploy tools/doctor tools/cost tools/aws_smoke tools/test_check_feeds.py tools/test_conformance.py \
  tools/test_marked_part.py tools/test_mutants.py tools/test_try_file.py \
  e2e/test_calls_of_a_file.py e2e/test_large_reasons.py e2e/test_mean.py e2e/test_which_files.py)

# Each takes minutes.
SMOKE := $(addprefix tests/infra/, test_aws_smoke.py test_make_deploy.py test_mwaa_applied.py)

# One more than there are processors: some wait. The longest files come first, as tests/conftest.py has them.
AT_ONCE := --numprocesses 3 --dist loadfile --no-loadscope-reorder

# No target is a file.
.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' $(lastword $(MAKEFILE_LIST)))

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/; s/\$$\$$/$$/g' | expand -t 21

setup:  ## make the environments (Airflow, worker, AWS CLI) and Airflow's database
	@tools/setup $(VENV) $(LOCK)
	@tools/setup .venv-worker requirements/worker.txt
	@tools/setup .venv-cli requirements/cli.txt
	@tools/database $(VENV)

demo: setup  ## drop sample files, or FILES="a.csv b.csv.gz", and see what becomes of them
	@$(RUN) -m demo $(FILES)

try: made  ## do one file without AWS: FEED=tables FILE=samples/airports.csv
	@$(RUN) -m try_file "$(FEED)" "$(FILE)"

aws: setup  ## start the local AWS in the background
	@$(RUN) -m filebatch_local up

up: setup  ## start a whole local system: local AWS, Airflow and its UI, feeds unpaused
	@$(RUN) -m local_system up

# What only asks or stops doesn't set up anything first.
made:
	@test -e $(VENV)/.ready || { echo "nothing is set up here, so nothing runs: make setup" >&2; exit 1; }

status: made  ## say what of `make up` runs
	@$(RUN) -m local_system status || [ $$? -eq 3 ]  # 3: nothing runs, which is no fault

down: made  ## stop what `make aws` or `make up` started
	@$(RUN) -m local_system down

env:  ## print the settings of a shell: eval "$$(make -s env)"
	@if test -e $(VENV)/.ready; then $(RUN) -m filebatch_local env; else cat infra/local/filebatch_local/serve/not_running.sh; fi

audit: setup  ## compare bucket, ledger and results: lost=0 doubled=0 untrue=0 stuck=0, or what is wrong
	@$(RUN) -m audit $(if $(filter command,$(firstword $(origin SETTINGS))),$(SETTINGS))

doctor: setup  ## find what would go wrong in a deployment, in this clone and in SETTINGS=file, the shell's or the local environment; ARGS=--json
	@$(RUN) -m doctor $(if $(filter command,$(firstword $(origin SETTINGS))),$(SETTINGS)) $(ARGS)

NAMED = $(if $(ENV),,$(error ENV=NAME is missing: a file of infra/environments, such as ENV=existing-airflow))$(ENV)

deploy: setup  ## bring an environment to what this clone has: ENV=NAME [TO=FOLDER or s3://BUCKET] [IMAGE=TAG]; ARGS="--dry-run", "--yes", "--rollback N"
	@$(RUN) -m deploy $(NAMED) $(if $(TO),--to "$(TO)") $(if $(IMAGE),--image "$(IMAGE)") $(ARGS)

destroy: setup  ## remove what `make deploy ENV=NAME` made with Terraform, once it isn't protected any more
	@$(RUN) -m deploy $(NAMED) --destroy $(ARGS)

test: setup  ## all tests; AIRFLOW=newest for the newest Airflow
	@$(BIN)/python -m pytest $(AT_ONCE) -m "not terraform and not docker" $(ARGS)

test-airflow: setup  ## of these, what goes through Airflow; .ci/run runs it with AIRFLOW=newest, too
	@$(BIN)/python -m pytest $(AT_ONCE) -m "not docker" $(AIRFLOW_TESTS) $(ANY_AIRFLOW) $(ARGS)

test-infra: setup  ## what needs Terraform and the AWS provider (where it can't be downloaded, TF_PLUGIN_DIR names a mirror)
	@$(BIN)/python -m pytest -m terraform tests/infra $(addprefix --ignore=,$(SMOKE)) $(ARGS)

# No run of CI has the time, nor a fresh machine an engine.
test-docker: setup  ## what needs a Docker engine: images, the worker as its job definition says, docker-compose.yaml, a push
	@if docker version >/dev/null 2>&1; then $(BIN)/python -m pytest -m docker $(ARGS); \
	else echo "SKIPPED: no Docker engine answers, so neither the images nor docker-compose.yaml were tried"; fi

test-smoke: setup  ## aws-smoke, make deploy, and the module of MWAA, against a local AWS with Terraform: minutes, so no part of test-infra
	@$(BIN)/python -m pytest -m terraform $(SMOKE) $(ARGS)

simulate: setup  ## what might go wrong, played through: SEEDS=n FROM=m; ARGS=--story tells one seed
	@PYTHONPATH=infra/local:plugins:worker:tests:tools $(BIN)/python -m simulation --seeds $(SEEDS) --from $(FROM) $(ARGS)

simulate-safeguards: setup  ## take out each safeguard of docs/guarantees.md, and say which seed finds that
	@PYTHONPATH=infra/local:plugins:worker:tests:tools $(BIN)/python -m simulation --safeguards --seeds 300

mean: setup  ## tests against the local AWS at its meanest: OF=plain (modules, worker), e2e, scheduler or whole; SEEDS=n FROM=m TESTS="tests/…" (docs/testing.md)
	@tools/mean $(BIN)/python $(OF) $(if $(filter file,$(origin SEEDS)),1,$(SEEDS)) $(FROM) $(TESTS)

conformance: setup  ## tests of plain modules and worker against emulators that others wrote: TESTS="tests/…" EMULATOR=URL (docs/testing.md)
	@$(RUN) -m conformance $(if $(EMULATOR),--emulator "$(EMULATOR)") $(TESTS)

bench: bench-parse bench-files  ## what can be measured without a running system

bench-parse: setup  ## CPU of loading our DAGs beside that of the stock operators alone
	@$(BIN)/python bench/parse.py $(ARGS)

bench-files: setup  ## files from bucket to result, beside stock operators and a bare loop; makes a table in docs/benchmarks.md
	@$(RUN) bench/files.py --json bench/files.json --write docs/benchmarks.md $(ARGS)

bench-backlog: setup  ## 100,000 files that no event told of, done by successive runs: hours; a small one: ARGS="--files 2000 --claim 500"
	@$(RUN) bench/backlog.py --json bench/backlog.json --write docs/benchmarks.md $(ARGS)

bench-files-page: setup  ## requests and own time of each question about a ledger of a million files; makes a table in docs/benchmarks.md
	@$(RUN) bench/files_page.py --json bench/files_page.json --write docs/benchmarks.md $(ARGS)

bench-latency: setup  ## from drop to result, on what `make up` started; with ARGS="--burst 1000" many at once as well
	@$(RUN) bench/latency.py --json bench/latency.json --write docs/benchmarks.md $(ARGS)

bench-doorbells: setup  ## what 500 idle feeds add to a triggerer, beside stock triggers; on a system of its own
	@$(RUN) bench/doorbells.py --json bench/doorbells.json --write docs/benchmarks.md $(ARGS)

bench-start: setup  ## CPU from a container's start to its first request, beside a bare client's
	@.venv-worker/bin/python bench/start.py

bench-worker: setup  ## a file's cost beside the engine's alone; makes the table in docs/benchmarks.md
	@.venv-worker/bin/python bench/worker.py --json bench/worker.json --write docs/benchmarks.md $(ARGS)

bench-worker-memory: setup  ## memory that 5 GB of CSV take in a job of 2,048 MiB; makes the table in docs/benchmarks.md
	@.venv-worker/bin/python bench/worker.py --only csv --megabytes 5000 --memory 2048 --runs 2 --table bench-worker-memory --json bench/worker-memory.json --write docs/benchmarks.md $(ARGS)

bench-transfer: setup  ## a big CSV from bucket to result on the local AWS, beside aws s3 cp, COPY and aws s3 cp; makes the table in docs/benchmarks.md
	@$(RUN) bench/transfer.py --json bench/transfer.json --write docs/benchmarks.md $(ARGS)

bench-plan: setup  ## how long Terraform plans 2 and 100 feeds
	@$(RUN) bench/plan.py $(ARGS)

aws-smoke: setup  ## try it all in the shell's AWS account, in an environment of its own, and destroy that; ARGS=--local, --clean-up
	@$(RUN) -m aws_smoke $(ARGS)

cost: made  ## make the tables of docs/cost.md, from the price table and the counted calls of a file
	@$(RUN) -m cost

image:  ## build the worker's image with Docker: TAG=filebatch-worker PLATFORM=linux/amd64 BASE=another
	@docker build --platform $(PLATFORM) $(if $(BASE),--build-arg "BASE=$(BASE)") --file worker/Dockerfile --tag "$(TAG)" .

bill-of-materials:  ## copy what an image is made of, and each licence, into dist/: TAG=filebatch-worker
	@mkdir -p dist
	@docker run --rm --network none --read-only --entrypoint tar "$(TAG)" -C /usr/share/filebatch -c sbom.cdx.json licences.tsv | tar -C dist -xv

wheel: setup  ## build the wheel into dist/, for deployments that install packages
	@$(BIN)/python -m hatchling build -t wheel -d dist

mutants:  ## change one thing at a time in the plain modules; which changes does no test notice? (docs/testing.md)
	@tools/setup .venv-mutants requirements/mutants.txt
	@PYTHONPATH=tools .venv-mutants/bin/python -m mutants $(ARGS)

lint: setup  ## format, lint, types, import rules, feed files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy plugins/filebatch plugins/filebatch_plugin.py dags worker/filebatch_worker worker/image infra/local/filebatch_local tools bench
	@PYTHONPATH=plugins:worker:infra/local $(BIN)/lint-imports
	@$(RUN) -m check_feeds

lock:  ## make the lock files anew: CONSTRAINTS="3.2.1-file 3.3.1-file"
	@PATH=$(CURDIR)/$(BIN):$$PATH requirements/compile $(CONSTRAINTS)
