#!/usr/bin/env bash
# The commands that people type: `run --rm`, `run -d`, `exec`, without a network, on one root file system.
source "$(dirname "$0")/lib.sh"
make_rootfs
start_docker
start_podman
"$berth" import "$work/rootfs.tar" bench:1 >/dev/null
$docker_command import "$work/rootfs.tar" bench:1 >/dev/null
$podman_command import -q "$work/rootfs.tar" bench:1 >/dev/null

run="run --rm --network none bench:1 true"
race "berth=$berth $run" "docker=$docker_command $run" "podman=$podman_command $run"
table "run --rm --network none IMAGE true" ms

run="run -d --network none bench:1 sleep 1000"
rounds=2 race "berth=$berth $run" "docker=$docker_command $run" "podman=$podman_command $run"
table "run -d --network none IMAGE sleep" ms
"$berth" ps -aq | xargs -r "$berth" rm -f >/dev/null
$docker_command ps -aq | xargs -r $docker_command rm -f >/dev/null
$podman_command rm -fa -t 0 >/dev/null

for command in "$berth" "$docker_command" "$podman_command"; do
    $command run -d --name idle --network none bench:1 sleep 1000 >/dev/null
done
exec_true="exec idle true"
race "berth=$berth $exec_true" "docker=$docker_command $exec_true" "podman=$podman_command $exec_true"
table "exec CONTAINER true" ms
