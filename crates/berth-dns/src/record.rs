//! What the engine writes down for the resolver, which has no truth of its own.
//!
//! ```text
//! RUN_DIR/tasks/<id>/dns.json                 Task: there while the container is served
//!                    pid.json                 its init (the shim's): after its end nothing is served
//! RUN_DIR/networks/<network>/names/<id>       Names: there while the container runs and is in the network
//! RUN_DIR/dns/{lock, sock}                    the process that answers
//! ```
//! Files are replaced whole, by a rename; the resolver sees each change before it answers the next question.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// `dns.json`: how a container's questions are answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// 1.
    pub schema: u32,
    /// Its networks; the first one that knows a name answers.
    pub networks: Vec<Joined>,
    /// The name servers that the user named, asked from inside the container's namespace; none: those of the host's
    /// `/etc/resolv.conf`, asked from the host.
    #[serde(default)]
    pub servers: Vec<IpAddr>,
    /// Whether what nobody here knows is asked elsewhere: not where all networks are internal.
    pub forward: bool,
    /// The user set `ndots` above 0: names of one label are for the search list, and never asked elsewhere.
    #[serde(default)]
    pub ndots: bool,
}

/// A network that a container is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Its id.
    pub id: String,
    /// Its name, for `web.NETWORK` and the answers to reverse look-ups.
    pub name: String,
    /// Names that this container alone has for others: alias → name in the network.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
}

/// What a container is called in a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// 1.
    pub schema: u32,
    /// The container's own name, its aliases, its short id. The first one is what reverse look-ups tell.
    pub names: Vec<String>,
    /// Of IPv4 and IPv6.
    pub addresses: Vec<IpAddr>,
}

/// `dns.json` of a container.
pub fn task(run_dir: &Path, container: &str) -> PathBuf {
    run_dir.join("tasks").join(container).join("dns.json")
}

/// The directory of a network's names.
pub fn names(run_dir: &Path, network: &str) -> PathBuf {
    run_dir.join("networks").join(network).join("names")
}

/// Reads a record; `None`: there is none.
///
/// # Errors
/// [`Error::Record`](crate::Error::Record).
pub fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> crate::Result<Option<T>> {
    let fail = |source| crate::Error::Record {
        path: path.to_owned(),
        source,
    };
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| fail(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_a_meaning() {
        let text = r#"{"schema":1,"networks":[{"id":"ab","name":"front"}],"forward":true}"#;
        let task: Task = serde_json::from_str(text).unwrap();
        assert!(task.servers.is_empty() && !task.ndots && task.networks[0].links.is_empty());
        let missing = read::<Task>(Path::new("/no/such/file")).unwrap();
        assert_eq!(missing, None);
    }
}
