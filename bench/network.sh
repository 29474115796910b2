#!/usr/bin/env bash
# What a network costs, in one network namespace of this script: a container's start, many ports, bytes and connections,
# beside docker's bridge (with its proxy), podman's netavark, and a pair of devices in a bridge without any engine.
if [ "$(id -u)" = 0 ] && [ -z "${BERTH_BENCH_NETNS:-}" ]; then
    exec unshare --net --mount env BERTH_BENCH_NETNS=1 bash "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
pairs=${PAIRS:-10}
ports=${PORTS:-500}
# Names of namespaces are seen by this script alone.
mkdir -p /run/netns && mount -t tmpfs berth-bench /run/netns
way_out
make_rootfs
docker_network=(--iptables=true)
start_docker
start_podman
declare -A engine=([berth]=$berth [docker]=$docker_command [podman]=$podman_command)
for name in "${!engine[@]}"; do ${engine[$name]} import "$work/rootfs.tar" bench:1 >/dev/null 2>&1; done

# The network's share of a container's life: with the default network, less without one.
for round in $(seq "$rounds"); do
    for name in berth docker podman; do
        run="${engine[$name]} run --rm"
        hyperfine -N --warmup 1 --runs "$runs" --export-json "$work/race.json" \
            "$run bench:1 true" "$run --network none bench:1 true" >"$work/hyperfine.log" 2>&1
        sample "$name" "$(jq '(.results[0].median - .results[1].median) * 1000' "$work/race.json")"
    done
done
table "the default network's share of run --rm IMAGE true" ms

# Many published ports, less the same without: one range. Docker starts a process for each.
begun_in() { # COMMAND [-p PORTS]: ns of its start
    local command=$1 begin id
    shift
    begin=$(date +%s%N)
    id=$($command run -d "$@" bench:1 sleep 1000)
    echo $(($(date +%s%N) - begin))
    $command rm -f "$id" >/dev/null
}
cost() {
    local range=20000-$((19999 + ports)) with
    with=$(begun_in "${engine[$1]}" -p "$range:$range")
    sample "$1" $(((with - $(begun_in "${engine[$1]}")) / 1000))e-3
}
for round in $(seq "$rounds"); do cost berth; done
cost docker
table "$ports published ports of one container, without its start" ms

# Two places each, a server's and a client's: engines' containers, and namespaces with nothing but devices in a bridge.
# Where the host reaches the server: published, or without an engine straight in its namespace.
contenders=(bare berth docker)
declare -A server=([bare]=/run/netns/bare2) client=([bare]=/run/netns/bare3) address=([bare]=198.51.100.2)
declare -A host=([bare]="198.51.100.2 5201 8080" [berth]="192.0.2.1 5000 5080" [docker]="192.0.2.1 6000 6080")
ip link add bare0 type bridge && ip addr add 198.51.100.1/24 dev bare0 && ip link set bare0 up
for n in 2 3; do
    ip netns add "bare$n"
    ip link add "bare$n" type veth peer name eth0 netns "bare$n"
    ip link set "bare$n" master bare0 up
    ip -n "bare$n" addr add "198.51.100.$n/24" dev eth0
    for device in eth0 lo; do ip -n "bare$n" link set "$device" up; done
    ip -n "bare$n" route add default via 198.51.100.1
done
for name in berth docker; do
    read -r _ stream web <<<"${host[$name]}"
    ${engine[$name]} network create bench >/dev/null
    run="${engine[$name]} run -d --network bench"
    $run --name server -p "$stream:5201" -p "$web:8080" bench:1 sleep 10000 >/dev/null
    $run --name client bench:1 sleep 10000 >/dev/null
    look="${engine[$name]} inspect -f"
    server[$name]=/proc/$($look '{{.State.Pid}}' server)/ns/net
    client[$name]=/proc/$($look '{{.State.Pid}}' client)/ns/net
    address[$name]=$($look '{{.NetworkSettings.Networks.bench.IPAddress}}' server)
done
for name in "${contenders[@]}"; do
    cat >"$work/nginx-$name.conf" <<CONF
daemon off; pid $work/nginx-$name.pid; error_log $work/nginx-$name.log; worker_processes 1;
events { worker_connections 1024; }
http { access_log off; server { listen 8080 backlog=4096; location / { return 200 "hello\n"; } } }
CONF
    nsenter --net="${server[$name]}" iperf3 -s >"$work/iperf-$name.log" 2>&1 & started+=($!)
    nsenter --net="${server[$name]}" nginx -c "$work/nginx-$name.conf" >"$work/nginx-$name.out" 2>&1 & started+=($!)
done
sleep 1

# stream COMMAND…: what one TCP stream takes, Gbit/s.
stream() { "$@" -J -t 1 | jq '.end.sum_received.bits_per_second / 1e9'; }
for round in $(seq "$pairs"); do
    for name in "${contenders[@]}"; do
        sample "$name" "$(stream nsenter --net="${client[$name]}" iperf3 -c "${address[$name]}")"
    done
done
table "container to container, one TCP stream" Gbit/s
for round in $(seq "$pairs"); do
    for name in "${contenders[@]}"; do
        read -r at port _ <<<"${host[$name]}"
        sample "$name" "$(stream iperf3 -c "$at" -p "$port")"
    done
done
table "host to published port, one TCP stream" Gbit/s

# requests TITLE CONNECTION: how many a second, and how long the slowest hundredth takes.
requests() {
    local round name at port
    for round in $(seq "$pairs"); do
        for name in "${contenders[@]}"; do
            read -r at _ port <<<"${host[$name]}"
            wrk -t 1 -c 8 -d 1 --latency -H "Connection: $2" "http://$at:$port/" >"$work/wrk.log"
            awk -v name="$name" '/^Requests\/sec/ {print name "\t" $2}' "$work/wrk.log" >>"$work/rates"
            awk -v name="$name" '$1 == "99%" {
                unit = $2 ~ /us$/ ? 0.001 : $2 ~ /ms$/ ? 1 : 1000
                print name "\t" $2 * unit
            }' "$work/wrk.log" >>"$work/highs"
        done
    done
    mv "$work/rates" "$work/samples" && table "$1" 1/s
    mv "$work/highs" "$work/samples" && table "$1, p99" ms
}
requests "requests through a published port, kept connections" keep-alive
requests "connections through a published port" close
