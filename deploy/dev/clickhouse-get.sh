#!/usr/bin/env bash
# Gets the ClickHouse engine as a library (libchdb.so) into the cache and prints its path, the only line on standard output.
#
# A file under that name is whole and checked: it arrives under another name, must have the SHA-256 below, and gets
# its name by one rename. A run that finds it does nothing; `--verify` reads it again (2 s).
# `tidegauge clickhouse` finds it there by itself.
#
#   deploy/dev/clickhouse-get.sh [--verify]     needs npm; x86-64 with AVX2 and glibc; 178 MB down, 566 MB on disk
#   TIDEGAUGE_CACHE                             where to keep it, default ~/.cache/tidegauge
set -euo pipefail

package=@chdb/lib-linux-x64-gnu
version=26.7.3-stable.1
sha256=36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5
cache=${TIDEGAUGE_CACHE:-$HOME/.cache/tidegauge}
target=$cache/libchdb-$version/libchdb.so

say() { echo "clickhouse-get: $*" >&2; }
fail() { say "$*"; exit 1; }
check() { echo "$sha256  $1" | sha256sum --check --status; }

# Fetches the package into $work. npm is silent without a terminal: the growth of its download tells how far it is.
download() {
    npm pack "$package@$version" --silent --cache "$work/npm" --pack-destination "$work" >"$work/log" 2>&1 &
    local npm=$!
    while kill -0 "$npm" 2>/dev/null; do
        sleep 1
        say "$(du -sm "$work" | cut -f1) MB (whole at 178, then npm packs its copy: 356)"
    done
    wait "$npm" || { cat "$work/log" >&2; fail "npm could not fetch $package@$version: see above, then run this again"; }
}

[[ $(uname -sm) == "Linux x86_64" ]] || fail "the library is for Linux on x86-64: elsewhere use deploy/compose.yaml"
grep -qm1 avx2 /proc/cpuinfo || fail "the library needs a processor with AVX2: use deploy/compose.yaml elsewhere"
mkdir -p "$cache"
exec 9>"$cache/libchdb.lock"
flock 9

if [[ ${1:-} == --verify && -f $target ]] && ! check "$target"; then
    say "$target is damaged: fetching it anew"
    rm "$target"
fi
if [[ ! -f $target ]]; then
    command -v npm >/dev/null || fail "no npm found: install it (Debian: npm), or use deploy/compose.yaml"
    work=$(mktemp -d "$cache/libchdb-get.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    say "fetching the ClickHouse engine $version, 178 MB"
    download
    say "unpacking and checking 566 MB"
    tar -xzf "$work"/*.tgz -C "$work" package/libchdb.so
    check "$work/package/libchdb.so" || fail "the library does not have the SHA-256 of this script: nothing was kept"
    mkdir -p "$(dirname "$target")"
    mv "$work/package/libchdb.so" "$target"
fi
echo "$target"
