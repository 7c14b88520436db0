#!/usr/bin/env bash
# Gets Apache Kafka into the cache and prints the directory of its jars, the only line on standard output.
#
# A directory under that name is whole and checked: jars arrive in a directory of another name, must match
# kafka/SHA256SUMS to the last one, and get the name by one rename. So a run that was killed leaves nothing that
# a later run takes for Kafka, and a run that finds the directory does nothing.
#
#   deploy/dev/kafka-get.sh            needs Maven and a JDK of 17 or newer
#   TIDEGAUGE_CACHE                    where to keep it, default ~/.cache/tidegauge
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${TIDEGAUGE_CACHE:-$HOME/.cache/tidegauge}
target=$cache/kafka-4.4.0

say() { echo "kafka-get: $*" >&2; }
fail() { say "$*"; exit 1; }

command -v java >/dev/null || fail "no java found: install a JDK of 17 or newer (Debian: openjdk-17-jdk-headless)"
mkdir -p "$cache"
# Tests of several binaries ask at once: the first fetches, the others wait for it.
exec 9>"$cache/kafka.lock"
flock 9

if [[ ! -d $target ]]; then
    command -v mvn >/dev/null || fail "no mvn found: install Maven (Debian: maven), or use deploy/compose.yaml"
    work=$(mktemp -d "$cache/kafka-get.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cp "$here/kafka/pom.xml" "$work/pom.xml"
    say "fetching Apache Kafka 4.4.0, 46 jars, 44 MB"
    # Maven says each file it downloads; of that only the count is of interest. Its whole log is kept for failures.
    mvn --batch-mode -f "$work/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$work/libs" 2>&1 | tee "$work/log" |
        awk '/ Downloaded from .*\.jar / { if (++files % 20 == 0) print "kafka-get: " files " files" > "/dev/stderr" }' ||
        { grep -m 5 ERROR "$work/log" >&2; fail "Maven could not fetch Kafka: see above, then run this again"; }
    (cd "$work/libs" && sha256sum --check --quiet --strict "$here/kafka/SHA256SUMS" >&2) ||
        fail "the jars are not those of kafka/SHA256SUMS: nothing was kept"
    mv "$work/libs" "$target"
    say "done: $(du -sm "$target" | cut -f1) MB in $target"
fi
echo "$target"
