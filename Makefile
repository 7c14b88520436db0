# tidegauge: what one types. `make help` lists it.

CACHE ?= $(or $(TIDEGAUGE_CACHE),$(HOME)/.cache/tidegauge)
DENY_VERSION := 0.20.2
DENY := $(CACHE)/tools/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
SEEDS ?= 20000
PORT ?= 9092

.PHONY: help demo test kills check contract fmt clippy deny docs core bench fuzz simulate up kafka consumers checkers helm clickhouse-engine

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

# The engine (178 MB) comes while the program is built; the demo does not wait for it, and takes it up when it is there.
demo: ## A simulated fleet on this machine; brings the ClickHouse engine where npm is
	@if command -v npm >/dev/null; then deploy/dev/clickhouse-get.sh >/dev/null & fi; cargo build --release --bin tidegauge
	target/release/tidegauge demo

test: kafka clickhouse-engine consumers checkers helm ## Every test, with a real Kafka and the real ClickHouse engine
	cargo test

kills: kafka clickhouse-engine ## The long form of tests/kills: 200,000 records, 20 times kill -9, 20 s without ClickHouse; a file of 5,000,000, 30 times kill -9
	TIDEGAUGE_KILLS=full cargo test --test kills -- --nocapture --test-threads=1

check: fmt clippy core deny docs ## Formatting, lints, the core alone, dependencies, docs

fmt:
	cargo fmt --check

clippy:
	cargo clippy --all-targets -- -D warnings

# The pure core builds without tokio, rdkafka and clickhouse; that they are not there is looked up, not believed.
core:
	cargo clippy --no-default-features --lib -- -D warnings
	@if cargo tree --no-default-features --edges normal --prefix none | grep -E '^(tokio|rdkafka|clickhouse|axum|metrics) '; \
	then echo 'the core must build without the crates above: see [features] in Cargo.toml' >&2; exit 1; fi

deny: $(DENY)
	$(DENY) check bans licenses sources

$(DENY):
	cargo install cargo-deny --locked --version $(DENY_VERSION) --root $(CACHE)/tools/cargo-deny-$(DENY_VERSION)

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items

bench: kafka ## Parts (criterion) and the whole on a real Kafka, each beside its bare floor
	cargo bench --no-default-features --bench codec
	cargo bench --no-default-features --bench formats
	cargo bench --bench meter
	cargo bench --no-default-features --bench memory
	cargo bench --bench harness

fuzz: ## Mutations of what others send, a minute a decoder (FUZZ_SECONDS, FUZZ_SEED, FUZZ_ONLY=ber,pack)
	CARGO_PROFILE_DEV_OPT_LEVEL=2 cargo test --no-default-features --test fuzz -- --ignored --nocapture

simulate: ## SEEDS=20000 seeded crashes of the whole, audited
	cargo run --release -- simulate --seeds $(SEEDS)

up: kafka clickhouse-engine ## A real Kafka (PORT=9092) and the ClickHouse engine (8123) in the foreground
	cargo build --bin tidegauge
	deploy/dev/up.sh $(PORT)

kafka:
	@deploy/dev/kafka-get.sh >/dev/null

contract: kafka clickhouse-engine checkers ## Schemathesis over the whole OpenAPI document against a running instance
	cargo build --bin tidegauge
	deploy/dev/contract.sh

helm: ## Helm into the cache, for tests/helm; needs Go, takes minutes the first time
	@if [ ! -x $(CACHE)/tools/helm ] && command -v go >/dev/null; then \
	GOBIN=$(CACHE)/tools timeout 900 go install helm.sh/helm/v3/cmd/helm@v3.18.6 \
	|| echo 'no Helm: tests/helm will say SKIPPED' >&2; fi

# Their test says SKIPPED where they are not to be had.
consumers:
	@deploy/dev/consumers-get.sh >/dev/null || true

checkers:
	@deploy/dev/checkers-get.sh >/dev/null || true

clickhouse-engine:
	@deploy/dev/clickhouse-get.sh >/dev/null
