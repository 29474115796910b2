#!/usr/bin/env bash
# For the record: the same `true` in a virtual machine of its own (QEMU, emulated: no KVM is asked for)
# and in a container: time, memory while `sleep` runs there, and how many of each this machine's free memory holds.
source "$(dirname "$0")/lib.sh"
tools/vm-kernel
make_rootfs
runtime="$bin/berth-runtime --root $work/state"

# guest COMMAND: an initramfs that runs it, then ends the machine.
guest() {
    mkdir -p "$work/guest/bin"
    cp "$work"/{rootfs,bundle/rootfs}/bin/busybox "$work/guest/bin" 2>/dev/null || true
    printf '#!/bin/busybox sh\n/bin/busybox echo ready\n/bin/busybox %s\n/bin/busybox reboot -f\n' "$1" >"$work/guest/init"
    chmod 755 "$work/guest/init"
    (cd "$work/guest" && find . | cpio --quiet -o -H newc) >"$work/guest.cpio"
}
machine() {
    exec qemu-system-x86_64 -M pc -accel tcg -cpu max -smp 1 -m 128 -nodefaults -no-user-config -nographic \
        -serial stdio -no-reboot -kernel "$target/vm/vmlinuz" -initrd "$work/guest.cpio" \
        -append "console=ttyS0 quiet panic=-1 reboot=t" </dev/null
}

guest true
make_bundle /bin/true
for round in $(seq "${ROUNDS:-5}"); do
    once container $runtime run --bundle "$work/bundle" bench
    (machine) >"$work/console" 2>&1 & begin=$(date +%s%N)
    wait $!
    grep -q ready "$work/console" || { tail "$work/console" >&2; exit 1; }
    sample "virtual machine" $((($(date +%s%N) - begin) / 1000))e-3
done
table "true, from nothing to its end" ms

available() { awk '/^MemAvailable:/ {print $2}' /proc/meminfo; }
containers=${CONTAINERS:-100}
make_bundle /bin/sleep 1000
for round in 1 2 3; do
    before=$(available)
    for n in $(seq "$containers"); do $runtime run --detach --bundle "$work/bundle" "bench-$n" </dev/null >/dev/null 2>&1; done
    sample container $(((before - $(available)) / containers))
    for n in $(seq "$containers"); do $runtime delete --force "bench-$n"; done
done
guest "sleep 1000"
for round in 1 2 3; do
    (machine) >"$work/console" 2>&1 &
    until grep -q ready "$work/console"; do sleep 0.1; done
    sample "virtual machine" "$(awk '/^Pss:/ {print $2}' "/proc/$!/smaps_rollup")"
    kill $!
    wait $! || true
done
cp "$work/samples" "$work/memory"
table "memory while sleep runs there" KiB
free=$(available)
sort -t$'\t' -k1,1 -k2,2n "$work/memory" | awk -F'\t' -v free="$free" '
    { value[$1, ++count[$1]] = $2 }
    END { for (name in count) printf "%-24s %10d fit into the %d MiB that are free\n", name, free / value[name, 2], free / 1024 }'
