# The life of the Debian package, in a copy of this machine's root: $1 an empty directory, $2 and $3 two versions of it,
# $4 the containers' cgroup. Called in a mount namespace of its own.
set -eu
base=$1
say() { echo "== $*"; }

# What is written goes to memory: an overlay cannot have its upper layer below its lower one.
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$base/root"
cd "$base/root"
for place in proc sys dev; do mount --rbind "/$place" "$place"; done
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p var/lib/berth run/lock
# An overlay cannot be the upper layer of one, either.
mount -t tmpfs tmpfs var/lib/berth
cp "$2" tmp/1.deb
cp "$3" tmp/2.deb
cgroup=$4
inside() {
    chroot . env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        BERTH_CGROUP_PARENT="$cgroup" "$@"
}
berth() { inside berth "$@"; }
# The index of all manual pages takes its time and is not what is tested.
dpkg() { inside dpkg --no-triggers "$@" >&2; }
pid() { berth inspect --format '{{.State.Pid}}' "$1"; }

say install
dpkg -i /tmp/1.deb
inside getent group berth >&2
for file in lib/systemd/system/berth.service usr/share/man/man1/berth-run.1.gz \
    usr/share/bash-completion/completions/berth usr/share/zsh/vendor-completions/_berth; do
    test -s "$file"
done
grep -q '^ExecStart=/usr/bin/berth daemon$' lib/systemd/system/berth.service
inside bash -c '. /usr/share/bash-completion/completions/berth && complete -p berth' >&2
inside test -L /etc/systemd/system/multi-user.target.wants/berth.service
berth image bootstrap busybox >&2
berth run -d --network none --stop-timeout 1 --name web busybox sh -c 'while :; do echo tick; sleep 0.1; done' >&2
before=$(pid web)

say upgrade
dpkg -i /tmp/2.deb
test "$(inside dpkg-query -W -f '${Version}' berth)" = 2
test "$(pid web)" = "$before"
test "$(berth exec web echo in)" = in
lines=$(berth logs web | wc -l)
sleep 1
test "$(berth logs web | wc -l)" -gt "$lines"

say remove
dpkg -r berth
test ! -e usr/bin/berth
test ! -e usr/libexec/berth
test ! -e "/proc/$before"
test -n "$(ls var/lib/berth/containers)"

say again
dpkg -i /tmp/2.deb
berth start web >&2
again=$(pid web)
mkdir -p run/berth/left
inside mount -t tmpfs tmpfs /run/berth/left

say purge
dpkg --purge berth
test ! -e "/proc/$again"
test -z "$(ls -A var/lib/berth)"
test ! -e run/berth
! inside grep -q '/run/berth\|/var/lib/berth/' /proc/self/mountinfo
! inside dpkg-query -W berth 2>/dev/null
test -z "$(find etc -name '*berth*')"
say done
