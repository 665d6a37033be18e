# `make help` lists all targets. Every target updates the virtual environment it needs first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
SAM_VENV := .venv-sam
SCAN_VENV := .venv-scan
EMULATOR_VENV := .venv-emulator
CLIENTS_VENV := .venv-clients
BIN := $(VENV)/bin
SOURCES := functions layers/core/studysync layers/resilience/resilience local testing tools
export PYTHONPATH := functions:layers/core:layers/resilience:.
PIP := python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# uv takes a tenth of the time and shows its progress; like pip, it uses the system's certificates. It does not read
# pip.conf: if that names another index, pip takes over. Modules are compiled when they are first used.
define install
{ $(BIN)/uv pip install --system-certs --python $(BIN)/python --no-deps --require-hashes -r $(1) \
	    || { echo "uv could not install it; trying with pip"; $(BIN)/$(PIP) -r $(1); }; }
endef

# Two processes share the test modules, those marked `slow` first, so that both finish together.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: help clients clients-write serve demo bench chaos mutation coverage test fuzz audit lint format types template check lock openapi baseline clean distclean package package-test package-sam package-sam-test scan sbom deploy-test restore-drill
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/local.stamp: requirements/local.txt requirements/installer.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	  || { echo "StudySync needs Python 3.11 to 3.14; set PYTHON=/path/to/one"; exit 1; }
	@echo "First run only: 1. creating a virtual environment"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "2. installing uv, which installs the rest"
	@$(BIN)/$(PIP) -r requirements/installer.txt || echo "uv is not available; using pip, which takes longer"
	@echo "3. installing the local stack: $$(grep -c == requirements/local.txt) packages"
	@$(call install,requirements/local.txt)
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/local.stamp
	@echo "Installing the tools for tests and checks (once)"
	@$(call install,requirements/dev.txt)
	@touch $@

serve: $(VENV)/local.stamp ## start the whole stack on http://localhost:8000 (PORT=..., HOST=0.0.0.0 for a phone, STUDYSYNC_HOME=...)
	@exec $(BIN)/python -m local serve

demo: $(VENV)/local.stamp ## fill the running stack with a term's worth of students (USERS=300 or 1000000, SEED=1)
	@$(BIN)/python -m local.demo

$(VENV)/bench.stamp: requirements/bench.txt $(VENV)/dev.stamp
	@echo "Installing the peers for the benchmarks (once)"
	@$(call install,requirements/bench.txt)
	@touch $@

bench: $(VENV)/bench.stamp ## measure every performance promise next to its peers (ONLY="leaderboard sync")
	@$(BIN)/python -m benchmarks $(ONLY)

chaos: $(VENV)/bench.stamp ## break one component after another under load, and check for lost or doubled writes (about 6 minutes)
	@$(BIN)/python -m benchmarks.chaos $(ONLY)

$(VENV)/mutation.stamp: requirements/mutation.txt $(VENV)/dev.stamp
	@echo "Installing the tools for mutation and coverage (once)"
	@$(call install,requirements/mutation.txt)
	@touch $@

mutation: $(VENV)/mutation.stamp ## change the code, and list the changes that no test notices (SUITE=resilience, core or domains, MINUTES=20, ONLY="users/*")
	@$(BIN)/python -m tools.mutation $(SUITE)

coverage: $(VENV)/mutation.stamp ## list the branches of layers and functions that no test takes; fails if one has no stated reason
	@$(PYTEST) -q $(or $(ARGS),tests/unit tests/properties tests/contract tests/integration tests/security) \
	  --cov --cov-report=term-missing:skip-covered

test: $(VENV)/dev.stamp $(EMULATOR_VENV)/emulator.stamp ## run all tests, or those in ARGS=...; needs nothing started beforehand
	@$(PYTEST) $(or $(ARGS),tests)

fuzz: $(VENV)/dev.stamp ## fuzz a separate stack from the OpenAPI document for MINUTES=5, with new examples each time
	@FUZZ_MINUTES=$(or $(MINUTES),5) $(BIN)/python -m pytest -q tests/e2e/test_fuzz.py

$(VENV)/audit.stamp: requirements/audit.txt $(VENV)/dev.stamp
	@echo "Installing the tools for the dependency audit (once)"
	@$(call install,requirements/audit.txt)
	@touch $@

audit: $(VENV)/audit.stamp ## check the locked dependencies for known vulnerabilities (needs api.osv.dev)
	@$(BIN)/python -m tools.audit

lint: $(VENV)/dev.stamp ## ruff: format and lint; import-linter: direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache --no-logo

openapi: $(VENV)/dev.stamp ## regenerate the OpenAPI document
	@$(BIN)/python -m tools.openapi

baseline: $(VENV)/local.stamp ## freeze the migrations for a release: from then on, tests fail if they change
	@$(BIN)/python -m tools.baseline

format: $(VENV)/dev.stamp ## format, and fix what ruff can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: $(VENV)/dev.stamp ## mypy --strict
	@$(BIN)/mypy $(SOURCES)

