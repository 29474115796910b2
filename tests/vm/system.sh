#!/bin/busybox sh
# Process 1 of the whole guest's initramfs, see system.rs: mounts both disks, leaves the unit that runs the tests
# in /run, and makes way for systemd. @MODULES@, @ENVIRONMENT@ and @COMMAND@ are filled in.
/bin/busybox mkdir -p /proc /dev /new
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t devtmpfs none /dev
for module in @MODULES@; do /bin/busybox insmod /$module.ko; done
/bin/busybox mount -t ext4 /dev/vda /new || /bin/busybox poweroff -f
/bin/busybox mount -t ext4 -o ro /dev/vdb /new/share
/bin/busybox mount -t tmpfs -o mode=755 none /new/run
/bin/busybox mkdir -p /new/run/systemd/system
/bin/busybox cat >/new/run/systemd/system/berth-guest.service <<UNIT
[Unit]
Description=Tests of the guest
Wants=systemd-logind.service user@1000.service
After=systemd-logind.service user@1000.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
Environment=@ENVIRONMENT@
ExecStart=@COMMAND@
StandardOutput=file:/dev/console
StandardError=inherit
UNIT
# Nobody misses these, and each takes an emulated second.
for unit in \
    kmod-static-nodes.service modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service \
    modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service systemd-modules-load.service \
    systemd-journald.service systemd-journal-flush.service systemd-random-seed.service systemd-sysctl.service \
    systemd-sysusers.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup.service \
    systemd-update-utmp.service systemd-remount-fs.service systemd-machine-id-commit.service \
    dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount; do
    /bin/busybox ln -s /dev/null "/new/run/systemd/system/$unit"
done
/bin/busybox umount /dev /proc
exec /bin/busybox switch_root /new /sbin/init
