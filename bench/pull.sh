#!/usr/bin/env bash
# Pull of an image of at least six layers and 300 to 400 MB from a registry on loopback, gzip, onto a store without it;
# then the same until its first program has run; then in a cgroup of 64 MiB.
source "$(dirname "$0")/lib.sh"
stores_in_memory
start_docker
start_podman
start_registry
image=$registry/bench/multi:1
make_image "$image"
$docker_command push -q "$image" >/dev/null
echo "$(du -sm "$work/registry" | cut -f1) MiB in the registry"

forget() {
    "$berth" rmi -f "$image" >/dev/null 2>&1 || true
    $docker_command rmi -f "$image" >/dev/null 2>&1 || true
    $podman_command rmi -f "$image" >/dev/null 2>&1 || true
}

for round in $(seq "${ROUNDS:-5}"); do
    forget
    once berth "$berth" pull -q "$image"
    once docker $docker_command pull -q "$image"
    once podman $podman_command pull -q --tls-verify=false "$image"
done
table "pull of a multi-layer image, cold store" ms

for round in $(seq "${ROUNDS:-5}"); do
    forget
    once berth "$berth" run --rm --network none "$image" true
    once docker $docker_command run --rm --network none "$image" true
    once podman $podman_command run --rm --network none --tls-verify=false "$image" true
done
table "pull and run of true, cold store" ms

# Page cache counts there, too, but can be taken back; what berth holds itself cannot.
group=/sys/fs/cgroup/memory/${work##*/}-pull
if mkdir "$group" 2>/dev/null; then
    echo $((64 << 20)) >"$group/memory.limit_in_bytes"
    sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$group" "$berth" --root "$work/on-disk" pull -q "$image" >/dev/null
    echo "berth pull in a cgroup of 64 MiB: done, $(sed -n 's/^total_rss //p' "$group/memory.stat") bytes held after it, OOM kills: $(sed -n 's/^oom_kill //p' "$group/memory.oom_control")"
    echo 0 >"$group/memory.force_empty" 2>/dev/null || true
    rmdir "$group"
fi
