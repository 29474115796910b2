#!/usr/bin/env bash
# Push of an image of six layers of 50 MB, half of them noise, to an empty registry on loopback. Each contender has
# the image as it keeps images: docker and podman unpacked, so that they compress as they push; berth as blobs.
source "$(dirname "$0")/lib.sh"
start_docker
start_podman
name=bench/six:1

mkdir "$work/context"
{
    echo FROM scratch
    for layer in 1 2 3 4 5 6; do
        mkdir "$work/context/$layer"
        for file in 1 2 3 4 5; do
            { head -c 5M /dev/urandom; yes "layer $layer, file $file" | head -c 5M; } >"$work/context/$layer/$file" || true
        done
        echo "COPY $layer /$layer"
    done
} >"$work/context/Dockerfile"
DOCKER_BUILDKIT=0 $docker_command build -q -t "$name" "$work/context" >/dev/null
$docker_command save -o "$work/six.tar" "$name"
"$berth" load -q -i "$work/six.tar" >/dev/null
$podman_command load -q -i "$work/six.tar" >/dev/null
podman_image=$($podman_command images -q | head -n 1)
echo "six layers, $(du -sm "$work/context" | cut -f1) MiB unpacked"

# fresh: a registry that has nothing; its content goes with it.
fresh() {
    if [ -n "${registry:-}" ]; then
        kill "${started[-1]}"
        wait "${started[-1]}" 2>/dev/null || true
        unset 'started[-1]'
        rm -rf "$work/registry"
    fi
    start_registry
    image=$registry/$name
    sync
}

for round in $(seq "${ROUNDS:-5}"); do
    fresh
    "$berth" tag "$name" "$image"
    once berth "$berth" push -q "$image"
    fresh
    $docker_command tag "$name" "$image"
    once docker $docker_command push -q "$image"
    fresh
    once podman $podman_command push -q --tls-verify=false "$podman_image" "docker://$image"
done
table "push of a multi-layer image, empty registry" ms
