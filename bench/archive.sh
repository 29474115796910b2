#!/usr/bin/env bash
# save and load of an image of at least six layers and 300 to 400 MB (files of this machine's /usr). Each loads the
# archive that it has saved itself, onto a store without the image; page cache warm.
source "$(dirname "$0")/lib.sh"
stores_in_memory
start_docker
start_podman
image=bench/archive:1

make_image "$image"
$docker_command save -o "$work/docker.tar" "$image"
$podman_command load -q -i "$work/docker.tar" >/dev/null
"$berth" load -q -i "$work/docker.tar" >/dev/null

for round in $(seq "${ROUNDS:-5}"); do
    rm -f "$work"/*.tar
    once berth "$berth" save -o "$work/berth.tar" "$image"
    once docker $docker_command save -o "$work/docker.tar" "$image"
    once podman $podman_command save -q -o "$work/podman.tar" "$image"
done
table "save of a multi-layer image" ms

for round in $(seq "${ROUNDS:-5}"); do
    "$berth" rmi -f "$image" >/dev/null
    once berth /usr/bin/time -f %M -o "$work/peak" "$berth" load -q -i "$work/berth.tar"
    cp "$work/peak" "$work/berth-peak"
    $docker_command rmi -f "$image" >/dev/null
    once docker $docker_command load -q -i "$work/docker.tar"
    $podman_command rmi -f "$image" >/dev/null
    once podman $podman_command load -q -i "$work/podman.tar"
done
table "load of a multi-layer image" ms
echo "peak memory of berth's load: $(($(cat "$work/berth-peak") / 1024)) MiB"
