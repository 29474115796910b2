# Sourced by the benchmarks (bash, root). Everything that a benchmark starts is private to it: its own
# directory, docker daemon and podman storage; all of it ends with the script.
#
# Measuring: the contenders take turns, `rounds` times `runs` each, so that what else the machine does hits
# all of them. The table shows medians, and each as a multiple of the first contender's.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../tools/env"
if [ "$(id -u)" != 0 ]; then as_root "$PWD/bench/$(basename "$0")" "$@"; exit; fi

rounds=${ROUNDS:-5}
runs=${RUNS:-10}
bin=${BERTH_BIN_DIR:-$target/berth}
[ -x "$bin/berth" ] || tools/build
work=$(mktemp -d /tmp/berth-bench.XXXXXX)
export BERTH_ROOT=$work/root BERTH_RUN_DIR=$work/run BERTH_CGROUP_PARENT=/${work##*/}
berth=$bin/berth
started=()

finish() {
    set +e
    # A contender that was not started has nothing to remove.
    "$berth" ps -aq | xargs -r "$berth" rm -f
    [ ! -f "$work/podman" ] || $podman_command rm -fa -t 0
    [ ! -S "$work/docker.sock" ] || $docker_command ps -aq | xargs -r $docker_command rm -f
    for pid in "${started[@]}"; do kill "$pid"; done
    for pid in "${started[@]}"; do wait "$pid"; done
    grep -o " $work[^ ]*" /proc/self/mountinfo | sort -ru | xargs -r umount -l
    rmdir /sys/fs/cgroup/*/"${work##*/}" /sys/fs/cgroup/"${work##*/}"
    rm -rf "$work"
} >/dev/null 2>&1
trap finish EXIT

# A busybox root file system, the same for all.
make_rootfs() {
    mkdir -p "$work/rootfs"/{bin,dev,etc,proc,root,sys,tmp}
    for name in $(busybox --list); do ln -s busybox "$work/rootfs/bin/$name"; done
    rm -f "$work/rootfs/bin/busybox" # it lists itself
    cp /bin/busybox "$work/rootfs/bin/busybox"
    echo root:x:0:0:root:/root:/bin/sh >"$work/rootfs/etc/passwd"
    echo root:x:0: >"$work/rootfs/etc/group"
    tar -C "$work/rootfs" -cf "$work/rootfs.tar" .
}

# crun, and podman with it, refuse a hybrid cgroup layout: they run where `unified` is not mounted.
start_without_unified() {
    unshare --mount --propagation private sh -c \
        'umount /sys/fs/cgroup/unified 2>/dev/null; echo ready >"$1"; exec sleep infinity' sh "$work/namespace" &
    started+=($!)
    namespace=$!
    until [ -s "$work/namespace" ]; do sleep 0.01; done
}
without_unified="nsenter --mount --wd=. --target"

# A bundle around that root file system, as a caller like Docker makes one: all namespaces but user, cgroups,
# its fourteen capabilities and its seccomp profile. make_bundle ARGUMENT…: what it runs.
make_bundle() {
    local caps kernel
    mkdir -p "$work/bundle"
    [ ! -d "$work/rootfs" ] || mv "$work/rootfs" "$work/bundle/rootfs"
    (cd "$work/bundle" && rm -f config.json && runc spec)
    caps=$(printf '"CAP_%s" ' CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP \
        NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE | jq -cs .)
    kernel=$(uname -r | grep -oE '^[0-9]+\.[0-9]+')
    jq --argjson caps "$caps" --arg kernel "$kernel" -f bench/seccomp.jq \
        crates/berth-seccomp/data/docker-default.json >"$work/seccomp.json"
    jq --argjson caps "$caps" --slurpfile seccomp "$work/seccomp.json" '
        .process.terminal = false | .process.args = $ARGS.positional | .root.readonly = false
        | .process.capabilities = {bounding: $caps, effective: $caps, permitted: $caps}
        | del(.process.rlimits) | .linux.seccomp = $seccomp[0]
        | .linux.namespaces |= (. + [{type: "cgroup"}] | unique_by(.type))' \
        --args "$@" <"$work/bundle/config.json" >"$work/config"
    mv "$work/config" "$work/bundle/config.json"
}

# The runtimes' state is on a tmpfs, as /run is. NAME=COMMAND of each, without a verb; crun's begins with @.
# CRUN names a newer crun, which is then one more contender.
find_runtimes() {
    mkdir "$work/state"
    mount -t tmpfs berth-bench "$work/state"
    start_without_unified
    runtimes=("berth-runtime=$bin/berth-runtime --root $work/state/b")
    [ -z "${CRUN:-}" ] || runtimes+=("crun-$("$CRUN" --version | grep -m1 -oE "[0-9]+[.][0-9]+[.][0-9]+" | head -n 1)=@$CRUN --root $work/state/n")
    runtimes+=("crun=@crun --root $work/state/c" "runc=runc --root $work/state/r")
}

# The command that runs what follows where this contender works: nothing, or nsenter.
place_of() { case $1 in @*) echo "$without_unified $namespace" ;; esac; }

# A benchmark of networks replaces it.
docker_network=(--iptables=false --bridge=none)
start_docker() {
    dockerd --host "unix://$work/docker.sock" --data-root "$work/docker" --exec-root "$work/docker-run" \
        --pidfile "$work/docker.pid" --insecure-registry 127.0.0.0/8 "${docker_network[@]}" \
        >"$work/dockerd.log" 2>&1 &
    started+=($!)
    local try
    for try in $(seq 300); do
        if curl -s -o "$work/ping" --unix-socket "$work/docker.sock" http://localhost/_ping; then return; fi
        sleep 0.1
    done
    tail "$work/dockerd.log" >&2
    return 1
}
docker_command="docker -H unix://$work/docker.sock"

