//! A file system by mount(2), for what fsconfig(2) cannot say: it takes no value above 255 bytes and not all
//! flags. It needs a place by path, which nobody else sees: a tmpfs over the root, as long as it takes, and
//! in it the descriptor of a directory as the host's procfs shows it.
//!
//! Source: mount(2), umount2(2), proc_pid_fd(5).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use berth_oci::spec::Mount;
use berth_sys::mount::{self as sys_mount, Change, Propagation};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};

use crate::mount_options::Options;
use crate::mount_source::{create, label_option, source_of};
use crate::mounts::attach;
use crate::rootfs::Root;

/// Makes it, detached.
///
/// # Errors
/// The kernel's.
pub(crate) fn make(
    root: &Root,
    kind: &str,
    mount: &Mount,
    options: &Options,
    label: Option<&str>,
) -> io::Result<OwnedFd> {
    let scratch = create("tmpfs", &[("mode", Some("700"))], 0).map_err(|(errno, _)| errno)?;
    attach(&scratch, root)?;
    let made = (|| -> io::Result<OwnedFd> {
        let open = || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&scratch, "m", flags, Mode::empty())
        };
        rustix::fs::mkdirat(&scratch, "m", Mode::RWXU)?;
        let data = CString::new(words(options, label_option(kind, options, label)))?;
        let mut flags = MountFlags::empty();
        if options.inode_version {
            flags |= MountFlags::from_bits_retain(MS_I_VERSION);
        }
        mount_on(&open()?, source_of(mount, kind), kind, flags, &data)?;
        let change = Change {
            set: options.own.set,
            ..Change::to(Propagation::Private, false)
        };
        sys_mount::clone_with(open()?, &change)
    })();
    unmount(&scratch)?;
    made
}

/// The options as mount(2) takes them: a label, which has commas, in quotes.
fn words(options: &Options, label: Option<(&str, Option<&str>)>) -> String {
    let words = options.data.iter().map(|(key, value)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    });
    let label = label.map(|(key, label)| format!("{key}=\"{}\"", label.unwrap_or_default()));
    words.chain(label).collect::<Vec<_>>().join(",")
}

/// Source: linux/mount.h.
const MS_I_VERSION: u32 = 1 << 23;

fn mount_on(
    place: &OwnedFd,
    source: &str,
    kind: &str,
    flags: MountFlags,
    data: &CStr,
) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(rustix::mount::mount(source, path, kind, flags, data)?)
}

fn unmount(place: &OwnedFd) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(rustix::mount::unmount(path, UnmountFlags::DETACH)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through fsconfig(2) a label is a value of its own, through mount(2) a word among others.
    #[test]
    fn a_label_is_an_option_of_new_file_systems() {
        let label = Some("system_u:object_r:container_file_t:s0:c1,c2");
        let mount = |option: &str| Mount {
            options: vec![option.to_owned()],
            ..Mount::default()
        };
        let options = Options::parse(&mount("size=1m")).unwrap();
        for (kind, labelled) in [
            ("tmpfs", true),
            ("devpts", true),
            ("overlay", true),
            ("mqueue", false),
            ("proc", false),
            ("sysfs", false),
        ] {
            let option = label_option(kind, &options, label);
            assert_eq!(option, labelled.then_some(("context", label)), "{kind}");
            assert_eq!(label_option(kind, &options, None), None);
        }
        assert_eq!(
            words(&options, label_option("tmpfs", &options, label)),
            "size=1m,context=\"system_u:object_r:container_file_t:s0:c1,c2\""
        );
        let own = Options::parse(&mount("context=a:b:c:s0")).unwrap();
        assert_eq!(label_option("tmpfs", &own, label), None);
    }
}
