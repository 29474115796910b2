//! Debian's docker-registry that wants to see a client's certificate.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use berth_oci::{Descriptor, Reference, media};
use berth_registry::{Bytes, Client, Config, Error, PushOptions, PushedBlob, Registries, Registry};
use testkit::registry::Options;

fn run<T>(future: impl Future<Output = T>) -> T {
    berth_registry::runtime().unwrap().block_on(future)
}

fn push(config: Config, to: &Reference, bytes: &'static [u8]) -> Result<PushedBlob, Error> {
    let bytes = Bytes::from_static(bytes);
    let blob = Descriptor::of(media::LAYER_TAR, &bytes);
    let client = Client::new(config);
    run(client.push_blob(to, &blob, Arc::new(bytes), &PushOptions::default()))
}

#[test]
fn a_client_shows_who_it_is() {
    let server = testkit::Registry::start(Options {
        tls: true,
        certificates: true,
        ..Options::default()
    });
    let name = Reference::parse(&format!("{}/team/app:1", server.host())).unwrap();
    let (certificate, key) = server.identity();
    let entry = Registry {
        host: server.host(),
        ca: Some(server.authority()),
        ..Registry::default()
    };
    let with = |entry: Registry| Config {
        registries: Registries::default().with(entry),
        ..Config::default()
    };
    let error = push(with(entry.clone()), &name, b"a").unwrap_err();
    assert!(
        matches!(error, Error::Connect { .. } | Error::Request { .. }),
        "{error:?}"
    );
    let own = Registry {
        client_cert: Some(certificate.clone()),
        client_key: Some(key.clone()),
        ..entry.clone()
    };
    assert_eq!(
        push(with(own.clone()), &name, b"a").unwrap(),
        PushedBlob::Uploaded
    );

    // As Docker has it: authorities and pair in a directory of the host's name.
    let docker = tempfile::tempdir().unwrap();
    let here = docker.path().join(server.host());
    std::fs::create_dir(&here).unwrap();
    std::fs::copy(server.authority(), here.join("ca.crt")).unwrap();
    std::fs::copy(&certificate, here.join("me.cert")).unwrap();
    let strict = Registry {
        insecure: Some(false),
        ca: None,
        ..entry
    };
    let config = |registry: &Registry| Config {
        docker_certs: vec![docker.path().to_owned()],
        ..with(registry.clone())
    };
    let error = push(config(&strict), &name, b"b").unwrap_err();
    assert!(matches!(error, Error::NoKey { .. }), "{error:?}");
    std::fs::copy(&key, here.join("me.key")).unwrap();
    assert_eq!(
        push(config(&strict), &name, b"b").unwrap(),
        PushedBlob::Uploaded
    );

    // Nonsense is told by its name.
    let swapped = Registry {
        client_cert: Some(server.authority()),
        client_key: Some(server.authority()),
        ..own
    };
    let error = push(with(swapped), &name, b"c").unwrap_err();
    assert!(matches!(error, Error::ParseIdentity { .. }), "{error:?}");
}
