//! Handshakes with certificates that openssl has made.

use std::sync::{Arc, Mutex};

use testkit::registry::certify;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::*;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        certify(directory.path());
        Place(directory)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn files(&self, client_ca: bool) -> Files {
        Files {
            certificates: self.at("server.pem"),
            key: self.at("server.key"),
            client_ca: client_ca.then(|| self.at("ca.pem")),
        }
    }

    fn tls(&self, client_ca: bool) -> Arc<Tls> {
        let patience = Duration::from_secs(10);
        Arc::new(Tls::load(self.files(client_ca), patience, |_| {}).unwrap())
    }

    fn client(&self, identity: bool) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.at("ca.pem")).unwrap() {
            roots.add(certificate).unwrap();
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            false => builder.with_no_client_auth(),
            true => {
                let key = PrivateKeyDer::from_pem_file(self.at("client.key")).unwrap();
                let chain = certificates(&self.at("client.pem")).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

/// The serial number of the certificate that the server showed, and the protocol that was agreed on.
async fn meet(tls: &Arc<Tls>, client: TlsConnector) -> io::Result<(Vec<u8>, Option<Vec<u8>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let tls = tls.clone();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = tls.accept(stream).await?;
        stream.write_all(b"x").await?;
        stream.shutdown().await
    });
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(address).await?;
    let mut stream = client.connect(name, stream).await?;
    // A certificate that is not there is noticed only here.
    stream.read_u8().await?;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().unwrap()[0].to_vec();
    let agreed = session.alpn_protocol().map(<[u8]>::to_vec);
    served.await.unwrap()?;
    Ok((shown, agreed))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

fn look_again(tls: &Tls) {
    tls.config.look_again();
}

#[test]
fn a_client_that_trusts_the_authority_gets_in() {
    let place = Place::new();
    let (shown, agreed) = run(meet(&place.tls(false), place.client(false))).unwrap();
    let own = certificates(&place.at("server.pem")).unwrap();
    assert_eq!(shown, own[0].to_vec());
    assert_eq!(agreed.as_deref(), Some(&b"http/1.1"[..]));
    let stranger = Place::new();
    assert!(run(meet(&place.tls(false), stranger.client(false))).is_err());
}

#[test]
fn with_client_ca_a_certificate_is_needed() {
    let (place, stranger) = (Place::new(), Place::new());
    let tls = place.tls(true);
    assert!(run(meet(&tls, place.client(true))).is_ok());
    assert!(run(meet(&tls, place.client(false))).is_err());
    // Somebody else's certificate.
    for name in ["client.pem", "client.key"] {
        std::fs::copy(stranger.at(name), place.at(name)).unwrap();
    }
    assert!(run(meet(&tls, place.client(true))).is_err());
}

#[test]
fn renewed_files_are_taken_without_a_restart() {
    let place = Place::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let warn = {
        let told = told.clone();
        move |error: Error| told.lock().unwrap().push(error.to_string())
    };
    let patience = Duration::from_secs(10);
    let tls = Arc::new(Tls::load(place.files(false), patience, warn).unwrap());
    let (before, _) = run(meet(&tls, place.client(false))).unwrap();
    // The authority is new, too: only a client that knows it gets in.
    let renewed = Place::new();
    std::fs::copy(renewed.at("server.pem"), place.at("server.pem")).unwrap();
    look_again(&tls);
    let (half, _) = run(meet(&tls, place.client(false))).unwrap();
    assert_eq!(half, before);
    assert_eq!(told.lock().unwrap().len(), 1);
    assert!(told.lock().unwrap()[0].contains("does not fit"));
    std::fs::copy(renewed.at("server.key"), place.at("server.key")).unwrap();
    look_again(&tls);
    let (after, _) = run(meet(&tls, renewed.client(false))).unwrap();
    assert_ne!(after, before);
    std::fs::remove_file(place.at("server.key")).unwrap();
    look_again(&tls);
    assert!(run(meet(&tls, renewed.client(false))).is_ok());
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[test]
fn files_that_are_wrong_are_told_apart() {
    let place = Place::new();
    let load = |certificates: &str, key: &str, client_ca: Option<&str>| {
        let files = Files {
            certificates: place.at(certificates),
            key: place.at(key),
            client_ca: client_ca.map(|name| place.at(name)),
        };
        let error = Tls::load(files, Duration::from_secs(1), |_| {}).unwrap_err();
        (error.to_string(), error.hint().unwrap_or_default())
    };
    std::fs::write(place.at("empty"), "").unwrap();
    std::fs::write(place.at("torn"), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    std::fs::write(
        place.at("junk"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for (certificates, key, client_ca, want) in [
        (
            "server.pem",
            "client.key",
            None,
            "does not fit the certificate",
        ),
        ("ca.pem", "server.key", None, "does not fit the certificate"),
        (
            "server.pem",
            "server.pem",
            None,
            "there is no private key in it",
        ),
        ("server.pem", "empty", None, "there is no private key in it"),
        ("server.pem", "none", None, "cannot read the key"),
        ("none", "server.key", None, "cannot read the certificate"),
        (
            "server.key",
            "server.key",
            None,
            "there is no certificate in it",
        ),
        ("torn", "server.key", None, "is not a PEM file"),
        ("junk", "server.key", None, "cannot be understood"),
        ("server.pem", "server.key", Some("junk"), "no authority's"),
        ("server.pem", "server.key", Some("none"), "cannot read"),
    ] {
        let (said, hint) = load(certificates, key, client_ca);
        assert!(said.contains(want), "{certificates} {key}: {said}");
        assert!(said.contains("cannot read") || !hint.is_empty(), "{said}");
    }
}

/// G10.
#[test]
fn who_does_not_shake_hands_is_left() {
    let place = Place::new();
    let tls = Tls::load(place.files(false), Duration::from_millis(100), |_| {}).unwrap();
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (stream, _) = listener.accept().await.unwrap();
        let error = tls.accept(stream).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
        // Nor who speaks something else.
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(tls.accept(stream).await.is_err());
    });
}
