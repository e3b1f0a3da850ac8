# `make` alone prints the help. Needs Python 3.11 or newer, Java 17 or newer, make; everything else goes into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
USERS ?= 50000
DAYS ?= 365
ROUNDS ?= 3
HEAP ?= 8g
EXAMPLES ?= 50

PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3)
NO_PYTHON := Python 3.11 or newer was not found (looked for $(PYTHONS)). Install it, or name it: make PYTHON=/path/to/python3

.PHONY: help
help: ## Print this help
	@echo "persona-spark: user profiles at scale on Spark and Delta"
	@echo
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Needs Python 3.11+, Java 17+ and make. First time: make demo"

.PHONY: setup
setup: $(VENV)/.jars ## Build .venv with all that the demo needs, and fetch Spark's jars once

.PHONY: demo
demo: setup ## Run the whole pipeline on real purchases into ./lake/demo
	@$(BIN)/persona run --conf conf/demo.yaml --as-of 2018-01-01 --lake lake/demo

.PHONY: dev
dev: setup $(VENV)/.dev ## The same as setup, with the tools that check and test need

.PHONY: check
check: dev ## Format, lint, types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: test
test: check ## Everything that CI runs: check, then all tests
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: fuzz
fuzz: dev ## Many random histories of nights against a full recompute (make fuzz EXAMPLES=50)
	PERSONA_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/incremental/test_incremental_nights.py

.PHONY: bench
bench: dev ## Measure 1 and 10 million events against DuckDB, and print goals and what was reached (ROUNDS=3 HEAP=8g)
	$(BIN)/python bench/compare.py --events 1000000 10000000 --rounds $(ROUNDS) --heap $(HEAP)

.PHONY: bench-large
bench-large: dev ## The same with 100 million events too, without affinity, with skew, and with a small heap: hours
	$(BIN)/python bench/compare.py --events 1000000 10000000 100000000 --rounds $(ROUNDS) --heap $(HEAP) \
		--low-heap 4g --no-affinity --skew

.PHONY: bench-shop
bench-shop: dev ## Time a simulated shop end to end (make bench-shop USERS=50000 DAYS=365)
	$(BIN)/python bench/end_to_end.py --users $(USERS) --days $(DAYS)

.PHONY: docs
docs: $(VENV)/.demo ## Write docs/features.md, docs/tags.md and docs/profiles.md from conf/ anew
	$(BIN)/python -m persona_spark.config.features_doc conf/features.yaml docs/features.md
	$(BIN)/python -m persona_spark.config.tags_doc conf/tags.yaml docs/tags.md
	$(BIN)/python -m persona_spark.profiles.doc conf/demo.yaml docs/profiles.md

.PHONY: doctor
doctor: $(VENV)/.demo ## Check that this machine has what is needed
	@$(BIN)/persona doctor

.PHONY: wheel
wheel: dev ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

.PHONY: clean
clean: ## Remove what make built; lakes stay
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis spark-warehouse
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Java is looked for before anything is downloaded, by the same code that Spark's session uses.
$(VENV)/.made:
	@python=""; \
	for name in $(PYTHONS); do \
		if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$name"; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "$(NO_PYTHON)" >&2; exit 1; fi; \
	"$$python" -m persona_spark.java; \
	echo "Building $(VENV) with $$("$$python" --version)"; \
	rm -rf $(VENV); "$$python" -m venv $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing persona-spark and the demo's data (some minutes the first time)"
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.demo
	@echo "Installing the tools for checks and tests"
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/.jars: $(VENV)/.demo
	@$(BIN)/persona doctor
	@touch $@
