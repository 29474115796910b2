#!/usr/bin/env bash
# The daemon beside dockerd, both with their default bridge, in one network namespace of this script: docker's own
# command against each, requests over one kept connection, the first answer, memory. podman takes part by its own
# command only: its service gives containers limits that not every root may raise.
if [ "$(id -u)" = 0 ] && [ -z "${BERTH_BENCH_NETNS:-}" ]; then
    exec unshare --net env BERTH_BENCH_NETNS=1 bash "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
containers=${CONTAINERS:-100}
most=${MOST:-1000}
way_out
make_rootfs
docker_network=(--iptables=true)
start_docker
start_podman
socket() { echo "$work/$1.sock"; }
start_berth() {
    "$berth" daemon -H "unix://$work/berth.sock" >"$work/berthd.log" 2>&1 &
    berth_daemon=$!
    started+=($!)
    until curl -s -o "$work/ping" --unix-socket "$work/berth.sock" http://localhost/_ping; do sleep 0.002; done
}

# The first answer, with nothing to take up. The second dockerd has a network namespace of its own: it would take the
# first one's bridge away.
first_answers() {
    local round begin pid
    for round in $(seq "$rounds"); do
        begin=$(date +%s%N)
        start_berth
        sample berth $((($(date +%s%N) - begin) / 1000))e-3
        kill "$berth_daemon" && wait "$berth_daemon" || true
        begin=$(date +%s%N)
        unshare --net dockerd --host "unix://$work/second.sock" --data-root "$work/second" --exec-root "$work/second-run" \
            --pidfile "$work/second.pid" --iptables=false --bridge=none >"$work/second.log" 2>&1 &
        pid=$!
        until curl -s -o "$work/ping" --unix-socket "$work/second.sock" http://localhost/_ping; do sleep 0.002; done
        sample dockerd $((($(date +%s%N) - begin) / 1000))e-3
        kill "$pid" && wait "$pid" || true
    done
    table "start to first answer" ms
}
first_answers
start_berth
$podman_command import "$work/rootfs.tar" bench:1 >/dev/null 2>&1
# Memory of an idle daemon: its proportional share, with the processes below it.
below() { local pid; for pid; do echo "$pid"; below $(cat /proc/"$pid"/task/*/children 2>/dev/null); done; }
memory() { share $(below "$@"); }
share() { local pid total=0; for pid; do total=$((total + $(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup" 2>/dev/null || echo 0))); done; echo "$total"; }
at_rest=12 # seconds without a connection, after which berth gives back what it can
sleep $at_rest
sample berth "$(memory "$berth_daemon")"
sample dockerd "$(memory "$(cat "$work/docker.pid")")"
idle=$(memory "$berth_daemon")
table "memory of an idle daemon" KiB

for name in berth docker; do
    docker -H "unix://$(socket $name)" import "$work/rootfs.tar" bench:1 >/dev/null
    declare "by_$name=docker -H unix://$(socket $name)"
done

run="run --rm bench:1 true"
race "berth=$by_berth $run" "docker=$by_docker $run"
table "docker run --rm IMAGE true, through docker's command, default network" ms
race "berth=$berth $run" "docker=$by_docker $run" "podman=$podman_command $run"
table "run --rm IMAGE true, each by its own command, default network" ms

run="run -d bench:1 sleep 1000"
rounds=2 race "berth=$by_berth $run" "docker=$by_docker $run"
table "docker run -d IMAGE sleep, through docker's command" ms
for name in berth docker; do
    by=by_$name
    for id in $(${!by} ps -q); do once "$name" ${!by} rm -f "$id"; done
done
table "docker rm -f CONTAINER, through docker's command" ms

for by in by_berth by_docker; do ${!by} run -d --name idle bench:1 sleep 1000 >/dev/null; done
sockets=("berth=$(socket berth)" "docker=$(socket docker)")
python3 bench/requests.py "${sockets[@]}" exec 100 >>"$work/samples"
table "exec of true over the API, without a command" ms
python3 bench/requests.py "${sockets[@]}" /_ping 2000 >>"$work/samples"
table "GET /_ping" ms
for by in by_berth by_docker; do ${!by} rm -f idle >/dev/null; done

# Many: one after the other by the engine's own command, listed, and removed by one command.
many() { local n; for n in $(seq "$containers"); do "$@" run -d bench:1 sleep 1000 >/dev/null; done; }
once berth many "$berth"
once docker many $by_docker
table "$containers containers, one after the other, by the engine's own command" ms
python3 bench/requests.py "${sockets[@]}" "/containers/json?all=1" 300 >>"$work/samples"
table "GET /containers/json?all=1 with $containers containers" ms
sleep $at_rest
monitors=$(jq -r .shim_pid "$work"/run/tasks/*/pid.json)
# Without the containers' own programs, which are below the monitors.
grown=$(($(share $monitors) + $(memory "$berth_daemon") - idle))
sample berth $((grown / containers))
table "memory for each idle container, the daemon's growth included" KiB
once berth sh -c '"$1" rm -f $("$1" ps -q) >/dev/null' sh "$berth"
once docker sh -c "$by_docker rm -f \$($by_docker ps -q) >/dev/null"
table "all removed by one command" ms

# As many as nobody starts with docker here, without a peer: by the engine's own command, then a daemon that finds them.
kill "$berth_daemon" && wait "$berth_daemon" || true
containers=$most
once berth many "$berth"
table "$most containers, one after the other, by the engine's own command" ms
begin=$(date +%s%N)
start_berth
sample berth $((($(date +%s%N) - begin) / 1000))e-3
table "start to first answer with $most containers" ms
for path in "/containers/json?all=1" /_ping; do
    python3 bench/requests.py "berth=$(socket berth)" "$path" 100 >>"$work/samples"
    table "GET $path with $most containers" ms
done
once berth "$berth" ps -aq
table "ps -aq of $most containers by the engine's own command" ms
sleep $at_rest
sample berth "$(memory "$berth_daemon")"
table "memory of the daemon with $most containers" KiB
once berth sh -c '"$1" rm -f $("$1" ps -q) >/dev/null' sh "$berth"
table "all $most removed by one command" ms
