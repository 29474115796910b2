#!/usr/bin/env bash
# Look-ups of a container's name in a user network, by a program in another container's network namespace: berth's resolver
# beside dockerd's, in turn, in one network namespace of this script.
if [ "$(id -u)" = 0 ] && [ -z "${BERTH_BENCH_NETNS:-}" ]; then
    exec unshare --net env BERTH_BENCH_NETNS=1 bash "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
count=${COUNT:-20000}
ip link set lo up
cargo build -q --locked --release -p testkit --example questions
questions=$target/release/examples/questions
make_rootfs
docker_network=(--iptables=true)
start_docker
$docker_command import "$work/rootfs.tar" bench:1 >/dev/null
"$berth" import "$work/rootfs.tar" bench:1 >/dev/null
for engine in "$berth" "$docker_command"; do
    $engine network create bench-names >/dev/null
    for name in web asks; do
        $engine run -d --network bench-names --name "$name" bench:1 sleep 10000 >/dev/null
    done
done
pid_of() { $1 inspect -f '{{.State.Pid}}' asks; }

# What 32 at once take, and one after the other: 10,000 look-ups a second are asked for.
for at_once in 32 1; do
    for round in $(seq "$rounds"); do
        for name in berth dockerd; do
            case $name in berth) engine=$berth ;; *) engine=$docker_command ;; esac
            read -r rate median high lost < <(
                nsenter --net="/proc/$(pid_of "$engine")/ns/net" "$questions" 127.0.0.11:53 web "$count" "$at_once"
            )
            printf '%s\t%s\n' "$name" "$rate" >>"$work/rates"
            printf '%s\t%s\n' "$name" "$median" >>"$work/medians"
            printf '%s\t%s\n' "$name" "$high" >>"$work/highs"
            printf '%s\t%s\n' "$name" "$lost" >>"$work/losses"
        done
    done
    for what in "rates look-ups/s" "medians µs" "highs µs" "losses questions"; do
        mv "$work/${what%% *}" "$work/samples"
        table "$at_once at once: ${what%% *}" "${what#* }"
    done
done

resolver=$(pgrep -f -- "--run-dir $BERTH_RUN_DIR.* internal network$")
echo "berth's resolver: $(awk '/^Pss:/ {print $2}' "/proc/$resolver/smaps_rollup") KiB (PSS)"
