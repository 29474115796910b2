#!/usr/bin/env bash
# OCI runtimes: `run` of `true` from one bundle, from the command's start to its end.
source "$(dirname "$0")/lib.sh"
make_rootfs
start_without_unified

mkdir "$work/bundle"
mv "$work/rootfs" "$work/bundle/rootfs"
(cd "$work/bundle" && runc spec)
jq '.process.terminal = false | .process.args = ["/bin/true"] | del(.process.rlimits) | .root.readonly = false' \
    "$work/bundle/config.json" >"$work/config" && mv "$work/config" "$work/bundle/config.json"

race "berth-runtime=$bin/berth-runtime --root $work/rb run --bundle $work/bundle b" \
    "crun=$without_unified $namespace crun --root $work/rc run --bundle $work/bundle b" \
    "runc=runc --root $work/rr run --bundle $work/bundle b" \
    "nsenter-alone=$without_unified $namespace $work/bundle/rootfs/bin/true"
table "run of true, one bundle (crun is started through nsenter; its cost is the last row)" ms
