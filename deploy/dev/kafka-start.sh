#!/usr/bin/env bash
# Runs Apache Kafka in the foreground: a real broker, or three, for tests and for trying things out.
#
# Two promises to whoever starts it. The process started IS the broker (this shell becomes java), so killing it,
# -9 included, kills the broker and nothing else; and the line "ready" on standard output means that the broker is
# registered and serves. Data stays in DIR: a second start with the same DIR and PORT goes on where the first ended.
#
#   deploy/dev/kafka-start.sh DIR PORT              one broker
#   deploy/dev/kafka-start.sh DIR PORT 3            three brokers, as children that die with this process
#   deploy/dev/kafka-start.sh DIR PORT 3 2          the second of three: for tests that kill them one by one
# DIR, PORT, NODES, NODE may also be given in the environment. All listen on 127.0.0.1 only:
# broker N (from 1) on PORT + 2(N-1), its controller on the port after that.
#   HEAP                                            java heap of a broker, default 512m
#   PROPERTIES                                      lines for the end of server.properties
#   FOR=measuring                                   slower to start, faster to run: for benchmarks
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-${DIR:?give the data directory as first argument}}
port=${2:-${PORT:?give the port as second argument}}
nodes=${3:-${NODES:-1}}
node=${4:-${NODE:-}}

fail() { echo "kafka-start: $*" >&2; exit 1; }
[[ $nodes == 1 || $nodes == 3 ]] || fail "NODES is $nodes: it must be 1 or 3"
[[ $nodes == 1 ]] && node=1
libs=$("$here/kafka-get.sh")

# Three at once, when no single one was asked for. The kernel kills the children however this process ends.
run_three() {
    mkdir -p "$dir"
    local lines=$dir/ready.$$ ready=0 brokers=() n
    mkfifo "$lines"
    exec 8<>"$lines"
    rm "$lines"
    for n in 1 2 3; do
        setpriv --pdeathsig KILL "${BASH_SOURCE[0]}" "$dir" "$port" 3 "$n" >&8 &
        brokers+=($!)
    done
    trap 'kill "${brokers[@]}" 2>/dev/null' TERM INT
    while ((ready < 3)); do
        if read -r -t 1 -u 8; then ready=$((ready + 1)); fi
        kill -0 "${brokers[@]}" 2>/dev/null || { kill "${brokers[@]}" 2>/dev/null; fail "a broker ended before all were ready"; }
    done
    echo ready
    wait || true # a signal ends this wait early; the brokers may need a moment more
    wait
}

# The broker's configuration: the template with the numbers of this node filled in.
configure() {
    local voters=() n
    for ((n = 1; n <= nodes; n++)); do voters+=("$n@127.0.0.1:$((port + 2 * n - 1))"); done
    sed -e "s|@NODE@|$node|g" -e "s|@DATA@|$home/data|g" \
        -e "s|@PORT@|$((port + 2 * node - 2))|g" -e "s|@CONTROLLER_PORT@|$((port + 2 * node - 1))|g" \
        -e "s|@VOTERS@|$(IFS=,; echo "${voters[*]}")|g" \
        -e "s|@REPLICAS@|$nodes|g" -e "s|@IN_SYNC@|$(((nodes + 1) / 2))|g" \
        "$here/kafka/server.properties.in" >"$home/server.properties"
    printf '%s\n' "${PROPERTIES:-}" >>"$home/server.properties"
}

# An empty data directory needs the cluster's identity written into it, once.
format() {
    [[ -f $home/data/meta.properties ]] || "${java[@]}" kafka.tools.StorageTool format \
        --cluster-id dGlkZWdhdWdlLWRldi0wMQ --config "$home/server.properties" >"$home/format.log" 2>&1 ||
        { cat "$home/format.log" >&2; fail "could not format $home/data"; }
}

# Says "ready" once the log, from where it ends now, tells that the server is up: a port that answers is not enough,
# a broker listens before it has registered. Gives up when the broker is gone; who started it may wait for this line before
# the end of the broker is collected, so one that is dead and not collected is gone too.
announce() {
    local broker=$1 from=$(($(stat -c %s "$log" 2>/dev/null || echo 0) + 1))
    while kill -0 "$broker" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$broker/status" 2>/dev/null; do
        if tail -c "+$from" "$log" 2>/dev/null | grep -q "Kafka Server started"; then echo ready; return; fi
        sleep 0.1
    done
}

if [[ -z $node ]]; then
    run_three
    exit
fi

home=$dir/node-$node
mkdir -p "$home"
home=$(cd "$home" && pwd)
log=$home/server.log
# Two brokers over one directory ruin its metadata before Kafka's own lock is tried. This lock passes to java and ends
# with it; the wait is for a predecessor that was killed this instant.
exec 7>"$home/lock"
flock -w 2 7 || fail "a broker is running over $home: stop it, or give another DIR"
# Started quickly before run fast: the C1 compiler alone and the serial collector suit seconds of life on few cores.
speed=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1)
[[ ${FOR:-} == measuring ]] && speed=(-XX:+UseG1GC -XX:MaxGCPauseMillis=20)
java=(java "-Xmx${HEAP:-512m}" -Xms128m "${speed[@]}" -XX:+ExitOnOutOfMemoryError
    -Djava.awt.headless=true "-Dlog4j2.configurationFile=$here/kafka/log4j2.xml" "-Dtidegauge.log=$log" -cp "$libs/*")
configure
format
(announce $$ 7>&- &) # a grandchild, so that the broker has no child to reap
exec "${java[@]}" kafka.Kafka "$home/server.properties" >&2
