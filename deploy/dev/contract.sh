#!/usr/bin/env bash
# Schemathesis over every operation of schemas/openapi.json, against the program as it runs on a real Kafka and the ClickHouse
# engine, with cards, a package, usage, an alert and a record in quarantine to ask for. All ends with this script.
#
# The same seed makes the same requests. What is asked of streams of events is their other form (tests/product/events.rs holds the
# streams); a drain comes last and alone, since after it nothing is folded any more.
#
#   deploy/dev/contract.sh         needs target/debug/tidegauge and what checkers-get.sh brings
#   SEED, EXAMPLES                 default 1, 30 examples an operation and phase
#   TIDEGAUGE_PROGRAM              another program, default target/debug/tidegauge
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
program=$(realpath "${TIDEGAUGE_PROGRAM:-${CARGO_TARGET_DIR:-target}/debug/tidegauge}")
checkers=$("$here/checkers-get.sh")
schemathesis=$checkers/bin/schemathesis
fail() { echo "contract: $*" >&2; exit 1; }
[[ -x $schemathesis ]] || { echo "SKIPPED: schemathesis is not here, see checkers-get.sh" >&2; exit 0; }

work=$(mktemp -d)
pids=()
stop() {
    ((${#pids[@]})) && kill "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# Waits for a process to say "ready", as ours and Kafka's script do.
ready() {
    local name=$1 line
    shift
    mkfifo "$work/$name"
    "$@" >"$work/$name" 2>"$work/$name.log" &
    pids+=($!)
    read -r line <"$work/$name" || true
    [[ $line == ready* ]] || { cat "$work/$name.log" >&2; fail "$name did not start"; }
    echo "${line#ready}"
}

kafka=$(free_port) api=$(free_port) clickhouse=$(free_port)
export TIDEGAUGE_DEPLOYMENT=contract TIDEGAUGE_KAFKA_REPLICATION=1 TIDEGAUGE_KAFKA_PARTITIONS=4 TIDEGAUGE_KAFKA_INSTANCE=contract
export TIDEGAUGE_KAFKA_BROKERS=127.0.0.1:$kafka TIDEGAUGE_CLICKHOUSE_URL=http://127.0.0.1:$clickhouse
export TIDEGAUGE_API_LISTEN=127.0.0.1:$api TIDEGAUGE_LOG_FORMAT=text
url=http://127.0.0.1:$api
HEAP=320m ready kafka deploy/dev/kafka-start.sh "$work/kafka.data" "$kafka"
ready clickhouse "$program" clickhouse --listen "127.0.0.1:$clickhouse" --data "$work/clickhouse.data"
cd "$work"
printf '[[feeds]]\nid = "one"\nformat = "1nce"\ncarrier = "east"\n' >tidegauge.toml
"$program" topics apply >/dev/null
"$program" migrate >/dev/null
"$program" run --new 2>"$work/run.log" &
run=$!
pids+=("$run")

# Looks until a question is answered as it should be.
until_says() {
    local path=$1 what=$2 look
    for ((look = 0; look < 600; look++)); do
        kill -0 "$run" 2>/dev/null || { cat "$work/run.log" >&2; fail "the instance has ended"; }
        curl -s "$url$path" | grep -q "$what" && return
        sleep 0.1
    done
    fail "$path does not come to say $what: $(curl -s "$url$path")"
}
until_says /health/ready '"ready":true'
"$program" catalogue apply "$here/../../src/demo/catalogue.toml" >/dev/null

card=8986001234567890123
send() {
    curl -sf -X "$1" "$url$2" -H 'Content-Type: application/json' -H 'Prefer: wait=30' -H "Idempotency-Key: $RANDOM$RANDOM" -d "$3" >/dev/null ||
        fail "$1 $2 $3"
}
now=$(date -u +%FT%TZ)
send POST /v1/cards "{\"card\":\"$card\",\"channel\":\"demo\",\"carrier\":\"east\",\"plan\":\"meter\",\"imsi\":\"460041234567890\"}"
send POST "/v1/cards/$card/recharges" "{\"order\":\"o-1\",\"channel\":\"demo\",\"mode\":\"immediate\",
    \"payment\":{\"provider\":\"p\",\"reference\":\"r\",\"paid_at\":\"$now\"},
    \"package\":{\"kind\":\"base\",\"quota\":\"500MiB\",\"validity\":{\"days\":30}}}"
usage() { echo "{\"iccid\":\"$card\",\"feed\":\"east-pgw\",\"id\":\"$1\",\"start\":\"$2\",\"end\":\"$2\",\"up\":48213,\"down\":300000000}"; }
# A package pays for usage from its purchase on.
{ usage 1 "$(date -u +%FT%TZ)"; usage 2 "$(date -u -d '-40 days' +%FT%TZ)"; } >usage.jsonl
"$program" ingest file --feed east-pgw usage.jsonl >/dev/null
until_says "/v1/cards/$card/events" alert.fired
until_says /v1/quarantine '"late"'
quarantined=$(curl -s "$url/v1/quarantine" | python3 -c 'import json, sys; print(json.load(sys.stdin)["records"][0]["id"])')

export SCHEMATHESIS_HOOKS=contract_hooks PYTHONPATH=$here CONTRACT_CARD=$card CONTRACT_QUARANTINED=$quarantined
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method
ask() {
    "$schemathesis" run "$url/openapi.json" --url "$url" --checks "$checks" --seed "${SEED:-1}" \
        --max-examples "${EXAMPLES:-30}" --request-timeout 60 --suppress-health-check all --no-color "$@" ||
        { tail -n 20 "$work/run.log" >&2; fail "the instance does not keep what schemas/openapi.json says"; }
}
ask --exclude-path /v1/drain
ask --include-path /v1/drain --max-examples 3
kill -0 "$run" || fail "the instance has ended"
! grep -i panicked "$work/run.log" || fail "something has panicked"
echo "contract: every operation answers as schemas/openapi.json says"
