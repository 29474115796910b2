#!/bin/busybox sh
# Runs as process 1 of the virtual machine; see main.rs.
if [ ! -e /moved ]; then
    # The initramfs cannot be pivoted away from, a tmpfs can.
    /bin/busybox mkdir /new
    /bin/busybox mount -t tmpfs -o mode=755,size=90% none /new
    for part in bin lib lib64 usr etc berth berth-runtime berth-monitor overlay.ko image.tar layers.tar init; do
        [ ! -e "/$part" ] || /bin/busybox cp -a "/$part" /new/
    done
    /bin/busybox mkdir -p /new/proc /new/sys /new/dev /new/tmp /new/run /new/var /new/root
    : >/new/moved
    exec /bin/busybox switch_root /new /init
fi
export PATH=/bin:/ HOME=/root BERTH_ROOT=/var/berth BERTH_RUN_DIR=/run/berth
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t cgroup2 none /sys/fs/cgroup
insmod /overlay.ko
ip link set lo up

# check NAME EXPECTED COMMAND…: the command's output (both streams, one line) contains EXPECTED, or is empty.
check() {
    name=$1 expected=$2
    shift 2
    output=$("$@" 2>&1 | tr '\n' ' ')
    case $output/$expected in
        /) echo "ok $name" ;;
        */) echo "FAIL $name: wanted nothing, got '$output'" ;;
        *"$expected"*/*) echo "ok $name" ;;
        *) echo "FAIL $name: wanted '$expected', got '$output'" ;;
    esac
}
inside() { berth run --rm --network none "$@"; }
leaf() { echo "/sys/fs/cgroup/berth/$(berth inspect -f '{{.Id}}' "$1")"; }
limit() { cat "$(leaf cc)/$1"; }

echo # the firmware's line ends here
check import sha256: berth import /image.tar box:1
check run hello inside box:1 echo hello
berth run -d --name cc --network none --memory 64m --cpus 0.5 --pids-limit 20 box:1 sleep 1000
check start "Up " berth ps
check memory.max 67108864 limit memory.max
check cpu.max "50000 100000" limit cpu.max
check pids.max 20 limit pids.max
check cgroup-namespace "0::/ " berth exec cc cat /proc/self/cgroup
berth load -q -i /layers.tar >/dev/null
check many-layers "first last" inside layers:1 cat /1 /40
check explain "--memory 64m" berth explain cc
check fork-bomb "can't fork" inside --pids-limit 8 box:1 sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait'
check device-refused "Operation not permitted" inside box:1 sh -c 'mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem'
check device-allowed fine inside box:1 sh -c 'head -c 1 /dev/zero >/dev/null && echo fine'
check device-privileged fine inside --privileged box:1 sh -c 'mknod /tmp/mem c 1 1 && : </tmp/mem && echo fine'
berth run --name eater --network none --memory 16m box:1 sh -c 'x=a; while :; do x=$x$x; done' 2>/dev/null
check oom-exit-code 137 berth inspect -f '{{.State.ExitCode}}' eater
check oom-is-told true berth inspect -f '{{.State.OOMKilled}}' eater
check top sleep berth top cc
check kill-all cc berth rm -f cc
check nothing-runs "" berth ps -q
check remove-eater eater berth rm eater
check cgroups-are-gone "none" sh -c 'find /sys/fs/cgroup/berth -mindepth 1 -type d 2>/dev/null | grep . || echo none'
check fsck "all is well" berth fsck
echo end
poweroff -f