# Storage is private. Limits are named, or podman would raise them, which not every root may.
start_podman() {
    [ -n "${namespace:-}" ] || start_without_unified
    printf '[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]\n' >"$work/containers.conf"
    export CONTAINERS_CONF=$work/containers.conf
    podman_command="nsenter --mount --wd=. --target $namespace podman --root $work/podman-root \
--runroot $work/podman-run --storage-driver overlay --cgroup-manager cgroupfs --events-backend file \
--runtime crun --log-level error"
    touch "$work/podman"
}

# In a network namespace of the script's own: the loopback, and a way out, if only to nowhere, which podman wants.
way_out() {
    ip link set lo up
    ip link add nowhere type veth peer name nobody
    ip addr add 192.0.2.1/24 dev nowhere
    ip link set nobody up
    ip link set nowhere up
    ip route add default via 192.0.2.2
}

start_registry() {
    registry=127.0.0.1:$((20000 + RANDOM % 20000))
    printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' \
        "$work/registry" "$registry" >"$work/registry.yml"
    docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
    started+=($!)
    local try
    for try in $(seq 100); do
        if curl -sf -o "$work/ping" "http://$registry/v2/"; then return; fi
        sleep 0.1
    done
    tail "$work/registry.log" >&2
    return 1
}

# make_image IMAGE: an image in docker's store with busybox, and more layers of files of this machine's /usr, 300
# to 400 MB in all.
make_image() {
    local source index=0
    mkdir -p "$work/context/bin"
    cp /bin/busybox "$work/context/bin/busybox"
    ln -s busybox "$work/context/bin/true"
    {
        printf 'FROM scratch\nCOPY bin /bin\n'
        for source in /usr/bin /usr/lib/x86_64-linux-gnu /usr/lib/gcc /usr/share/perl /usr/share/doc /usr/sbin \
            /usr/include /usr/share/locale /usr/lib/python3; do
            [ -d "$source" ] || continue
            index=$((index + 1))
            mkdir "$work/context/$index"
            # At most 52 MB of each, whole files only.
            find "$source" -xdev -type f -size -8M -print0 2>/dev/null | sort -z | head -zn 4000 |
                tar -C / --null -T - -cf - 2>/dev/null | head -c 52M |
                tar -C "$work/context/$index" -xf - 2>/dev/null || true
            echo "COPY $index /$index"
        done
    } >"$work/context/Dockerfile"
    DOCKER_BUILDKIT=0 $docker_command build -q -t "$1" "$work/context" >/dev/null
    echo "$((index + 1)) layers, $(du -sm "$work/context" | cut -f1) MiB unpacked"
    rm -rf "$work/context"
}

# Each contender's store on a tmpfs of its own: ext4 searches long for inodes while others were freed in the last
# minutes, and whoever comes first after a removal would pay for all. Call it before anything is started.
stores_in_memory() {
    local store
    for store in root docker podman-root; do
        mkdir -p "$work/$store"
        mount -t tmpfs berth-bench "$work/$store"
    done
}

# race NAME=COMMAND…: wall time in ms of each, in turn.
race() {
    local pair arguments=() round
    for pair; do arguments+=(--command-name "${pair%%=*}" "${pair#*=}"); done
    for round in $(seq "$rounds"); do
        hyperfine -N --warmup 2 --runs "$runs" --export-json "$work/race.json" "${arguments[@]}" \
            >"$work/hyperfine.log" 2>&1 || { tail -n 5 "$work/hyperfine.log" >&2; return 1; }
        jq -r '.results[] | .command as $name | .times[] | "\($name)\t\(. * 1000)"' "$work/race.json" \
            >>"$work/samples"
    done
}

# turns NAME=COMMAND…: as race, for commands that begin with @ where crun works. Each hyperfine is inside already:
# no launcher is in the time.
turns() {
    local round pair command
    for round in $(seq "$rounds"); do
        for pair; do
            command=${pair#*=}
            $(place_of "$command") hyperfine -N --warmup 1 --runs "$runs" --export-json "$work/race.json" \
                "${command#@}" >"$work/hyperfine.log" 2>&1 || { tail -n 5 "$work/hyperfine.log" >&2; return 1; }
            jq -r --arg name "${pair%%=*}" '.results[].times[] | "\($name)\t\(. * 1000)"' "$work/race.json" \
                >>"$work/samples"
        done
    done
}

# once NAME COMMAND…: wall time in ms of one run.
once() {
    local name=$1 begin end
    shift
    begin=$(date +%s%N)
    "$@" >"$work/once.log" 2>&1 || { tail -n 5 "$work/once.log" >&2; return 1; }
    end=$(date +%s%N)
    sample "$name" $(((end - begin) / 1000))e-3
}

sample() { printf '%s\t%s\n' "$1" "$2" >>"$work/samples"; }

# table TITLE UNIT: what was sampled since the last one.
table() {
    printf '\n%s\n%-24s %10s %10s %10s %5s %8s\n' "$1" "" "median $2" min max n ratio
    sort -t$'\t' -k1,1 -k2,2g "$work/samples" | awk -F'\t' -v order="$(cut -f1 "$work/samples" | awk '!s[$0]++' | tr '\n' '|')" '
        { value[$1, ++count[$1]] = $2 }
        END {
            names = split(order, name, "|") - 1
            for (i = 1; i <= names; i++) {
                n = count[name[i]]
                middle = (value[name[i], int((n + 1) / 2)] + value[name[i], int((n + 2) / 2)]) / 2
                if (i == 1) first = middle
                printf "%-24s %10.2f %10.2f %10.2f %5d %7.2fx\n", name[i], middle, value[name[i], 1], value[name[i], n], n, middle / first
            }
        }'
    rm "$work/samples"
}
