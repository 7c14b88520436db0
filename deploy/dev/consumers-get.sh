#!/usr/bin/env bash
# The Kafka clients that docs/consume speaks of, for the test that runs it: Python's and Node's, once, into the cache.
# Java's comes with Kafka (kafka-get.sh), Rust's is this project's own. Prints the folder.
#
#   TIDEGAUGE_CACHE    where everything that is fetched lies, default ~/.cache/tidegauge
# Without python3 or npm that language is left out, and the test says SKIPPED.
set -euo pipefail

folder=${TIDEGAUGE_CACHE:-$HOME/.cache/tidegauge}/consumers-1
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9

if [[ ! -e $folder/python.done ]] && command -v python3 >/dev/null; then
    rm -rf "$folder/python"
    python3 -m venv "$folder/python" >&2 && "$folder/python/bin/pip" install -q "confluent-kafka==2.15.0" >&2 &&
        touch "$folder/python.done" || echo "consumers-get: no client for Python" >&2
fi
if [[ ! -e $folder/node.done ]] && command -v npm >/dev/null; then
    mkdir -p "$folder/node"
    echo '{"private": true, "dependencies": {"@platformatic/kafka": "1.35.0"}}' >"$folder/node/package.json"
    npm install --prefix "$folder/node" --no-audit --no-fund --loglevel=error >&2 &&
        touch "$folder/node.done" || echo "consumers-get: no client for Node" >&2
fi
echo "$folder"
