# What people type. `make demo` and `make test` are the newcomer's two commands; the rest is for daily work.
# Build output may live elsewhere: set CARGO_TARGET_DIR.

SHELL := /bin/bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
INCIDENT := captures/incident/incident.pcap.zst
MIX ?= $(TARGET)/mix/mix.pcap
FILE ?= $(MIX)
DATA ?= ../shared/captures

.PHONY: demo web test test-outer bench release eval fuzz docs prerequisites

web: ## Build the web interface into web/dist, which the program takes in; without npm it goes without.
	@if command -v npm >/dev/null && node web/node-is-new.mjs; then \
	  before=$$(cat web/dist/index.html 2>/dev/null); cd web && npm ci --no-audit --no-fund --silent && npm run --silent build && \
	  { [ "$$before" = "$$(cat dist/index.html)" ] || touch ../crates/api/src/ui.rs; }; \
	else echo "web interface skipped: it needs Node 20.19 or newer with npm"; fi

demo: prerequisites web ## Build and replay the shipped incident: in the browser on a terminal, else as text.
	cargo build --locked --profile demo --package weir
	@if [ -t 1 ] && [ -z "$$CI" ]; then exec $(TARGET)/demo/weir demo $(INCIDENT); \
	  else $(TARGET)/demo/weir -r $(INCIDENT); fi

test: prerequisites ## Install what the tests need and run what CI runs.
	./tests/setup.sh
	cargo xtask ci

test-outer: prerequisites ## ClickHouse's answers against our own: installs its engine (533 MB) beside the other tests' tools.
	[ -f $(TARGET)/python-outer/installed ] || { python3 -m venv $(TARGET)/python-outer && \
	  $(TARGET)/python-outer/bin/pip install -q --disable-pip-version-check --only-binary :all: chdb-core==26.9.0 && \
	  touch $(TARGET)/python-outer/installed; }
	cargo test --locked --package weir-store --lib clickhouse

release: prerequisites web ## The shipped binary.
	cargo build --locked --release --package weir

bench: release ## Compare with peers, side by side, on the generated mix or FILE=capture.
	cargo build --locked --release --package weir-benches
	[ "$(FILE)" != "$(MIX)" ] || [ -f "$(MIX)" ] || { mkdir -p "$(dir $(MIX))" && \
	  $(TARGET)/release/weir-benches mix --out "$(MIX)" --lists "$(dir $(MIX))"; }
	$(TARGET)/release/weir-benches compare --file "$(FILE)" --weir $(TARGET)/release/weir
	rm -rf $(TARGET)/bench-store && $(TARGET)/release/weir-benches store --dir $(TARGET)/bench-store
	$(TARGET)/release/weir-benches search --dir $(TARGET)/bench-store
	$(TARGET)/release/weir-benches collect --weir $(TARGET)/release/weir
	$(TARGET)/release/weir-benches detect
	$(TARGET)/release/weir-benches serve --weir $(TARGET)/release/weir --cache $(TARGET)/bench-serve

eval: release ## Score detection on labelled captures: DATA=folder with truth.tsv, tools beside it.
	python3 $(DATA)/../tools/run_corpus.py $(TARGET)/release/weir $(DATA)/truth.tsv $(DATA) $(TARGET)/eval
	python3 $(DATA)/../tools/score.py $(DATA)/truth.tsv $(DATA) $(TARGET)/eval

fuzz: ## 30 seconds of every fuzz target (needs cargo-fuzz).
	for target in $$(cargo fuzz list); do cargo fuzz run -s none $$target -- -max_total_time=30 -use_value_profile=1 || exit 1; done

docs: ## Render docs/reference from the code.
	cargo xtask docs

prerequisites:
	@command -v cargo >/dev/null || { echo "Rust is missing (Debian 12 has too old a one): install rustup from https://rustup.rs, then: rustup default stable"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install gcc"; exit 1; }
