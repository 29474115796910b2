//! A container's place among the cgroups, made by either driver.
//!
//! ```text
//! cgroupfs   directories: the unified one, in which init is born; those of v1, before or beside it
//! systemd    a scope, asked for with init's pid in it: init is held until it is there
//! ```

use std::path::PathBuf;

use berth_cgroup::systemd::{Scope, Session, Unit};
use berth_cgroup::{Cgroup, Options, Rest};
use berth_oci::spec::{Linux, Resources};

use crate::claim::Claim;
use crate::devices;
use crate::error::Result;

/// The caller's, in which his systemd is found.
pub(crate) fn session() -> Session {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    Session {
        bus: set("DBUS_SESSION_BUS_ADDRESS"),
        runtime_dir: set("XDG_RUNTIME_DIR").map(PathBuf::from),
    }
}

/// Where, and with which limits.
#[derive(Debug)]
pub(crate) struct Place {
    driver: Driver,
    resources: Resources,
    options: Options,
    claim: Option<Claim>,
}

#[derive(Debug)]
enum Driver {
    Cgroupfs(String),
    Systemd(Scope),
}

impl Place {
    /// What the configuration asks for, for the container `id`. What is made is written down in
    /// `claim`.
    ///
    /// # Errors
    /// [`Error::Cgroup`](crate::Error::Cgroup): systemd is asked for and cannot be had.
    pub(crate) fn new(
        linux: &Linux,
        id: &str,
        systemd: bool,
        rootless: bool,
        claim: Option<Claim>,
    ) -> Result<Place> {
        let path = linux
            .cgroups_path
            .as_deref()
            .filter(|path| !path.is_empty());
        let driver = match path {
            path if systemd => Driver::Systemd(Scope::new(path, id, rootless)?),
            None => Driver::Cgroupfs(format!("/berth/{id}")),
            Some(path) if path.starts_with('/') => Driver::Cgroupfs(path.to_owned()),
            Some(path) => Driver::Cgroupfs(format!("/{path}")),
        };
        let mut resources = linux.resources.clone().unwrap_or_default();
        resources.devices = devices::with_default_rules(resources.devices);
        Ok(Place {
            driver,
            resources,
            options: Options { rootless },
            claim,
        })
    }

    /// Whether there is no place before there is an init.
    pub(crate) fn needs_init(&self) -> bool {
        matches!(self.driver, Driver::Systemd(_))
    }

    /// Makes what init is born in.
    ///
    /// # Errors
    /// Whatever was refused; nothing is left behind.
    pub(crate) fn begin(&self) -> Result<(Cgroup, Option<Rest>)> {
        let Driver::Cgroupfs(path) = &self.driver else {
            return Ok((Cgroup::default(), None));
        };
        if let Some(claim) = &self.claim {
            claim.making(path, &self.options)?;
        }
        let begun = Cgroup::begin(path, &self.resources, &self.options);
        let (cgroup, rest) = begun.inspect_err(|_| self.forget())?;
        if !cgroup.is_empty()
            && let Err(error) = self.claim_it()
        {
            self.undo(&cgroup, Some(rest));
            return Err(error);
        }
        Ok((cgroup, Some(rest)))
    }

    /// Makes the rest of it.
    ///
    /// # Errors
    /// Whatever was refused: then the cgroup is to be removed.
    pub(crate) fn complete(&self, cgroup: &mut Cgroup, rest: &mut Option<Rest>) -> Result<()> {
        let Some(rest) = rest else {
            return Ok(());
        };
        let claimed = !cgroup.is_empty();
        cgroup.complete(rest, &self.resources, &self.options)?;
        if claimed { Ok(()) } else { self.claim_it() }
    }

    /// Writes down that it is the container's own, before anything runs in it.
    fn claim_it(&self) -> Result<()> {
        self.claim.as_ref().map_or(Ok(()), Claim::made)
    }

    /// Removes what was made, before anything runs in it. Best effort; the claim is kept for what is left.
    pub(crate) fn undo(&self, cgroup: &Cgroup, rest: Option<Rest>) {
        if cgroup.remove().is_ok() {
            self.forget();
        }
        rest.into_iter().for_each(Rest::undo);
    }

    fn forget(&self) {
        self.claim.iter().for_each(Claim::forget);
    }

    /// For whoever removes what was made.
    pub(crate) fn claim(&self) -> Option<Claim> {
        self.claim.clone()
    }

    /// Both, before there is an init.
    ///
    /// # Errors
    /// Whatever was refused; nothing is left behind.
    pub(crate) fn make(&self) -> Result<Cgroup> {
        let (mut cgroup, mut rest) = self.begin()?;
        let completed = self.complete(&mut cgroup, &mut rest);
        match completed {
            Ok(()) => Ok(cgroup),
            Err(error) => {
                self.undo(&cgroup, rest);
                Err(error)
            }
        }
    }

    /// Has the unit made, with the held init in it; `None`: by this driver there is none.
    ///
    /// # Errors
    /// What systemd said; nothing is left behind.
    pub(crate) fn start_unit(&self, pid: i32) -> Result<Option<Unit>> {
        match &self.driver {
            Driver::Cgroupfs(_) => Ok(None),
            Driver::Systemd(scope) => {
                if let Some(claim) = &self.claim {
                    claim.making_unit(scope.unit())?;
                }
                Ok(Some(scope.start(pid, &self.resources, &session())?))
            }
        }
    }

    /// The unit's cgroup, with the limits on it.
    ///
    /// # Errors
    /// Whatever was refused: then the unit is to be stopped.
    pub(crate) fn cgroup_of(&self, unit: &Unit, pid: i32) -> Result<Cgroup> {
        let path = unit.path(pid)?;
        if let Some(claim) = &self.claim {
            claim.made_unit(&path)?;
        }
        Ok(unit.cgroup(&path, pid, &self.resources, &self.options)?)
    }
}
