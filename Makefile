# The door to everything; each target is one or two plain commands that can be typed as well.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/build/tools/bin:$(PATH)

STACK ?= demo
ARGS ?=
SCOPE ?= predict
LIFETIME ?= 1h
MINUTES ?= 30
KEY ?= build/keys/token-key.pem

# Without --no-sync this is the plain form of the README: set-up has synced already.
RUN := uv run --no-sync --env-file .env
PULUMI := $(RUN) pulumi

.PHONY: help setup demo test soak bench check lock format models reproduce mlflow data cards precision photos bento image stack serve token \
        doctor preview up promote refresh destroy status releases rollback unpin unlock certificates logs load report bundle unbundle

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@printf '\nSTACK=%s chooses the stack, ARGS="…" is passed on: make up ARGS=--yes\n' '$(STACK)'

setup: ## get what is missing: uv, Python packages, Pulumi, a container engine, .env
	@tools/setup/setup.sh all

demo: ## all the set-up, then models, image, release on this machine, load test, verdict
	@tools/setup/setup.sh models
	$(RUN) python -m infra.images.build
	$(RUN) python -m infra.setup_stack --stack $(STACK)
	@$(RUN) python -m infra.unlock --stack $(STACK) --if-dead
	$(PULUMI) up --stack $(STACK) --yes --refresh
	$(RUN) python -m infra.demo --stack $(STACK)

test: ## all the set-up, models and images, then every test without cloud account and GPU
	@tools/setup/setup.sh models
	@tools/setup/browser.sh
	@tools/setup/sshd.sh
	@tools/setup/prometheus.sh
	@tools/setup/schemathesis.sh
	$(RUN) python -m infra.images.build edge service vulkan
	$(RUN) pytest $(ARGS)

soak: ## the long tests under load: releases and faults for MINUTES=30, then swaps and kills
	@tools/setup/setup.sh models
	@tools/setup/schemathesis.sh
	$(RUN) python -m infra.images.build edge service vulkan
	MINUTES=$(MINUTES) $(RUN) pytest -m soak --log-cli-level=INFO $(ARGS) tests/live tests/service

bench: .env ## docs/performance.md: beside FastAPI, BentoML's own routes and mosec; needs wrk
	$(RUN) python -m benchmarks $(ARGS)