template: $(VENV)/dev.stamp ## check template.yaml with cfn-lint
	@$(BIN)/cfn-lint template.yaml deploy/*.yaml

document: $(VENV)/dev.stamp ## check that the OpenAPI document is up to date
	@$(BIN)/python -m tools.openapi --check

$(CLIENTS_VENV)/clients.stamp: requirements/clients.txt local/requirements-node.txt $(VENV)/dev.stamp
	@echo "Installing the generators of clients (once)"
	@$(CLIENTS_VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(CLIENTS_VENV)
	@$(BIN)/uv pip install --system-certs --python $(CLIENTS_VENV)/bin/python --no-deps --require-hashes -r requirements/clients.txt -r local/requirements-node.txt \
	  || $(CLIENTS_VENV)/bin/$(PIP) -r requirements/clients.txt -r local/requirements-node.txt
	@touch $@

clients: $(CLIENTS_VENV)/clients.stamp ## check that the committed clients are up to date, and generate and compile clients with every common generator
	@$(BIN)/python -m tools.clients --check
	@$(BIN)/python -m tools.clients --try

clients-write: $(CLIENTS_VENV)/clients.stamp ## regenerate the clients
	@$(BIN)/python -m tools.clients

check: lint types template document clients test ## run all checks that a change must pass

package: $(VENV)/dev.stamp ## build what is deployed (python3.13, arm64) into .aws-sam/build, and print its size
	@$(BIN)/python -m tools.package

sbom: $(VENV)/dev.stamp ## write the bill of materials (CycloneDX) to .aws-sam/sbom.json
	@$(BIN)/python -m tools.sbom .aws-sam/sbom.json

package-test: $(VENV)/dev.stamp ## build for this machine, read-only, and run the end-to-end tests on the build
	@$(BIN)/python -m tools.package --host
	@chmod -R a-w .aws-sam/host
	@STUDYSYNC_TEMPLATE=.aws-sam/host/template.yaml $(BIN)/python -m pytest -m "package or not package" tests/package tests/e2e $(ARGS)

$(SAM_VENV)/sam.stamp: requirements/sam.txt
	@echo "Installing the SAM CLI (once)"
	@$(SAM_VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/sam.txt
	@touch $@

$(SCAN_VENV)/scan.stamp: requirements/scan.txt
	@echo "Installing the template scanner (once)"
	@$(SCAN_VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(SCAN_VENV)
	@$(SCAN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/scan.txt
	@touch $@

scan: $(SCAN_VENV)/scan.stamp ## check the templates for open or unencrypted resources (checkov, offline); exceptions are next to the resource
	@$(SCAN_VENV)/bin/checkov --framework cloudformation --compact --quiet -f template.yaml deploy/role.yaml deploy/front.yaml

$(EMULATOR_VENV)/emulator.stamp: requirements/emulator.txt
	@echo "Installing the AWS emulator (once)"
	@$(EMULATOR_VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(EMULATOR_VENV)
	@$(EMULATOR_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/emulator.txt
	@touch $@

restore-drill: $(VENV)/local.stamp ## rehearse losing the database: dump, lose, restore, and compare (USERS=300)
	@$(BIN)/python -m tools.restore_drill

deploy-test: $(VENV)/dev.stamp $(EMULATOR_VENV)/emulator.stamp ## deploy to an AWS emulator (no Docker): test, change a parameter, deploy another build, roll back
	@$(BIN)/python -m tools.deploy_test $(EMULATOR_VENV)/bin/ministack

package-sam: $(VENV)/dev.stamp $(SAM_VENV)/sam.stamp ## as package, but with `sam build` (needs python3.13 on the PATH)
	@$(BIN)/python -m local.docs_page
	@SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam validate --lint
	@SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam build
	@$(BIN)/python -m tools.package --finish .aws-sam/build

package-sam-test: $(VENV)/dev.stamp $(SAM_VENV)/sam.stamp ## as package-test, but with `sam build` (PYTHON=python3.13 VENV=.venv-3.13)
	@chmod -R u+w .aws-sam/sam 2>/dev/null || true
	@$(BIN)/python -m local.docs_page
	@$(BIN)/python -m tools.package --template-here .aws-sam/here.yaml
	@SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam build --template .aws-sam/here.yaml --base-dir . --build-dir .aws-sam/sam
	@$(BIN)/python -m tools.package --host --finish .aws-sam/sam
	@chmod -R a-w .aws-sam/sam
	@STUDYSYNC_TEMPLATE=.aws-sam/sam/template.yaml $(BIN)/python -m pytest -m "package or not package" tests/package tests/e2e $(ARGS)

# Lambda's runtime brings botocore and what it stands on.
lock: OF_LAMBDA = $(addprefix --no-emit-package ,botocore python-dateutil six urllib3)
lock: ## compile the requirements files from pyproject.toml
	@set -e; compile() { $(BIN)/uv pip compile --system-certs -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --overrides requirements/overrides.in --custom-compile-command "make lock" "$$@"; }; \
	  compile --group dev -o requirements/dev.txt; \
	  compile --group installer -c requirements/dev.txt -o requirements/installer.txt; \
	  compile --group local -c requirements/dev.txt -o requirements/local.txt; \
	  compile --group audit -c requirements/dev.txt -o requirements/audit.txt; \
	  compile --group bench -c requirements/dev.txt -o requirements/bench.txt; \
	  compile --group mutation -c requirements/dev.txt -o requirements/mutation.txt; \
	  compile --group runtime -c requirements/dev.txt -o requirements/runtime.txt; \
	  compile --group peer -c requirements/dev.txt -o requirements/peer.txt; \
	  compile --group sam -o requirements/sam.txt; \
	  compile --group scan -o requirements/scan.txt; \
	  compile --group emulator -o requirements/emulator.txt; \
	  compile --group clients -c requirements/dev.txt -o requirements/clients.txt; \
	  compile --group core -c requirements/dev.txt $(OF_LAMBDA) -o layers/core/requirements.txt; \
	  compile --group resilience -c requirements/dev.txt -o layers/resilience/requirements.txt

clean: ## delete builds and the local stack's data, but no downloads
	@chmod -R u+w .aws-sam 2>/dev/null || true
	@rm -rf .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@if [ -d .local ]; then find .local -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +; fi

distclean: clean ## also delete the virtual environments and downloads
	@rm -rf .local .venv .venv-*
