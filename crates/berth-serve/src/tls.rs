//! TLS for those who come to us: a chain of certificates and its key, in PEM files that are read again when they have
//! changed, so that a renewed certificate needs no restart.
//!
//! HTTP/1.1 is the only protocol that is offered (ALPN). With `client_ca`, who has no certificate of that authority
//! does not get in at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::Error;
use crate::files::{self, Stamp, Watched};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Bytes of a file.
const MAX_BYTES: u64 = 1 << 20;

/// Which files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The server's certificate, and after it those that lead to its authority.
    pub certificates: PathBuf,
    /// Its key: PKCS #8, or PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// Authorities of which clients need a certificate.
    pub client_ca: Option<PathBuf>,
}

/// Shakes hands.
pub struct Tls {
    files: Files,
    timeout: Duration,
    config: Watched<Stamps, ServerConfig>,
    warn: Warn,
}

/// Is told what is wrong with files that have changed; the certificate then stays as it was.
type Warn = Box<dyn Fn(Error) + Send + Sync>;

type Stamps = [Option<Stamp>; 3];

impl Tls {
    /// With these files; a handshake may take `timeout`. `warn` is told what is wrong with files that have changed: the
    /// certificate then stays as it was.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be; the key is another certificate's.
    pub fn load(
        files: Files,
        timeout: Duration,
        warn: impl Fn(Error) + Send + Sync + 'static,
    ) -> Result<Tls, Error> {
        let config = Watched::load(LOOK_EVERY, || files.stamps(), || files.load())?;
        Ok(Tls {
            files,
            timeout,
            config,
            warn: Box::new(warn),
        })
    }

    /// Shakes hands with who has connected.
    ///
    /// # Errors
    /// He does not speak TLS, takes too long, or has no certificate that he needs.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.config());
        let shaken = tokio::time::timeout(self.timeout, acceptor.accept(stream)).await;
        shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// What the files say now. Files that do not fit together (one is renewed, the other not yet) change nothing.
    fn config(&self) -> Arc<ServerConfig> {
        self.config
            .now(|| self.files.stamps(), || self.files.load(), &self.warn)
    }
}

impl Files {
    fn stamps(&self) -> Stamps {
        let client_ca = self.client_ca.as_deref().and_then(Stamp::at);
        [
            Stamp::at(&self.certificates),
            Stamp::at(&self.key),
            client_ca,
        ]
    }

    fn load(&self) -> Result<ServerConfig, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = |source| Error::Tls {
            source: Box::new(source),
        };
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(tls)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    let added = roots.add(certificate);
                    added.map_err(|_| bad_certificate(path, "it is no authority's", NOT_CA))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
                let built = verifier.build().map_err(|source| Error::Tls {
                    source: Box::new(source),
                })?;
                builder.with_client_cert_verifier(built)
            }
        };
        let certified = Arc::new(self.certified(&provider)?);
        let resolver = tokio_rustls::rustls::sign::SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn certified(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        let bad = |reason, hint| Error::BadKey {
            what: "the key",
            path: self.key.clone(),
            reason,
            hint,
        };
        let bytes = zeroize::Zeroizing::new(files::read(&self.key, "the key", MAX_BYTES)?);
        let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => bad("there is no private key in it", KEY_FORMS),
            _ => bad("it is not a PEM file", KEY_FORMS),
        })?;
        let signer = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| bad("it is of a kind that TLS does not have", KEY_KINDS))?;
        let certified = CertifiedKey::new(certificates(&self.certificates)?, signer);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(tokio_rustls::rustls::Error::InconsistentKeys(_)) => Err(bad(
                "it does not fit the certificate",
                "the first certificate of the chain has to be the server's own, the authority's comes after it",
            )),
            Err(_) => Err(bad_certificate(
                &self.certificates,
                "its first certificate cannot be understood",
                "`openssl x509 -in FILE -noout -text` shows it",
            )),
        }
    }
}

const KEY_FORMS: &str = "it begins with `-----BEGIN PRIVATE KEY-----`, or `EC` or `RSA PRIVATE KEY`; an encrypted one is not taken";
const KEY_KINDS: &str = "ECDSA (P-256, P-384, P-521), RSA from 2048 bits on, or Ed25519";
const NOT_CA: &str =
    "`client_ca` is a PEM file of the authorities that made the clients' certificates";

fn bad_certificate(path: &Path, reason: &'static str, hint: &'static str) -> Error {
    Error::BadCertificate {
        path: path.to_owned(),
        reason,
        hint,
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    const HINT: &str = "a PEM file: it begins with `-----BEGIN CERTIFICATE-----`";
    let bytes = files::read(path, "the certificate", MAX_BYTES)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|_| bad_certificate(path, "it is not a PEM file", HINT))?;
    match all.is_empty() {
        true => Err(bad_certificate(path, "there is no certificate in it", HINT)),
        false => Ok(all),
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({})", self.files.certificates.display())
    }
}

#[cfg(test)]
mod tests;
