#!/usr/bin/env bash
# Memory that an engine holds for each idle container: the private pages (and the proportional share, PSS)
# of all its processes that live with the container. Not the container's own, nor a daemon's.
source "$(dirname "$0")/lib.sh"
containers=${CONTAINERS:-20}
make_rootfs
start_docker
start_podman
"$berth" import "$work/rootfs.tar" bench:1 >/dev/null
$docker_command import "$work/rootfs.tar" bench:1 >/dev/null
$podman_command import -q "$work/rootfs.tar" bench:1 >/dev/null

for command in "$berth" "$docker_command" "$podman_command"; do
    for n in $(seq "$containers"); do
        $command run -d --network none bench:1 sleep 1000 >/dev/null
    done
done
sleep 2

# holders NAME PID…: one sample a process, of two kinds.
holders() {
    local name=$1 pid
    shift
    for pid; do
        awk -v name="$name" '/^Private_(Clean|Dirty):/ {private += $2} /^Pss:/ {pss = $2}
            END {print name "\t" private > "/dev/stderr"; print name "\t" pss}' "/proc/$pid/smaps_rollup" \
            2>>"$work/private" >>"$work/pss"
    done
}
monitors=$(jq -r .shim_pid "$work"/run/tasks/*/pid.json)
# Nobody else of ours is alive: what names the run directory or lives as berth.
others=$(pgrep -f "$work/run|berth-" | grep -vxF -e "$$" $(printf -- '-e %s ' $monitors) || true)
for pid in $others; do
    case $(readlink "/proc/$pid/exe" || true) in *berth*) echo "also there: $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2 ;; esac
done
holders berth $monitors
holders conmon $(pgrep -f "conmon.*$work/podman-root")
holders containerd-shim $(pgrep -f "containerd-shim.*$work/docker-run")
for kind in private pss; do
    mv "$work/$kind" "$work/samples"
    table "$kind memory per idle container, KiB" KiB
done
