//! `berth context`: named daemons, in the same files as docker's.

pub mod create;
pub mod export;
pub mod import;
pub mod inspect;
pub mod ls;
pub mod rm;
pub mod show;
pub mod update;
pub mod use_;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::remote::contexts::{Context, Contexts, DEFAULT, Endpoint, TLS_FILES};
use crate::remote::host::Host;
use crate::ui::diagnostic::Failure;

/// Bytes of a certificate or key.
const MAX_PEM_BYTES: u64 = 1 << 20;

/// What `--docker` says: `host=…,ca=…,cert=…,key=…,from=…`.
#[derive(Debug, Default)]
pub struct Given {
    host: Option<String>,
    from: Option<String>,
    /// By the names that they are kept under.
    files: BTreeMap<String, Vec<u8>>,
}

impl Given {
    /// Reads the values of all `--docker`, and the files that they name.
    pub fn parse(texts: &[String]) -> Result<Given, Failure> {
        let mut given = Given::default();
        let pairs = texts.iter().flat_map(|text| text.split(','));
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Failure::new(format!("`{pair}` is not of the form key=value")))?;
            match key.trim() {
                "host" => given.host = Some(Host::parse(value)?.to_string()),
                "from" => given.from = Some(value.to_owned()),
                "skip-tls-verify" => match berth_model::truth::parse(value) {
                    Some(false) => {}
                    Some(true) => {
                        return Err(Failure::new("a daemon is always verified")
                            .hint("name who has signed its certificate: ca=FILE"));
                    }
                    None => {
                        return Err(Failure::new(format!("`{pair}` is neither true nor false")));
                    }
                },
                key @ ("ca" | "cert" | "key") => {
                    let bytes = pem(&PathBuf::from(value))?;
                    given.files.insert(format!("{key}.pem"), bytes);
                }
                other => {
                    return Err(Failure::new(format!("`{other}` is nothing of a daemon"))
                        .hint("there are host, ca, cert, key, from"));
                }
            }
        }
        Ok(given)
    }

    /// The endpoint that is meant, and its files, if anything of them was said.
    pub fn endpoint(self, contexts: &Contexts) -> Result<(Endpoint, Option<Files>), Failure> {
        let (mut endpoint, mut files) = match &self.from {
            Some(name) => of(contexts, name)?,
            None => (Endpoint::default(), Files::new()),
        };
        if let Some(host) = self.host {
            endpoint.host = host;
        }
        files.extend(self.files);
        let is_tcp = endpoint.host.starts_with("tcp://");
        if is_tcp && files.keys().filter(|name| *name != "ca.pem").count() == 1 {
            return Err(Failure::new("a certificate and its key belong together")
                .hint("give both: cert=FILE,key=FILE"));
        }
        Ok((endpoint, Some(files).filter(|files| !files.is_empty())))
    }
}

/// Files of TLS by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The endpoint of a context, and its files.
pub fn of(contexts: &Contexts, name: &str) -> Result<(Endpoint, Files), Failure> {
    let context = look(contexts, name)?;
    let mut files = Files::new();
    for file in TLS_FILES {
        let path = contexts.tls(name).join(file);
        if name != DEFAULT && path.is_file() {
            files.insert(file.to_owned(), pem(&path)?);
        }
    }
    Ok((context.endpoint().cloned().unwrap_or_default(), files))
}

/// The context of that name; `default` is made up: this machine, or what the environment says.
pub fn look(contexts: &Contexts, name: &str) -> Result<Context, Failure> {
    match name {
        DEFAULT => Ok(Context::new(DEFAULT, "", &crate::remote::default_host())),
        name => contexts.get(name),
    }
}

fn pem(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let within = || format!("cannot read `{}`", path.display());
    let size = std::fs::metadata(path).map(|metadata| metadata.len());
    if size.is_ok_and(|size| size > MAX_PEM_BYTES) {
        return Err(Failure::new("it is larger than 1 MiB").within(within()));
    }
    std::fs::read(path).map_err(|error| Failure::of(&error).within(within()))
}
