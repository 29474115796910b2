#!/usr/bin/env bash
# save and load of an image of at least six layers and about 300 MB (files of this machine's /usr). Each loads the
# archive that it has saved itself, onto a store without the image; page cache warm.
source "$(dirname "$0")/lib.sh"
start_docker
start_podman
image=bench/archive:1

mkdir "$work/context"
index=0
{
    echo FROM scratch
    for source in /usr/bin /usr/lib/x86_64-linux-gnu /usr/lib/gcc /usr/share/perl /usr/share/doc /usr/sbin \
        /usr/include /usr/share/locale /usr/lib/python3; do
        [ -d "$source" ] || continue
        index=$((index + 1))
        mkdir "$work/context/$index"
        # About 48 MiB of each, whole files only.
        find "$source" -xdev -type f -size -8M -print0 2>/dev/null | sort -z | head -zn 4000 |
            tar -C / --null -T - -cf - 2>/dev/null | head -c 48M |
            tar -C "$work/context/$index" -xf - 2>/dev/null || true
        echo "COPY $index /$index"
    done
} >"$work/context/Dockerfile"
DOCKER_BUILDKIT=0 $docker_command build -q -t "$image" "$work/context" >/dev/null
$docker_command save -o "$work/docker.tar" "$image"
rm -rf "$work/context"
$podman_command load -q -i "$work/docker.tar" >/dev/null
"$berth" load -q -i "$work/docker.tar" >/dev/null
echo "$index layers, $(($(stat -c %s "$work/docker.tar") >> 20)) MiB"

sleep_for_inodes() { sleep 6; } # ext4 shuns inodes freed in the last seconds, which slows whoever comes next

for round in $(seq "${ROUNDS:-5}"); do
    rm -f "$work"/*.tar
    once berth "$berth" save -o "$work/berth.tar" "$image"
    once docker $docker_command save -o "$work/docker.tar" "$image"
    once podman $podman_command save -q -o "$work/podman.tar" "$image"
done
table "save of a multi-layer image" ms

for round in $(seq "${ROUNDS:-5}"); do
    "$berth" rmi -f "$image" >/dev/null
    sleep_for_inodes
    once berth /usr/bin/time -f %M -o "$work/peak" "$berth" load -q -i "$work/berth.tar"
    cp "$work/peak" "$work/berth-peak"
    $docker_command rmi -f "$image" >/dev/null
    sleep_for_inodes
    once docker $docker_command load -q -i "$work/docker.tar"
    $podman_command rmi -f "$image" >/dev/null
    sleep_for_inodes
    once podman $podman_command load -q -i "$work/podman.tar"
done
table "load of a multi-layer image" ms
echo "peak memory of berth's load: $(($(cat "$work/berth-peak") / 1024)) MiB"
