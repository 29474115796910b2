#!/usr/bin/env bash
# What a network costs, in one network namespace of this script: a container's start, many ports, bytes and connections,
# beside docker's bridge (with its proxy), podman's netavark, and a pair of devices in a bridge without any engine.
if [ "$(id -u)" = 0 ] && [ -z "${BERTH_BENCH_NETNS:-}" ]; then
    exec unshare --net --mount env BERTH_BENCH_NETNS=1 bash "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
pairs=${PAIRS:-10}
ports=${PORTS:-500}
mount -t tmpfs berth-bench /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs berth-bench /run/netns; }
ip link set lo up
# Podman wants a way out, if only to nowhere.
ip link add nowhere type veth peer name nobody && ip addr add 192.0.2.1/24 dev nowhere && ip link set nobody up && ip link set nowhere up && ip route add default via 192.0.2.2
make_rootfs
docker_network=(--iptables=true)
start_docker
start_podman
for engine in "$berth" "$docker_command" "$podman_command"; do $engine import "$work/rootfs.tar" bench:1 >/dev/null 2>&1; done

# The network's share of a container's life: with the default network, less without one.
for round in $(seq "$rounds"); do
    for name in berth docker podman; do
        case $name in berth) engine=$berth ;; docker) engine=$docker_command ;; podman) engine=$podman_command ;; esac
        hyperfine -N --warmup 1 --runs "$runs" --export-json "$work/race.json" \
            "$engine run --rm bench:1 true" "$engine run --rm --network none bench:1 true" >"$work/hyperfine.log" 2>&1
        sample "$name" "$(jq '(.results[0].median - .results[1].median) * 1000' "$work/race.json")"
    done
done
table "the default network's share of run --rm IMAGE true" ms

# Many published ports, less the same without: one range. Docker starts a process for each.
many() { $1 run -d ${2:+-p $2} bench:1 sleep 1000; }
cost() { # NAME COMMAND
    local begin with without id
    begin=$(date +%s%N) && id=$(many "$2" "20000-$((19999 + ports)):20000-$((19999 + ports))") && with=$(($(date +%s%N) - begin))
    $2 rm -f "$id" >/dev/null
    begin=$(date +%s%N) && id=$(many "$2" "") && without=$(($(date +%s%N) - begin))
    $2 rm -f "$id" >/dev/null
    sample "$1" $(((with - without) / 1000))e-3
}
for round in $(seq "$rounds"); do cost berth "$berth"; done
cost docker "$docker_command"
table "$ports published ports of one container, without its start" ms

# Two places each: engines' containers, and namespaces with nothing but devices in a bridge.
ip link add bare0 type bridge && ip addr add 198.51.100.1/24 dev bare0 && ip link set bare0 up
for n in 2 3; do
    ip netns add "bare$n"
    ip link add "bare$n" type veth peer name eth0 netns "bare$n"
    ip link set "bare$n" master bare0 up
    ip -n "bare$n" addr add "198.51.100.$n/24" dev eth0 && ip -n "bare$n" link set eth0 up && ip -n "bare$n" link set lo up
    ip -n "bare$n" route add default via 198.51.100.1
done
for name in berth docker; do
    case $name in berth) engine=$berth ;; docker) engine=$docker_command ;; esac
    $engine network create bench >/dev/null
    case $name in berth) port_berth=5000 ;; docker) port_docker=6000 ;; esac
    port=port_$name
    $engine run -d --network bench --name server -p "${!port}:5201" -p "$((${!port} + 80)):8080" bench:1 sleep 10000 >/dev/null
    $engine run -d --network bench --name client bench:1 sleep 10000 >/dev/null
    declare "server_$name=/proc/$($engine inspect -f '{{.State.Pid}}' server)/ns/net"
    declare "client_$name=/proc/$($engine inspect -f '{{.State.Pid}}' client)/ns/net"
    declare "address_$name=$($engine inspect -f '{{.NetworkSettings.Networks.bench.IPAddress}}' server)"
done
server_bare=/run/netns/bare2 client_bare=/run/netns/bare3 address_bare=198.51.100.2
cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx-PLACE.pid; error_log $work/nginx.log; worker_processes 1;
events { worker_connections 1024; }
http { access_log off; server { listen 8080 backlog=4096; location / { return 200 "hello\n"; } } }
CONF
for name in bare berth docker; do
    server=server_$name
    sed "s/PLACE/$name/" "$work/nginx.conf" >"$work/nginx-$name.conf"
    nsenter --net="${!server}" iperf3 -s >"$work/iperf-$name.log" 2>&1 & started+=($!)
    nsenter --net="${!server}" nginx -c "$work/nginx-$name.conf" >"$work/nginx-$name.log" 2>&1 & started+=($!)
done
sleep 1
contenders=(bare berth docker)
bytes() { iperf3 -J -t 1 "$@" | jq '.end.sum_received.bits_per_second / 1e9'; }
for round in $(seq "$pairs"); do
    for name in "${contenders[@]}"; do
        client=client_$name address=address_$name
        sample "$name" "$(nsenter --net="${!client}" iperf3 -J -t 1 -c "${!address}" | jq '.end.sum_received.bits_per_second / 1e9')"
    done
done
table "container to container, one TCP stream" Gbit/s

# From the host, by the host's address: published, or without an engine straight to the namespace.
published() { # NAME: address and ports
    case $1 in bare) echo "$address_bare 5201 8080" ;; berth) echo "192.0.2.1 $port_berth $((port_berth + 80))" ;; docker) echo "192.0.2.1 $port_docker $((port_docker + 80))" ;; esac
}
for round in $(seq "$pairs"); do
    for name in "${contenders[@]}"; do
        read -r address port _ < <(published "$name")
        sample "$name" "$(bytes -c "$address" -p "$port")"
    done
done
table "host to published port, one TCP stream" Gbit/s
for what in "keep-alive" "close"; do
    for round in $(seq "$pairs"); do
        for name in "${contenders[@]}"; do
            read -r address _ port < <(published "$name")
            wrk -t 1 -c 8 -d 1 --latency -H "Connection: $what" "http://$address:$port/" >"$work/wrk.log"
            awk '/^Requests\/sec/ {print $2}' "$work/wrk.log" >"$work/rate"
            printf '%s\t%s\n' "$name" "$(cat "$work/rate")" >>"$work/rates"
            printf '%s\t%s\n' "$name" "$(awk '$1 == "99%" {v = $2; if (v ~ /us$/) print v / 1000; else if (v ~ /ms$/) print v + 0; else print v * 1000}' "$work/wrk.log")" >>"$work/highs"
        done
    done
    case $what in close) title="connections through a published port" ;; *) title="requests through a published port, kept connections" ;; esac
    mv "$work/rates" "$work/samples" && table "$title" 1/s
    mv "$work/highs" "$work/samples" && table "$title, p99" ms
done
