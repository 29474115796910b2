//! Integration tests: real containers, as root and as an ordinary user, asked through the command line and
//! judged by what the kernel shows. One program, so that it is linked once; nextest runs each test in a
//! process of its own.
#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

/// The same test as root and rootless, with the image `busybox`.
macro_rules! both {
    ($(#[$doc:meta])* fn $name:ident($sandbox:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($sandbox: &testkit::Sandbox) $body

            #[test]
            fn root() {
                body(&testkit::Sandbox::root().with_busybox());
            }

            #[test]
            fn rootless() {
                body(&testkit::Sandbox::rootless().with_busybox());
            }
        }
    };
}

mod artifact;
mod attach;
mod bad_input;
mod commit;
mod cp;
mod damage;
mod diff;
mod events;
mod exec;
mod explain;
mod export;
mod formats;
mod images;
mod isolation;
mod lifecycle;
mod limits;
mod log_drivers;
mod login;
mod logs;
mod manifest;
mod mounts;
mod names;
mod namespaces;
mod network;
mod pasta;
mod plugins;
mod process;
mod progress;
mod prune;
mod ps;
mod pull;
mod push;
mod remote;
mod remote_ways;
mod resident;
mod restart;
mod search;
mod security;
mod settings;
mod sharing;
mod stats;
mod survival;
mod trust;
mod update;
mod volumes;
