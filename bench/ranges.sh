#!/usr/bin/env bash
# Pull of an image with one layer of about 100 MB from a registry that gives each connection its share only: RATE bytes
# a second, 8 MiB by default. OLD names a berth to compare with.
source "$(dirname "$0")/lib.sh"
stores_in_memory
start_docker
start_podman
start_registry
image=$registry/bench/large:1
mkdir "$work/context"
head -c 100M /dev/urandom >"$work/context/large"
printf 'FROM scratch\nCOPY large /\n' >"$work/context/Dockerfile"
DOCKER_BUILDKIT=0 $docker_command build -q -t "$image" "$work/context" >/dev/null
$docker_command push -q "$image" >/dev/null
$docker_command rmi -f "$image" >/dev/null

# It needs nothing but the standard library.
rustc -O --edition 2024 -o "$work/slow-proxy" tests/testkit/examples/slow-proxy.rs
"$work/slow-proxy" "$registry" "${RATE:-$((8 << 20))}" >"$work/proxy" &
started+=($!)
until [ -s "$work/proxy" ]; do sleep 0.01; done
image=$(cat "$work/proxy")/bench/large:1

for round in $(seq "${ROUNDS:-5}"); do
    for command in "$berth" ${OLD:+"$OLD"} "$docker_command" "$podman_command"; do
        $command rmi -f "$image" >/dev/null 2>&1 || true
    done
    once berth "$berth" pull -q "$image"
    "$berth" rmi -f "$image" >/dev/null
    [ -z "${OLD:-}" ] || once old "$OLD" pull -q "$image"
    once docker $docker_command pull -q "$image"
    once podman $podman_command pull -q --tls-verify=false "$image"
done
table "pull of one large layer, ${RATE:-$((8 << 20))} bytes a second for each connection" ms