check: ## format, lint, types, layers, generated files, shell scripts
	@tools/setup/setup.sh python
	uv run --no-sync ruff format --check .
	uv run --no-sync ruff check .
	uv run --no-sync mypy
	uv lock --check --quiet
	uv run --no-sync python -m infra.images.requirements --check
	uv run --no-sync pytest -q tests/test_layers.py tests/test_dependencies.py tests/infra/test_reference.py \
	    tests/service/test_api_page.py::test_the_page_is_up_to_date
	@if command -v shellcheck >/dev/null; then shellcheck -x tools/setup/*.sh infra/images/edge/start infra/images/edge/watch infra/images/edge/answers infra/doctor/gather.sh .ci/run; \
	else echo "check: shellcheck is not installed, the shell scripts were not checked"; fi

lock: ## write what is made from uv.lock: service/requirements.txt
	@tools/setup/setup.sh python
	uv lock
	uv run --no-sync python -m infra.images.requirements

format: ## put the code into the project's format
	@tools/setup/setup.sh python
	uv run --no-sync ruff format .
	uv run --no-sync ruff check --fix .

models: .env ## train or import what changed, into the model store: MODEL=name for one
	$(RUN) python -m bentos.build $(if $(MODEL),--model $(MODEL)) $(ARGS)

reproduce: .env ## train again from the same inputs and compare with what is published: MODEL=name
	$(RUN) python -m bentos.reproduce $(if $(MODEL),--model $(MODEL)) $(ARGS)

mlflow: .env ## MLflow's page on every training, on this machine: PORT=5000
	@$(RUN) python -m bentos.tracking.page $(if $(PORT),--port $(PORT)) $(ARGS)

data: .env ## which data and which step made each published model, checked: MODEL=name
	@$(RUN) python -m bentos.data_versions $(if $(MODEL),--model $(MODEL)) $(ARGS)

cards: .env ## docs/models, made from the published models' cards: MODEL=name
	$(RUN) python -m bentos.pages $(if $(MODEL),--model $(MODEL)) $(ARGS)

precision: .env ## docs/precision.md: fp32, fp16 and int8 of each model, measured here: MODEL=name
	$(RUN) python -m bentos.precision $(if $(MODEL),--model $(MODEL)) $(ARGS)

photos: .env ## name the animals in FOLDER=…, here or with URL=http://… TOKEN_FILE=…
	@test -n "$(FOLDER)" || { echo "photos: no folder was named. Run make photos FOLDER=…."; exit 2; }
	$(RUN) python -m cameratraps "$(FOLDER)" $(if $(URL),--url "$(URL)") \
	    $(if $(TOKEN_FILE),--token-file "$(TOKEN_FILE)") $(ARGS)

bento: .env ## bentoml build, with the version made from its inputs
	$(RUN) python -m infra.images.build bento

image: .env ## the images whose inputs changed: what STACK's hosts need, or ACCELERATOR=vulkan
	$(RUN) python -m infra.images.build \
	    $(if $(ACCELERATOR),edge $(patsubst cpu,service,$(ACCELERATOR)),--stack $(STACK))

stack: .env ## Pulumi.STACK.yaml into the state, with keys for tokens; makes what is missing
	@$(RUN) python -m infra.setup_stack --stack $(STACK)

serve: $(KEY) ## bentoml serve on this machine, port 3000
	$(RUN) bentoml serve $(ARGS)

token: $(KEY) ## a token for /v1: SCOPE=predict LIFETIME=1h
	@$(RUN) python -m service.tokens issue --key $(KEY) --scope '$(SCOPE)' --lifetime $(LIFETIME)

doctor: .env ## what would fail on the stack's hosts, and its cure; changes nothing: HOST=name
	@$(RUN) python -m infra.doctor --stack $(STACK) $(if $(HOST),--host $(HOST)) $(ARGS)

preview: .env ## what `make up` would change; ARGS=--refresh looks at the hosts first
	$(PULUMI) preview --stack $(STACK) $(ARGS)

up: .env ## release what build/images.json names
	@$(RUN) python -m infra.unlock --stack $(STACK) --if-dead
	$(PULUMI) up --stack $(STACK) $(ARGS)

promote: .env ## release what another stack serves, the same image: FROM=staging
	@test -n "$(FROM)" || { echo "promote: no stack was named. Run make promote FROM=… STACK=…."; exit 2; }
	@$(RUN) python -m infra.promote --from $(FROM) --stack $(STACK)
	@$(RUN) python -m infra.unlock --stack $(STACK) --if-dead
	$(PULUMI) up --stack $(STACK) $(ARGS)

refresh: .env ## take what is on the hosts into the state
	$(PULUMI) refresh --stack $(STACK) $(ARGS)

destroy: .env ## remove the stack from its hosts
	$(PULUMI) destroy --continue-on-error --stack $(STACK) $(ARGS)

status: .env ## release, weights, health and since when
	@$(RUN) python -m infra.status --stack $(STACK) $(ARGS)

releases: .env ## what is kept: released when, by whom, with which verdict; ARGS=--json
	@$(RUN) python -m infra.releases --stack $(STACK) $(ARGS)

rollback: .env ## back to the release before, at once, and pinned: TO=release for another
	@$(RUN) python -m infra.rollback --stack $(STACK) $(if $(TO),--to $(TO)) $(ARGS)

unpin: .env ## what was built may come again, also what was rolled back
	@$(RUN) python -m infra.unpin --stack $(STACK) $(ARGS)

unlock: .env ## take a lock away that you know to be dead; make up clears its own by itself
	@$(RUN) python -m infra.unlock --stack $(STACK)

certificates: .env ## the public part of self-signed certificates, for curl and make load
	@$(PULUMI) stack output certificates --stack $(STACK)

logs: .env ## the containers' lines: HOST=name SINCE=10m
	@$(RUN) python -m infra.logs --stack $(STACK) $(if $(HOST),--host $(HOST)) $(if $(SINCE),--since $(SINCE)) $(ARGS)

load: $(KEY) ## the gate alone, against the stack or URL=http://…
	@umask 077 && $(RUN) python -m service.tokens issue --key $(KEY) --scope gate --lifetime 1h >build/keys/load.token
	$(RUN) python -m loadtests --token-file build/keys/load.token \
	    --url "$(or $(URL),$$($(PULUMI) stack output url --stack $(STACK)))" $(ARGS)

report: ## where the last verdict lies
	@test -e reports/$(STACK)/latest/verdict.html && echo reports/$(STACK)/latest/verdict.html || \
	    { echo "report: stack $(STACK) has no verdict yet. Run make up."; exit 1; }

bundle: .env ## a release on a stick, for hosts without a network: TO=folder
	@$(RUN) python -m infra.images.bundle $(if $(TO),--to "$(TO)") $(ARGS)

unbundle: .env ## take in what make bundle wrote: FILE=…
	@test -n "$(FILE)" || { echo "unbundle: no file was named. Run make unbundle FILE=…."; exit 2; }
	@$(RUN) python -m infra.images.unbundle "$(FILE)"

# A clone that was never set up: the first command does it.
.env:
	@tools/setup/setup.sh all

$(KEY): | .env
	@test -e $@ || $(RUN) python -m service.tokens new-key --out-dir $(dir $@)
