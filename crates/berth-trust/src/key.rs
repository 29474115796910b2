//! Keys: ECDSA on the curve P-256, in the files that sigstore's tools have.
//!
//! ```text
//! -----BEGIN PUBLIC KEY-----                  SubjectPublicKeyInfo, DER
//! -----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----   JSON: see kdf.rs; or, as before 2023, … COSIGN …
//! ```
//! Source: RFC 5480, section 2; sigstore's cosign, KEY_MANAGEMENT.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey,
};
use berth_oci::Digest;
use zeroize::Zeroizing;

use crate::kdf::LockedKey;
use crate::{Error, kdf, pem};

const PUBLIC: &str = "PUBLIC KEY";
/// Written: skopeo 1.9 knows no other.
const COSIGN: &str = "ENCRYPTED COSIGN PRIVATE KEY";
const SIGSTORE: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";

/// The DER of a key on P-256 before its point: the algorithm, and the point's length.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Object identifiers in other keys, for messages.
const OTHERS: [(&[u8], &str); 3] = [
    (
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
        "one of another curve",
    ),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01], "an RSA key"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x70], "an Ed25519 key"),
];

/// What protects a private key; it is overwritten when dropped.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// The bytes as they are.
    pub fn new(bytes: Vec<u8>) -> Passphrase {
        Passphrase(Zeroizing::new(bytes))
    }

    /// Of a file: without the line break at its end.
    pub fn of_file(bytes: Vec<u8>) -> Passphrase {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Passphrase(bytes)
    }

    /// Nothing to guess.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Passphrase) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// A key that verifies.
#[derive(Clone)]
pub struct PublicKey {
    spki: Vec<u8>,
    parsed: ParsedPublicKey,
}

impl PublicKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// Not PEM of one public key; another kind of key than ECDSA on P-256; not a point of the curve.
    pub fn from_pem(file: &[u8]) -> Result<PublicKey, Error> {
        let spki = pem::decode("public key", file, &[PUBLIC])?;
        let Some(point) = spki.strip_prefix(&SPKI) else {
            let other = OTHERS
                .iter()
                .find(|(id, _)| spki.windows(id.len()).any(|w| w == *id));
            return Err(Error::UnsupportedKey {
                found: other.map_or("something else", |(_, name)| name),
            });
        };
        PublicKey::of_point(point)
    }

    fn of_point(point: &[u8]) -> Result<PublicKey, Error> {
        // Longer or shorter points than the uncompressed one are others' forms.
        let parsed = match point {
            [4, rest @ ..] if rest.len() == 64 => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok()
            }
            _ => None,
        };
        let parsed = parsed.ok_or(Error::InvalidKey { what: "public" })?;
        let spki = [&SPKI, point].concat();
        Ok(PublicKey { spki, parsed })
    }

    /// The PEM file.
    pub fn to_pem(&self) -> String {
        pem::encode(PUBLIC, &self.spki)
    }

    /// The name of the key itself, whatever its file is called: the digest of its DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.spki)
    }

    /// Whether `signature` (DER) of `message` was made by this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.spki == other.spki
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

impl LockedKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// Not PEM of one encrypted private key; an encryption that is not known.
    pub fn from_pem(file: &[u8]) -> Result<LockedKey, Error> {
        let what = "private key of sigstore's form";
        kdf::parse(&pem::decode(what, file, &[COSIGN, SIGSTORE])?)
    }

    /// The key itself.
    ///
    /// # Errors
    /// A wrong passphrase; another kind of key than ECDSA on P-256.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<PrivateKey, Error> {
        let pkcs8 = self.open(&passphrase.0)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8);
        pair.map(PrivateKey)
            .map_err(|_| Error::InvalidKey { what: "private" })
    }
}

/// A key that signs.
pub struct PrivateKey(EcdsaKeyPair);

impl PrivateKey {
    /// A new one.
    ///
    /// # Errors
    /// No random numbers.
    pub fn generate() -> Result<PrivateKey, Error> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        pair.map(PrivateKey).map_err(|_| Error::Random)
    }

    /// The PEM file.
    ///
    /// # Errors
    /// No random numbers.
    pub fn to_pem(&self, passphrase: &Passphrase) -> Result<String, Error> {
        let pkcs8 = self
            .0
            .to_pkcs8v1()
            .map_err(|_| Error::InvalidKey { what: "private" })?;
        let encrypted = kdf::encrypt(pkcs8.as_ref(), &passphrase.0)?;
        Ok(pem::encode(COSIGN, &encrypted))
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        let point = self.0.public_key().as_ref();
        PublicKey::of_point(point).expect("a key pair's own point is one of its curve")
    }

    /// The signature (DER) of `message`.
    ///
    /// # Errors
    /// No random numbers.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        signature
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| Error::Random)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public().fingerprint())
    }
}

#[cfg(test)]
mod tests;
