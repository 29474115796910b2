#!/usr/bin/env bash
# Pull of an image of eight layers (files of this machine's /usr) from a registry on loopback, gzip, cold store.
source "$(dirname "$0")/lib.sh"
start_docker
start_registry
image=$registry/bench/multi:1

mkdir "$work/context"
index=0
{
    echo FROM scratch
    for source in /usr/bin /usr/lib/x86_64-linux-gnu /usr/share/perl /usr/share/doc /usr/sbin /usr/include \
        /usr/share/locale /usr/lib/python3; do
        [ -d "$source" ] || continue
        index=$((index + 1))
        mkdir "$work/context/$index"
        # About 64 MiB of each, whole files only.
        find "$source" -xdev -type f -size -4M -print0 2>/dev/null | sort -z | head -zn 4000 |
            tar -C / --null -T - -cf - 2>/dev/null | head -c 64M |
            tar -C "$work/context/$index" -xf - 2>/dev/null || true
        echo "COPY $index /$index"
    done
} >"$work/context/Dockerfile"
DOCKER_BUILDKIT=0 $docker_command build -q -t "$image" "$work/context" >/dev/null
$docker_command push -q "$image" >/dev/null
echo "$index layers, $(du -sm "$work/context" | cut -f1) MiB unpacked, $(du -sm "$work/registry" | cut -f1) MiB in the registry"
mkdir -p "$work/root"

for round in $(seq "${ROUNDS:-5}"); do
    "$berth" rmi -f "$image" >/dev/null 2>&1 || true
    sleep 6 # ext4 shuns inodes freed in the last seconds, which slows whoever comes next
    once berth "$berth" pull -q "$image"
    $docker_command rmi -f "$image" >/dev/null
    sleep 6
    once docker $docker_command pull -q "$image"
done
table "pull of a multi-layer image, cold store" ms
