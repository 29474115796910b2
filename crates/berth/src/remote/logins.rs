//! The logins that go along with a verb: those for the registries of the images that it names, and no others.

use berth_engine::login::Server;
use berth_oci::Reference;

use crate::pull::registries;
use crate::ui::diagnostic::Failure;

/// What `DOCKER_AUTH_CONFIG` is to say over there; `None`: there is no login to bring.
///
/// # Errors
/// A login cannot be read.
pub fn of<'a>(images: impl Iterator<Item = &'a str>) -> Result<Option<String>, Failure> {
    let mut servers = Vec::new();
    for image in images {
        // What is none is the verb's to refuse.
        let Ok(reference) = Reference::parse(image) else {
            continue;
        };
        let server = Server::parse(reference.domain())?;
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    Ok(registries()?.credentials.carry(&servers)?)
}
