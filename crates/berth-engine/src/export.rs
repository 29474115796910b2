//! Reading a container's files: `export` (all that it sees, as an archive), `diff` (what it changed) and the layer of
//! `commit`. A child does it, for a rootless engine inside the user namespace that owns the files: see
//! `berth_layer::export`.
//!
//! Mounts are not entered: the layers are read, not the container's own view of them.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use berth_layer::child::Failure;
use berth_layer::export::{Request, What, parse_changes};
use berth_model::task::RootfsMount;
use berth_model::{ContainerConfig, ContainerId, ErrorKind};

use crate::error::Chain;
use crate::{Engine, Error, spec};

pub use berth_layer::Change;
/// The child's side: the main function behind `berth internal export`.
pub use berth_layer::export::main as child;

/// More than any complaint is an attack or a bug.
const COMPLAINT_BYTES: u64 = 1 << 20;

impl Engine {
    /// Writes all that the container sees, without what is mounted in it, as an archive to `output`.
    ///
    /// # Errors
    /// [`Error::ReadFiles`], [`Error::NoContainer`].
    pub fn export(&self, id: &ContainerId, output: Stdio) -> Result<(), Error> {
        let config = self.config(id)?;
        let child = self.reader(&config, What::Tree, None, output)?;
        self.finish(&config, child)?;
        self.record(self.container_event(&config, "export"));
        Ok(())
    }

    /// What the container changed, by clean path without its first `/`.
    ///
    /// # Errors
    /// As [`Engine::export`].
    pub fn diff(&self, id: &ContainerId) -> Result<Vec<(Change, Vec<u8>)>, Error> {
        let config = self.config(id)?;
        let mut list = Vec::new();
        self.read(&config, What::Changes, None, &mut list)?;
        Ok(parse_changes(&list))
    }

    /// Writes what the container changed as a layer to `output`; no time in it is later than `latest_s`.
    pub(crate) fn read_layer(
        &self,
        config: &ContainerConfig,
        latest_s: Option<i64>,
        output: &mut impl Write,
    ) -> Result<(), Error> {
        self.read(config, What::Layer, latest_s, output)
    }

    fn read(
        &self,
        config: &ContainerConfig,
        what: What,
        latest_s: Option<i64>,
        output: &mut impl Write,
    ) -> Result<(), Error> {
        let mut child = self.reader(config, what, latest_s, Stdio::piped())?;
        let copied = match child.stdout.take() {
            Some(mut stdout) => std::io::copy(&mut stdout, output),
            None => Ok(0),
        };
        let finished = self.finish(config, child);
        // Whose output is not taken any more ends, and has less to say than who did not take it: a full disk.
        copied.map_err(|source| Error::Io {
            action: "copy the files of the container",
            path: config.id.short().into(),
            source,
        })?;
        finished
    }

    fn reader(
        &self,
        config: &ContainerConfig,
        what: What,
        mtime_clamp_secs: Option<i64>,
        output: Stdio,
    ) -> Result<Child, Error> {
        let root = self.root_of(config)?;
        let layers = match root {
            RootfsMount::Overlay { lower, upper, .. } => {
                std::iter::once(upper).chain(lower).collect()
            }
            RootfsMount::Bind { source } if what == What::Tree => vec![source],
            RootfsMount::Bind { .. } => {
                return Err(Error::Invalid {
                    message: "what a container changed is known of overlays only".to_owned(),
                    hint: Some("`berth export` writes all of it".to_owned()),
                });
            }
        };
        let request = Request {
            what,
            layers,
            ours: ours(config),
            mtime_clamp_secs,
        };
        let mut command = if self.options.rootless {
            self.in_namespace("export")
        } else {
            let mut command = Command::new(&self.options.berth);
            command.env_clear().args(["internal", "export"]);
            command
        };
        let helper = |source| Error::Helper {
            program: self.options.berth.clone(),
            source,
        };
        let request = serde_json::to_string(&request).map_err(|e| helper(e.into()))?;
        command
            .arg(request)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(helper)
    }

    fn finish(&self, config: &ContainerConfig, mut child: Child) -> Result<(), Error> {
        let mut complaint = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            // What could not be read is missing from the complaint, which then is none.
            let _ = stderr.take(COMPLAINT_BYTES).read_to_end(&mut complaint);
        }
        let status = child.wait().map_err(|source| Error::Helper {
            program: self.options.berth.clone(),
            source,
        })?;
        if status.success() {
            return Ok(());
        }
        let id = config.id.short().to_owned();
        Err(match serde_json::from_slice::<Failure>(&complaint) {
            Ok(failure) => Error::ReadFiles {
                id,
                kind: failure.kind,
                hint: failure.hint,
                source: Chain::of(&failure.message, &failure.causes),
            },
            Err(_) => Error::ReadFiles {
                id,
                kind: ErrorKind::Internal,
                hint: None,
                source: Chain::of(
                    &format!("its reader ended without a report ({status})"),
                    &[String::from_utf8_lossy(&complaint).trim().to_owned()],
                ),
            },
        })
    }
}

/// What the runtime makes in the writable layer to mount Docker's defaults onto, where the image has it not.
fn ours(config: &ContainerConfig) -> Vec<String> {
    let always = [
        "dev",
        "proc",
        "sys",
        "etc",
        "etc/hosts",
        "etc/hostname",
        "etc/resolv.conf",
    ];
    let init = spec::INIT_PATH.trim_start_matches('/');
    let init = config.init.then_some([init, "sbin"]).into_iter().flatten();
    always.into_iter().chain(init).map(str::to_owned).collect()
}
