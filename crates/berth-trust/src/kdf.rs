//! What a private key's PEM block holds: PKCS#8, encrypted under a passphrase, as JSON.
//!
//! ```text
//! {"kdf":    {"name": "scrypt", "params": {"N": 65536, "r": 8, "p": 1}, "salt": base64},
//!  "cipher": {"name": "nacl/secretbox", "nonce": base64},
//!  "ciphertext": base64}
//! ```
//! The costs are the file's word, so they are taken within limits only. We write what all of sigstore's tools
//! read: those of before 2022 want N to be at least 32768, later ones want one of the powers from there to 131072.
//! Source: the `encrypted` package of go-tuf and go-securesystemslib.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_oci::image::parse_strict;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Error;
use crate::limits::SCRYPT_N;
use crate::secretbox::{KEY, NONCE, open, seal};

const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
const N: u64 = 1 << 16;
const R: u64 = 8;
const P: u64 = 1;
const SALT: usize = 32;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u64,
    p: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    name: String,
    nonce: String,
}

/// `secret` under `passphrase`.
///
/// # Errors
/// No random numbers.
pub(crate) fn encrypt(secret: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, Error> {
    let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
    for random in [&mut salt[..], &mut nonce[..]] {
        aws_lc_rs::rand::fill(random).map_err(|_| Error::Random)?;
    }
    let params = Params { n: N, r: R, p: P };
    let key = stretch(passphrase, &salt, &params)?;
    let file = File {
        kdf: Kdf {
            name: KDF.into(),
            params,
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher {
            name: CIPHER.into(),
            nonce: STANDARD.encode(nonce),
        },
        ciphertext: STANDARD.encode(seal(secret, &nonce, &key)),
    };
    serde_json::to_vec(&file).map_err(|source| Error::EncodeKey { source })
}

/// A private key that still needs its passphrase.
pub struct LockedKey {
    params: Params,
    salt: Vec<u8>,
    nonce: [u8; NONCE],
    sealed: Vec<u8>,
}

/// Reads a file, all but its secret.
///
/// # Errors
/// Not such a file, another cipher, costs beyond the limits.
pub(crate) fn parse(file: &[u8]) -> Result<LockedKey, Error> {
    let file: File =
        parse_strict("the private key", file).map_err(|source| Error::ParseKey { source })?;
    for (what, found, known) in [
        ("key derivation", &file.kdf.name, KDF),
        ("cipher", &file.cipher.name, CIPHER),
    ] {
        if found != known {
            return Err(Error::UnknownEncryption {
                what,
                found: found.chars().filter(|c| !c.is_control()).take(64).collect(),
            });
        }
    }
    let params = file.kdf.params;
    if !SCRYPT_N.contains(&params.n)
        || !params.n.is_power_of_two()
        || (params.r, params.p) != (R, P)
    {
        return Err(params.refused());
    }
    let bytes = |what, text: &str| {
        let bytes = STANDARD.decode(text);
        bytes.map_err(|_| Error::KeyBase64 { what })
    };
    let nonce = bytes("nonce", &file.cipher.nonce)?;
    Ok(LockedKey {
        params,
        salt: bytes("salt", &file.kdf.salt)?,
        nonce: nonce
            .try_into()
            .map_err(|_| Error::KeyBase64 { what: "nonce" })?,
        sealed: bytes("ciphertext", &file.ciphertext)?,
    })
}

impl LockedKey {
    /// What was encrypted.
    ///
    /// # Errors
    /// A wrong passphrase.
    pub(crate) fn open(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let key = stretch(passphrase, &self.salt, &self.params)?;
        open(&self.sealed, &self.nonce, &key).ok_or(Error::WrongPassphrase)
    }
}

impl Params {
    fn refused(&self) -> Error {
        Error::KeyCosts {
            n: self.n,
            r: self.r,
            p: self.p,
        }
    }
}

/// A passphrase is made into a key, at some cost.
fn stretch(passphrase: &[u8], salt: &[u8], costs: &Params) -> Result<Zeroizing<[u8; KEY]>, Error> {
    // Checked when they were read: they fit.
    let params = scrypt::Params::new(costs.n.ilog2() as u8, costs.r as u32, costs.p as u32);
    let params = params.map_err(|_| costs.refused())?;
    let mut key = Zeroizing::new([0; KEY]);
    scrypt::scrypt(passphrase, salt, &params, &mut *key).map_err(|_| costs.refused())?;
    Ok(key)
}
