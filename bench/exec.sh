#!/usr/bin/env bash
# OCI runtimes: `exec` of `true` into a container that runs, from the command's start to its end.
source "$(dirname "$0")/lib.sh"
make_rootfs
make_bundle /bin/sleep 1000
find_runtimes

contenders=()
for runtime in "${runtimes[@]}"; do
    command=${runtime#*=}
    $(place_of "$command") ${command#@} run --detach --bundle "$work/bundle" "bench-${runtime%%=*}" \
        </dev/null >"$work/out" 2>&1
    contenders+=("$runtime exec bench-${runtime%%=*} /bin/true")
done
turns "${contenders[@]}"
for runtime in "${runtimes[@]}"; do
    command=${runtime#*=}
    $(place_of "$command") ${command#@} delete --force "bench-${runtime%%=*}"
done
table "exec of true in a running container" ms
