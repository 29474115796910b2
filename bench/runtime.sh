#!/usr/bin/env bash
# OCI runtimes: `run` of `true` from one bundle, from the command's start to its end, and the memory that it takes.
# ROUNDS and RUNS: how often. CRUN: a newer crun beside Debian's. SECCOMP=: without the profile.
source "$(dirname "$0")/lib.sh"
make_rootfs
make_bundle /bin/true
if [ -z "${SECCOMP-on}" ]; then
    jq 'del(.linux.seccomp)' "$work/bundle/config.json" >"$work/config" && mv "$work/config" "$work/bundle/config.json"
fi
find_runtimes

contenders=()
for runtime in "${runtimes[@]}"; do contenders+=("$runtime run --bundle $work/bundle bench"); done
turns "${contenders[@]}" "true, no container=$work/bundle/rootfs/bin/true"
table "run of true, one bundle" ms

for contender in "${contenders[@]}"; do
    command=${contender#*=}
    for try in 1 2 3; do
        $(place_of "$command") /usr/bin/time -q -f %M -o "$work/peak" ${command#@}
        sample "${contender%%=*}" "$(cat "$work/peak")"
    done
done
table "peak memory of the same" KiB
