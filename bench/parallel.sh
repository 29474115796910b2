#!/usr/bin/env bash
# OCI runtimes: CONTAINERS containers created by 8 callers at once, all there at the same time; then started,
# run to their ends, and deleted likewise. One error fails.
source "$(dirname "$0")/lib.sh"
containers=${CONTAINERS:-200}
make_rootfs
make_bundle /bin/true
find_runtimes

# all COMMAND…: with each number in place of {}, eight at a time.
seq "$containers" >"$work/numbers"
all() { xargs -a "$work/numbers" -P 8 -I {} "$@" </dev/null >"$work/out" 2>&1; }
for round in $(seq "${ROUNDS:-3}"); do
    for runtime in "${runtimes[@]}"; do
        command=${runtime#*=}
        call="$(place_of "$command") ${command#@}"
        once "${runtime%%=*} create" all $call create --bundle "$work/bundle" "bench-{}"
        there=$($call list -q | wc -l)
        [ "$there" = "$containers" ] || { echo "error: $there containers are there" >&2; exit 1; }
        once "${runtime%%=*} start, delete" all sh -c '"$@" start bench-{} && "$@" delete --force bench-{}' sh $call
        [ "$($call list -q | wc -l)" = 0 ] || { echo "error: some containers are left" >&2; exit 1; }
    done
done
grep -P ' create\t' "$work/samples" >"$work/create"
grep -v -P ' create\t' "$work/samples" >"$work/rest"
mv "$work/create" "$work/samples"
table "create $containers, 8 at a time" ms
mv "$work/rest" "$work/samples"
table "start and delete --force them, 8 at a time" ms
