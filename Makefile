# Every verb that a developer or CI uses; `make` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo build lint fmt test test-cluster test-fast chaos deaths fuzz servers servers-down bench bench-api bench-fidelity ci clean

CARGO_FLAGS := --workspace --locked
PROFILE := $(if $(CI),ci,default)
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## render sample files, or FILES="a.jpg b.png", and serve the page that shows them
	cargo run --release --locked -- demo $(FILES)

build: ## the release executable, target/release/thumbline
	cargo build --release --locked

lint: ## format, lints and documentation, warnings as errors
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps
	@if command -v shellcheck >/dev/null; then shellcheck scripts/test-servers scripts/test-clients scripts/fuzz .ci/run; fi
	@if python3 -c 'import tomllib' 2>/dev/null; then scripts/check-dependencies; else echo "skipped: advisories and licences (needs Python 3.11)"; fi
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check; else echo "skipped: cargo deny (not installed)"; fi

fmt: ## format everything
	cargo fmt --all

# Programs that tests drive, each in an environment of its own.
CLIENTS := $(abspath $(or $(THUMBLINE_TEST_CLIENTS),$(or $(CARGO_TARGET_DIR),target)/clients))
export THUMBLINE_TEST_CLIENTS := $(CLIENTS)

# Everything is built, and the clients are installed, before the servers start; the release is what the test of the demo runs.
test: build ## the whole suite, on real servers (ARGS="-E 'test(name)'" for some of it)
	scripts/test-clients
ifeq ($(NEXTEST),yes)
	cargo nextest run $(CARGO_FLAGS) --no-run
	cargo test $(CARGO_FLAGS) --doc --quiet
	scripts/test-servers run -- cargo nextest run $(CARGO_FLAGS) --profile $(PROFILE) --run-ignored all $(ARGS)
else
	cargo test $(CARGO_FLAGS) --no-run
	scripts/test-servers run -- cargo test $(CARGO_FLAGS) --no-fail-fast $(ARGS) -- --include-ignored
endif

test-cluster: ## RabbitMQ as a cluster of three that loses nodes; takes minutes
	cargo nextest run $(CARGO_FLAGS) --run-ignored all --ignore-default-filter --no-capture -E 'test(/::cluster_/)'

test-fast: ## everything that needs no server; what was left out is listed as ignored
	cargo test $(CARGO_FLAGS) $(ARGS)

chaos: ## 500 faults over 5,000 uploads, and proof that nothing was lost; takes an hour (ARGS="--seed 7", ARGS=--help)
	cargo build --locked --workspace --features thumbline/test-hooks --config profile.dev.package.chaos.opt-level=2
	@$(or $(CARGO_TARGET_DIR),target)/debug/chaos $(ARGS)

deaths: ## 10,000 deaths of render children (COUNT=…): no zombie, no descriptor, no memory is left behind
	THUMBLINE_TEST_DEATHS=$(or $(COUNT),10000) cargo test --locked -p worker --test stories -- many_deaths --nocapture

fuzz: ## fuzz every parser of bytes from outside for SECONDS=60 each (TARGETS="render …", SANITIZER=none)
	@SECONDS_EACH=$(or $(SECONDS),60) $(if $(TARGETS),TARGETS="$(TARGETS)") $(if $(SANITIZER),SANITIZER=$(SANITIZER)) scripts/fuzz

servers: ## keep RabbitMQ, PostgreSQL and S3 running; prints the variables that `cargo test -- --include-ignored` needs
	@scripts/test-servers up

servers-down: ## stop them
	@scripts/test-servers down

# Peers come from npm and PyPI into $(BENCH_CACHE); vipsthumbnail (Debian: libvips-tools, time) is measured where it is installed.
BENCH_CACHE := target/bench
BENCH = PYTHONDONTWRITEBYTECODE=1 $(BENCH_CACHE)/venv/bin/python bench/bench.py $(1) --cache $(BENCH_CACHE) \
	$(if $(THUMBLINE),--thumbline $(THUMBLINE)) $(if $(CORPUS),--corpus $(CORPUS)) $(ARGS)

$(BENCH_CACHE)/installed: bench/requirements.txt bench/package.json
	mkdir -p $(BENCH_CACHE)
	python3 -m venv $(BENCH_CACHE)/venv
	$(BENCH_CACHE)/venv/bin/pip install --quiet --disable-pip-version-check --requirement bench/requirements.txt
	cp bench/package.json $(BENCH_CACHE)/
	npm install --prefix $(BENCH_CACHE) --no-fund --no-audit --loglevel=error
	touch $@

bench: $(if $(THUMBLINE),,build) $(BENCH_CACHE)/installed ## speed and memory beside sharp and libvips (CORPUS="DIR…", THUMBLINE=EXECUTABLE, ARGS=--help)
	@$(call BENCH,speed)

bench-api: ## state reads and small contents beside handlers that do the least that one could (needs wrk; ARGS=--help)
	cargo build --release --locked --features bench
	@THUMBLINE_TEST_AMQP_URL=unused THUMBLINE_TEST_S3_URL=unused scripts/test-servers run -- env PYTHONDONTWRITEBYTECODE=1 \
		python3 bench/api.py --thumbline $(or $(CARGO_TARGET_DIR),target)/release/thumbline $(ARGS)

bench-fidelity: $(if $(THUMBLINE),,build) $(BENCH_CACHE)/installed ## how close our outputs and sharp's are to a reference
	@$(call BENCH,fidelity)

ci: ## what CI runs
	.ci/run

clean: ## remove everything that was built
	cargo clean
