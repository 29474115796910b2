//! Tokens: JSON Web Tokens, `header.claims.signature`, each in base64url.
//!
//! The key, and with it the algorithm, is the one that we were set up with. The header is only compared with that:
//! `alg` has to say the same, and what else it offers (`kid`, `jwk`, `jku`, `x5c`) chooses nothing (security: G11).
//!
//! Source: RFC 7515, RFC 7519; distribution specification's "Token Authentication Implementation".

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::EcdsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use berth_oci::image::parse_strict;
use serde::{Deserialize, Serialize};

use super::keys::PublicKey;
use super::scope::{Grant, MAX_ENTRIES};

/// Seconds that two clocks may differ.
const LEEWAY_S: f64 = 60.0;
/// Bytes of a token.
const MAX_BYTES: usize = 16 << 10;
/// Bytes of a subject, which is who asks.
const MAX_SUBJECT_BYTES: usize = 255;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// Who shows it; empty: anybody.
    #[serde(default)]
    pub sub: String,
    /// Which registries it is for.
    pub aud: Audience,
    /// Until when it is good, in seconds since 1970; of these three only this one has to be there.
    pub exp: f64,
    /// From when on it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<f64>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<f64>,
    /// What it is good for.
    #[serde(default)]
    pub access: Vec<Grant>,
}

/// One name or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    /// What has to be understood: nothing is.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// Not a token at all.
    Form,
    /// Another algorithm than our key's.
    Algorithm,
    /// Not signed by our key.
    Signature,
    /// Claims that are missing, of another type, or too many.
    Claims,
    /// Somebody else made it.
    Issuer,
    /// It is for another registry.
    Audience,
    /// It was good once.
    Expired,
    /// It will be good.
    Early,
}

/// Whose tokens are believed.
#[derive(Debug)]
pub struct Verifier {
    /// Whose signature.
    pub key: PublicKey,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub service: String,
}

impl Verifier {
    /// What the token says, at `now` (seconds since 1970).
    ///
    /// # Errors
    /// It is not to be believed.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, Invalid> {
        if token.len() > MAX_BYTES {
            return Err(Invalid::Form);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Invalid::Form)?;
        let decode = |text: &str| BASE64.decode(text).map_err(|_| Invalid::Form);
        let header: Header =
            parse_strict("the token's header", &decode(header)?).map_err(|_| Invalid::Form)?;
        if header.alg != self.key.algorithm() {
            return Err(Invalid::Algorithm);
        }
        let is_jwt = |typ: &String| typ.eq_ignore_ascii_case("jwt");
        if header.crit.is_some() || !header.typ.as_ref().is_none_or(is_jwt) {
            return Err(Invalid::Form);
        }
        // Nothing of the claims is looked at before.
        if !self.key.verifies(signed.as_bytes(), &decode(signature)?) {
            return Err(Invalid::Signature);
        }
        let claims: Claims =
            parse_strict("the token's claims", &decode(claims)?).map_err(|_| Invalid::Claims)?;
        self.check(&claims, now as f64)?;
        Ok(claims)
    }

    fn check(&self, claims: &Claims, now: f64) -> Result<(), Invalid> {
        if claims.iss != self.issuer {
            return Err(Invalid::Issuer);
        }
        let is_for_us = match &claims.aud {
            Audience::One(name) => *name == self.service,
            Audience::Several(names) => names.contains(&self.service),
        };
        if !is_for_us {
            return Err(Invalid::Audience);
        }
        if now >= claims.exp + LEEWAY_S {
            return Err(Invalid::Expired);
        }
        // One that was made in the future is from a clock that is wrong.
        let begins = [claims.nbf, claims.iat];
        if begins.iter().flatten().any(|from| now + LEEWAY_S < *from) {
            return Err(Invalid::Early);
        }
        let named = claims.sub.len() <= MAX_SUBJECT_BYTES && !claims.sub.contains(char::is_control);
        if !named || claims.access.len() > MAX_ENTRIES {
            return Err(Invalid::Claims);
        }
        Ok(())
    }
}

/// A token that says `claims`, signed with ES256; `None`: no random numbers.
pub fn sign(claims: &Claims, key: &EcdsaKeyPair) -> Option<String> {
    let header = BASE64.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    let claims = BASE64.encode(serde_json::to_vec(claims).expect("words and numbers"));
    let signed = format!("{header}.{claims}");
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
    Some(format!("{signed}.{}", BASE64.encode(signature)))
}

#[cfg(test)]
pub(crate) mod tests;
