//! systemd's own interface: `org.freedesktop.systemd1.Manager` at `/org/freedesktop/systemd1`.

use std::path::Path;
use std::time::Duration;

use berth_oci::spec::Resources;

use super::bus::{Address, Bus, malformed};
use super::wire::{Call, Message, Property, Value, Writer};
use super::{Scope, Session, properties};
use crate::error::{Error, Result};
use crate::layout::Layout;

/// There since systemd runs. Source: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";
/// systemd's own socket, for root only.
const PRIVATE: &str = "/run/systemd/private";
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";

const NAME: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// How often, and how far apart, a scope is asked for again whose name a dying one has yet.
const RETRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// Whether this host was booted by systemd.
pub(crate) fn is_running() -> bool {
    Path::new(BOOTED).is_dir()
}

/// As [`is_running`].
///
/// # Errors
/// [`Error::NoSystemd`].
pub(super) fn booted() -> Result<()> {
    match is_running() {
        true => Ok(()),
        false => Err(Error::NoSystemd {
            missing: BOOTED.to_owned(),
        }),
    }
}

/// Whether the system's systemd is the caller's to command: in a user namespace, that of a
/// container which systemd has booted.
pub(super) fn is_ours() -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    rustix::process::geteuid().is_root()
        && accessat(CWD, PRIVATE, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// Where a user's systemd may be, best first. Source: runc's docs/systemd.md.
fn user_addresses(session: &Session) -> Vec<Address> {
    let runtime = session.runtime_dir.as_ref();
    let mut all = match (&session.bus, runtime) {
        (Some(bus), _) => Address::parse(bus),
        (None, Some(runtime)) => vec![Address::path(runtime.join("bus"), false)],
        (None, None) => Vec::new(),
    };
    let own = runtime.map(|runtime| Address::path(runtime.join("systemd/private"), true));
    all.extend(own);
    all
}

/// A systemd that listens.
#[derive(Debug)]
pub(super) struct Manager {
    bus: Bus,
    version: Option<u32>,
}

impl Manager {
    /// The system's, or the caller's own.
    ///
    /// # Errors
    /// [`Error::NoSystemd`], [`Error::NoUserSystemd`], [`Error::Bus`].
    pub(super) fn connect(user: bool, session: &Session) -> Result<Manager> {
        let addresses = if user {
            user_addresses(session)
        } else {
            vec![
                Address::path(SYSTEM_BUS, false),
                Address::path(PRIVATE, true),
            ]
        };
        let bus = Bus::connect(&addresses).map_err(|error| match error {
            Error::NoSystemd { missing } if user => Error::NoUserSystemd { missing },
            other => other,
        })?;
        Ok(Manager { bus, version: None })
    }

    /// Makes a scope and waits until it is there.
    ///
    /// # Errors
    /// [`Error::UnitExists`], [`Error::UnitJob`], [`Error::Refused`], [`Error::Bus`].
    pub(super) fn start(&mut self, scope: &Scope, pid: i32, resources: &Resources) -> Result<()> {
        let unified = Layout::detect()?.v1.is_empty();
        let mut all: Vec<Property> = vec![
            ("Description", Value::Text(scope.description.clone())),
            ("Slice", Value::Text(scope.slice.clone())),
            ("PIDs", Value::U32s(vec![pid.unsigned_abs()])),
            ("Delegate", Value::Bool(true)),
            ("DefaultDependencies", Value::Bool(false)),
            // One that failed (killed for memory, say) shall not stay to be looked at.
            ("CollectMode", Value::Text("inactive-or-failed".to_owned())),
            ("MemoryAccounting", Value::Bool(true)),
            ("CPUAccounting", Value::Bool(true)),
            ("TasksAccounting", Value::Bool(true)),
        ];
        let io = if unified {
            "IOAccounting"
        } else {
            "BlockIOAccounting"
        };
        all.push((io, Value::Bool(true)));
        if unified {
            all.extend(properties::oom_policy(resources, || self.version())?);
        } else {
            all.extend(properties::devices(&resources.devices)?);
        }
        all.extend(properties::limits(resources, unified, || self.version())?);
        self.listen()?;
        let name = &scope.unit.name;
        let mut tries = 0;
        let (job, sender) = loop {
            match self.start_job(name, &all) {
                Err(Error::Refused { name: error, .. }) if is(&error, "UnitExists") => {
                    tries += 1;
                    if tries > RETRIES {
                        return Err(Error::UnitExists { unit: name.clone() });
                    }
                    // Perhaps a failed one that somebody keeps, perhaps one whose processes have just died.
                    self.reset(name)?;
                    std::thread::sleep(PAUSE);
                }
                other => break other?,
            }
        };
        match self.wait(&job, &sender)?.as_str() {
            "done" => Ok(()),
            result => {
                let _ = self.reset(name);
                Err(Error::UnitJob {
                    unit: name.clone(),
                    result: result.to_owned(),
                })
            }
        }
    }

    fn start_job(&mut self, name: &str, all: &[Property]) -> Result<(String, String)> {
        let body = Writer::default()
            .text(name)
            .text("replace")
            .properties(all)
            .no_units();
        let answer = self.call("StartTransientUnit", "ssa(sv)a(sa(sv))", body)?;
        job(answer)
    }

    /// Changes limits, until the unit is gone.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Bus`].
    pub(super) fn update(&mut self, name: &str, resources: &Resources) -> Result<()> {
        let unified = Layout::detect()?.v1.is_empty();
        let all = properties::limits(resources, unified, || self.version())?;
        if all.is_empty() {
            return Ok(());
        }
        let body = Writer::default().text(name).bool(true).properties(&all);
        self.call("SetUnitProperties", "sba(sv)", body)?;
        // It answers first and writes the files then. By its next answer it has.
        let peer = "org.freedesktop.DBus.Peer";
        self.call_of(peer, "Ping", "", Writer::default()).map(drop)
    }

    /// Moves a process into the unit's cgroup, or `below` it.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Bus`].
    pub(super) fn attach(&mut self, name: &str, below: &str, pid: i32) -> Result<()> {
        let body = Writer::default()
            .text(name)
            .text(below)
            .u32s(&[pid.unsigned_abs()]);
        self.call("AttachProcessesToUnit", "ssau", body).map(drop)
    }

    /// Stops a unit and waits until it has stopped; forgets that it failed.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Bus`].
    pub(super) fn stop(&mut self, name: &str) -> Result<()> {
        self.listen()?;
        let body = Writer::default().text(name).text("replace");
        match self.call("StopUnit", "ss", body).and_then(job) {
            Ok((job, sender)) => drop(self.wait(&job, &sender)?),
            Err(Error::Refused { name, .. }) if is(&name, "NoSuchUnit") => return Ok(()),
            Err(other) => return Err(other),
        }
        self.reset(name)
    }

    /// Whether a unit is there and has no process.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Bus`].
    pub(super) fn is_empty(&mut self, name: &str) -> Result<bool> {
        match self.call("GetUnitProcesses", "s", Writer::default().text(name)) {
            Ok(answer) => {
                let mut body = answer.body("a(sus)").map_err(malformed)?;
                // The list's length in bytes.
                Ok(body.u32().map_err(malformed)? == 0)
            }
            Err(Error::Refused { name, .. }) if is(&name, "NoSuchUnit") => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn reset(&mut self, name: &str) -> Result<()> {
        match self.call("ResetFailedUnit", "s", Writer::default().text(name)) {
            Err(Error::Refused { name, .. }) if is(&name, "NoSuchUnit") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Asks to be told when jobs end. Without a bus in between everybody is told.
    fn listen(&mut self) -> Result<()> {
        if self.bus.direct {
            return Ok(());
        }
        let rule = format!(
            "type='signal',sender='{NAME}',path='{PATH}',interface='{MANAGER}',member='JobRemoved'"
        );
        self.bus
            .ask_the_bus("AddMatch", "s", Writer::default().text(&rule))?;
        self.call("Subscribe", "", Writer::default()).map(drop)
    }

    /// Waits until a job has ended: its result. On a bus anybody may send signals, so it must come
    /// from whoever answered the call.
    fn wait(&mut self, job: &str, sender: &str) -> Result<String> {
        self.bus.signal(|message| {
            if message.sender != sender || message.interface != MANAGER {
                return None;
            }
            removed(message)
                .filter(|(ended, _)| ended == job)
                .map(|(_, result)| result)
        })
    }

    /// The version, such as 252; 0 when it says something else.
    fn version(&mut self) -> Result<u32> {
        if let Some(version) = self.version {
            return Ok(version);
        }
        let which = Writer::default().text(MANAGER).text("Version");
        let answer = self.call_of("org.freedesktop.DBus.Properties", "Get", "ss", which)?;
        let mut body = answer.body("v").map_err(malformed)?;
        let version = number(body.variant_text().map_err(malformed)?);
        self.version = Some(version);
        Ok(version)
    }

    fn call(&mut self, member: &'static str, signature: &str, body: Writer) -> Result<Message> {
        self.call_of(MANAGER, member, signature, body)
    }

    /// As [`Manager::call`], of another interface of the same object.
    fn call_of(
        &mut self,
        interface: &str,
        member: &'static str,
        signature: &str,
        body: Writer,
    ) -> Result<Message> {
        self.bus.call(&Call {
            destination: NAME,
            path: PATH,
            interface,
            member,
            signature,
            body,
        })
    }
}

/// Whether an error is this one of systemd's.
fn is(name: &str, error: &str) -> bool {
    name.strip_prefix(NAME)
        .and_then(|rest| rest.strip_prefix('.'))
        == Some(error)
}

/// The job of an answer, and who gave it.
fn job(answer: Message) -> Result<(String, String)> {
    let mut body = answer.body("o").map_err(malformed)?;
    let job = body.text().map_err(malformed)?.to_owned();
    body.end().map_err(malformed)?;
    Ok((job, answer.sender))
}

/// Job and result of a `JobRemoved`. One that is not as it should be is none.
fn removed(message: &Message) -> Option<(String, String)> {
    if message.member != "JobRemoved" {
        return None;
    }
    let mut body = message.body("uoss").ok()?;
    body.u32().ok()?;
    let job = body.text().ok()?.to_owned();
    body.text().ok()?;
    let result = body.text().ok()?.to_owned();
    body.end().ok()?;
    Some((job, result))
}

/// `v245.4-1.fc32` → 245.
pub(super) fn number(version: &str) -> u32 {
    let digits = version.trim_start_matches('v');
    let end = digits
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}
