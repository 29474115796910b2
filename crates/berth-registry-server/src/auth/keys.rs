//! Keys of tokens: our own, which signs, and an outside issuer's, which only verifies.
//!
//! Ours is `ROOT/token.key`: ECDSA on P-256, PKCS #8 in DER, made when it is not there, readable by its owner only.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};
use berth_fs::Durability;
use berth_model::ErrorKind;
use tokio_rustls::rustls::pki_types::SubjectPublicKeyInfoDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use crate::setup::Error;
use berth_serve::files;

/// Bytes of a key's file.
const MAX_BYTES: u64 = 64 << 10;
/// Below the root.
const OWN_KEY: &str = "token.key";

/// A key that verifies, by the one algorithm that it is for.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: &'static str,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// Reads a PEM file (`BEGIN PUBLIC KEY`): ECDSA on P-256 (ES256), RSA from 2048 bits on (RS256), Ed25519 (EdDSA).
    ///
    /// # Errors
    /// It cannot be read, or is another kind of key.
    pub fn load(path: &Path) -> Result<PublicKey, Error> {
        let what = "the token issuer's public key";
        let bytes = files::read(path, what, MAX_BYTES)?;
        let bad = || berth_serve::Error::BadKey {
            what,
            path: path.to_owned(),
            reason: "it is not a PEM file of a public key: ECDSA on P-256, RSA (2048 bits or more) or Ed25519",
            hint: "of a certificate, `openssl x509 -in CERT -noout -pubkey` prints it",
        };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&bytes).map_err(|_| bad())?;
        Ok(PublicKey::from_der(&der).ok_or_else(bad)?)
    }

    /// Of a SubjectPublicKeyInfo.
    pub fn from_der(der: &[u8]) -> Option<PublicKey> {
        let parse = |algorithm, parsed: Result<ParsedPublicKey, _>| {
            let key = parsed.ok()?;
            Some(PublicKey { algorithm, key })
        };
        // A key is of one kind: no two of these take it.
        let ecdsa = || parse("ES256", ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der));
        let ed25519 = || parse("EdDSA", ParsedPublicKey::new(&ED25519, der));
        let rsa = || {
            parse(
                "RS256",
                ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der),
            )
        };
        // A modulus of 2048 bits has 256 bytes; a shorter one would only be refused when it verifies.
        ecdsa()
            .or_else(ed25519)
            .or_else(|| rsa().filter(|_| der.len() > 256))
    }

    /// As a token's header calls it.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// Whether `signature` of `message` was made by this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm)
    }
}

/// Our own key.
pub struct OwnKey(EcdsaKeyPair);

impl OwnKey {
    /// That of this root, made now if there is none.
    ///
    /// # Errors
    /// It cannot be read or written; others may read it; it is none.
    pub fn open(root: &Path) -> Result<OwnKey, Error> {
        let path = root.join(OWN_KEY);
        let what = "the key of tokens";
        if !path.exists() {
            make(root, &path)?;
        }
        let bytes = zeroize::Zeroizing::new(files::read(&path, what, MAX_BYTES)?);
        let bad = |reason, hint| berth_serve::Error::BadKey {
            what,
            path: path.clone(),
            reason,
            hint,
        };
        let mode = std::fs::metadata(&path).map(|m| m.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            let hint = "`chmod 600` it, or remove it: a new one is made";
            return Err(bad("others may read it", hint).into());
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &bytes);
        let damaged = |_| bad("it is damaged", "remove it: a new one is made");
        Ok(OwnKey(pair.map_err(damaged)?))
    }

    /// What signs.
    pub fn pair(&self) -> &EcdsaKeyPair {
        &self.0
    }

    /// What verifies.
    pub fn public(&self) -> PublicKey {
        let point = self.0.public_key().as_ref();
        PublicKey::from_der(point).expect("a key pair's own point is one of its curve")
    }
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnKey(…)")
    }
}

fn make(root: &Path, path: &Path) -> Result<(), Error> {
    let write = |source| Error::WriteFile {
        what: "the key of tokens",
        path: path.to_owned(),
        source,
    };
    let made = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let made = made.and_then(|pair| pair.to_pkcs8v1());
    let made = made.map_err(|_| Error::Random)?;
    let number = getrandom::u64().map_err(|_| Error::Random)?;
    let temporary = root.join(format!("{OWN_KEY}.{number:016x}"));
    berth_fs::atomic_write(&temporary, made.as_ref(), Durability::Durable).map_err(write)?;
    match berth_fs::rename_new(&temporary, path, Durability::Durable) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = std::fs::remove_file(&temporary);
            // Of two servers that begin at once, one has its way.
            match error.kind() {
                ErrorKind::AlreadyExists => Ok(()),
                _ => Err(write(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_key_is_made_once_and_is_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = OwnKey::open(dir.path()).unwrap();
        let again = OwnKey::open(dir.path()).unwrap();
        let point = |key: &OwnKey| key.0.public_key().as_ref().to_vec();
        assert_eq!(point(&first), point(&again));
        assert_eq!(first.public().algorithm(), "ES256");
        let path = dir.path().join(OWN_KEY);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = OwnKey::open(dir.path()).unwrap_err();
        assert!(error.hint().unwrap().contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "x").unwrap();
        assert!(OwnKey::open(dir.path()).is_err());
    }

    #[test]
    fn many_that_begin_at_once_have_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let points: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let open = || {
                OwnKey::open(dir.path())
                    .unwrap()
                    .0
                    .public_key()
                    .as_ref()
                    .to_vec()
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(points.iter().all(|point| *point == points[0]));
    }

    #[test]
    fn three_kinds_of_public_keys_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let make = |name: &str, arguments: &str| {
            let script = format!(
                "openssl genpkey {arguments} -out {0}.key && openssl pkey -in {0}.key -pubout -out {0}.pub",
                at(name).display()
            );
            let mut command = std::process::Command::new("sh");
            let patience = std::time::Duration::from_secs(60);
            testkit::Finished::run(command.args(["-c", &script]), b"", patience).ok();
            PublicKey::load(&at(&format!("{name}.pub")))
        };
        for (name, arguments, algorithm) in [
            (
                "p256",
                "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
                "ES256",
            ),
            (
                "rsa",
                "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
                "RS256",
            ),
            ("ed", "-algorithm ED25519", "EdDSA"),
        ] {
            assert_eq!(make(name, arguments).unwrap().algorithm(), algorithm);
        }
        for (name, arguments) in [
            ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
            ("short", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            ("x", "-algorithm X25519"),
        ] {
            let error = make(name, arguments).unwrap_err();
            assert!(error.hint().unwrap().contains("openssl"), "{name}: {error}");
        }
        // The private key in its place.
        assert!(PublicKey::load(&at("p256.key")).is_err());
        assert!(PublicKey::load(&at("none")).is_err());
    }
}
