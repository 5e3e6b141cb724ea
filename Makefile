# One command each. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup test in-lab lint demo bench crds packs lab

PYTHON ?= python3
LAB := $(PYTHON) tests/cluster/lab.py
LOCKED := $(if $(CI),--locked)
LAB_FLAGS ?= --with controller-manager --moto

# Kubernetes is built with the Go that is here, and Python leaves no caches in the tree.
export GOTOOLCHAIN := local
export PYTHONDONTWRITEBYTECODE := 1

say = @printf '\n==> %s\n' "$(1)"

help: ## what there is (this list)
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: ## check the tools, then build Kubernetes, etcd, Helm and moto into the cache (6 to 10 minutes, once)
	$(call say,Tools)
	@scripts/doctor
	$(call say,Kubernetes - etcd - Helm - moto)
	@$(LAB) build >/dev/null
	@echo "Ready: make test"

lint: ## formatting and clippy, warnings are errors
	$(call say,Formatting)
	cargo fmt --all --check
	$(call say,Clippy)
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

test: lint ## everything: lint, the lab's own tests, then all of Rust against a real Kubernetes
	$(call say,The lab's own tests)
	$(PYTHON) -m unittest discover -s tests/cluster
	$(call say,Building the tests)
	cargo test $(LOCKED) --workspace --no-run
	$(call say,Tests against a real Kubernetes)
	@$(LAB) run $(LAB_FLAGS) -- $(MAKE) --no-print-directory in-lab

# What `make test` runs inside the lab. Stories wait more than they compute: more of them at a time than there are cores.
# Only all of them together can tell that a verb is superfluous.
in-lab: export RUST_TEST_THREADS ?= 4
in-lab:
	cargo test $(LOCKED) --workspace $(ARGS)
ifndef ARGS
	$(call say,What the controller may do in Kubernetes against what it did)
	$(PYTHON) tests/cluster/verbs.py
endif

demo: ## the story from drift to repair, on a real Kubernetes
	$(call say,Building plumbline and the AWS simulator)
	cargo build $(LOCKED) --release --workspace --bins
	$(call say,The demo)
	$(PYTHON) demo/demo.py $(ARGS)

bench: ## measure check, sweeps of the controller, the stream of events and the AWS simulator over 500 APIs
	$(call say,Building plumbline and the AWS simulator)
	cargo build $(LOCKED) --release --workspace --bins
	$(call say,The measurements)
	$(PYTHON) benches/bench.py $(ARGS)

crds: ## write the custom resource definitions again, after a change of src/api
	cargo run $(LOCKED) --quiet -- crds --out crds
	@cp crds/*.yaml charts/plumbline/files/crds/

packs: ## copy the policy packs into their chart, after a change of policies/
	@cp policies/*.yaml charts/plumbline-policies/files/packs/

lab: ## a real Kubernetes to play with, until Ctrl-C
	@$(LAB) up --with controller-manager,scheduler --moto
