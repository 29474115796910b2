//! The seccomp profile of a container: Docker's default, the user's own, or none.

use berth_model::config::{SeccompChoice, SecurityConfig};
use berth_oci::spec::Seccomp;
use berth_seccomp::{Arch, DEFAULT_PROFILE, Target, resolve_profile};

use crate::Error;

/// The rules for a container with these capabilities; `None`: unconfined.
///
/// # Errors
/// [`Error::Profile`]: whatever is not understood is refused, never passed over (security: R25).
pub(crate) fn resolve(
    security: &SecurityConfig,
    capabilities: &[String],
) -> Result<Option<Seccomp>, Error> {
    let text = match &security.seccomp {
        SeccompChoice::Unconfined => return Ok(None),
        SeccompChoice::Custom(text) => text,
        SeccompChoice::Default if security.privileged => return Ok(None),
        SeccompChoice::Default => DEFAULT_PROFILE,
    };
    let target = Target {
        arch: Arch::native().map_err(Error::Profile)?,
        caps: capabilities,
        kernel: kernel_version(&rustix::system::uname().release().to_string_lossy()),
    };
    resolve_profile(text, &target)
        .map(Some)
        .map_err(Error::Profile)
}

/// `6.18.44-cloud` → (6, 18); what is no number counts as 0, which allows less.
fn kernel_version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels() {
        for (release, version) in [
            ("6.18.44-x", (6, 18)),
            ("6.1", (6, 1)),
            ("x", (0, 0)),
            ("5", (5, 0)),
        ] {
            assert_eq!(kernel_version(release), version, "{release}");
        }
    }

    /// R25.
    #[test]
    fn a_profile_that_is_not_understood_is_refused() {
        let with = |text: &str| {
            let security = SecurityConfig {
                seccomp: SeccompChoice::Custom(text.to_owned()),
                ..SecurityConfig::default()
            };
            resolve(&security, &[])
        };
        for bad in ["", "{}", "[]", r#"{"defaultAction":"SCMP_ACT_NOPE"}"#] {
            assert!(matches!(with(bad), Err(Error::Profile(_))), "{bad}");
        }
        assert!(
            with(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#)
                .unwrap()
                .is_some()
        );
        let unconfined = SecurityConfig {
            seccomp: SeccompChoice::Unconfined,
            ..SecurityConfig::default()
        };
        assert_eq!(resolve(&unconfined, &[]).unwrap(), None);
        assert!(resolve(&SecurityConfig::default(), &[]).unwrap().is_some());
    }
}
