//! The seccomp profile of a container.

use berth_model::config::SecurityConfig;
use berth_oci::spec::Seccomp;

use crate::Error;

pub(crate) fn resolve(_security: &SecurityConfig, _caps: &[String]) -> Result<Option<Seccomp>, Error> {
    Ok(None)
}
