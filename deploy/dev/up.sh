#!/usr/bin/env bash
# A real Kafka and the ClickHouse engine in the foreground, for development: Ctrl-C ends both. Data stay in .dev/.
#
#   deploy/dev/up.sh [KAFKA_PORT] [CLICKHOUSE_PORT]     defaults 9092 and 8123
set -euo pipefail
cd "$(dirname "$0")/../.."
kafka_port=${1:-9092} clickhouse_port=${2:-8123}
mkdir -p .dev
pids=()
stop() { kill "${pids[@]}" 2>/dev/null || true; wait; }
trap stop EXIT
trap 'exit 0' INT TERM

deploy/dev/kafka-start.sh .dev/kafka "$kafka_port" &
pids+=($!)
target/debug/tidegauge clickhouse --listen "127.0.0.1:$clickhouse_port" --data .dev/clickhouse &
pids+=($!)
echo "up: Kafka 127.0.0.1:$kafka_port, ClickHouse http://127.0.0.1:$clickhouse_port; Ctrl-C ends both" >&2
wait -n
echo "up: one of the two has ended, see above" >&2
exit 1
