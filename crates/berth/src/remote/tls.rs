//! TLS to a daemon, both sides with certificates. Only certificates of the authority that is named are believed;
//! nothing turns that off.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::globals::{Tls, client_config};
use crate::ui::diagnostic::Failure;

/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket whose other end a thread keeps connected with the daemon.
///
/// # Errors
/// A certificate is missing; the daemon is not there, or not who it should be.
pub fn connect(host: &str, port: u16, tls: &Tls) -> Result<UnixStream, Failure> {
    let config = config(&files(tls)?)?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::new(format!("`{host}` cannot be the name of a certificate")))?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| Failure::of(&error))?;
    let (tell, told) = mpsc::channel();
    let address = (host.to_owned(), port);
    std::thread::spawn(move || {
        let run = || -> std::io::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let stream = tcp(&address)?;
            theirs.set_nonblocking(true)?;
            runtime.block_on(async {
                let mut inner = tokio::net::UnixStream::from_std(theirs)?;
                let stream = tokio::net::TcpStream::from_std(stream)?;
                let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream);
                let mut outer = tokio::time::timeout(PATIENCE, shaken)
                    .await
                    .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))?;
                // Nobody waits any more when the verb was given up.
                let _ = tell.send(Ok(()));
                tokio::io::copy_bidirectional(&mut inner, &mut outer).await?;
                Ok(())
            })
        };
        if let Err(error) = run() {
            // Once it has begun, the end of the socket says the same.
            let _ = tell.send(Err(error));
        }
    });
    match told.recv() {
        Ok(Ok(())) => Ok(ours),
        Ok(Err(error)) => Err(Failure::of(&error)),
        Err(_) => Err(Failure::new("the connection's thread ended")),
    }
}

fn tcp((host, port): &(String, u16)) -> std::io::Result<TcpStream> {
    use std::net::ToSocketAddrs as _;
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in (host.as_str(), *port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

struct Files {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

/// Those that were named, else those of DOCKER_CERT_PATH or the client's directory.
fn files(tls: &Tls) -> Result<Files, Failure> {
    let place = match std::env::var_os("DOCKER_CERT_PATH").filter(|place| !place.is_empty()) {
        Some(place) => Some(PathBuf::from(place)),
        None => client_config(),
    };
    let or = |given: &Option<PathBuf>, name: &str| {
        let found = given.clone().or_else(|| Some(place.as_ref()?.join(name)));
        found.ok_or_else(|| {
            Failure::new("there are no certificates")
                .hint("--tlscacert, --tlscert and --tlskey name them")
        })
    };
    Ok(Files {
        ca: or(&tls.tlscacert, "ca.pem")?,
        certificate: or(&tls.tlscert, "cert.pem")?,
        key: or(&tls.tlskey, "key.pem")?,
    })
}

fn config(files: &Files) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots
            .add(certificate)
            .map_err(|error| bad(&files.ca, &error))?;
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| bad(&files.key, &error))?;
    let tls = |error: tokio_rustls::rustls::Error| {
        Failure::of(&error).within("cannot use the certificates")
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(roots);
    let mut config = builder
        .with_client_auth_cert(certificates(&files.certificate)?, key)
        .map_err(tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| bad(path, &error))?;
    let all: Result<Vec<_>, _> = read.collect();
    let all = all.map_err(|error| bad(path, &error))?;
    match all.is_empty() {
        true => Err(Failure::new(format!(
            "there is no certificate in `{}`",
            path.display()
        ))),
        false => Ok(all),
    }
}

fn bad(path: &Path, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::of(error)
        .within(format!("cannot read `{}`", path.display()))
        .hint("--tlscacert, --tlscert and --tlskey name the files; docker's are taken, too")
}
