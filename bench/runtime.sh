#!/usr/bin/env bash
# OCI runtimes: `run` of `true` from one bundle, from the command's start to its end. crun has to be started
# through nsenter; so are the others, into the namespace they would have anyway.
source "$(dirname "$0")/lib.sh"
make_rootfs
start_without_unified
as_it_is="nsenter --mount --wd=. --target $$"

mkdir "$work/bundle"
mv "$work/rootfs" "$work/bundle/rootfs"
(cd "$work/bundle" && runc spec)
jq '.process.terminal = false | .process.args = ["/bin/true"] | del(.process.rlimits) | .root.readonly = false' \
    "$work/bundle/config.json" >"$work/config" && mv "$work/config" "$work/bundle/config.json"

race "berth-runtime=$as_it_is $bin/berth-runtime --root $work/rb run --bundle $work/bundle b" \
    "crun=$without_unified $namespace crun --root $work/rc run --bundle $work/bundle b" \
    "runc=$as_it_is runc --root $work/rr run --bundle $work/bundle b" \
    "true, no container=$as_it_is $work/bundle/rootfs/bin/true"
table "run of true, one bundle" ms
