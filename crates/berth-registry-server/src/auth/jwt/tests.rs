//! A test for each refusal (security: G11).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};

use super::*;
use crate::access::Rights;

const NOW: u64 = 1_800_000_000;

fn pair() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn verifier(pair: &EcdsaKeyPair) -> Verifier {
    Verifier {
        key: PublicKey::from_der(pair.public_key().as_ref()).unwrap(),
        issuer: "issuer".into(),
        service: "registry".into(),
    }
}

fn claims() -> Claims {
    Claims {
        iss: "issuer".into(),
        sub: "alice".into(),
        aud: Audience::One("registry".into()),
        exp: (NOW + 300) as f64,
        nbf: Some(NOW as f64),
        iat: Some(NOW as f64),
        access: vec![Grant::repository("a/b", Rights::PUSH)],
    }
}

/// A token of any header and claims, signed properly.
pub(crate) fn raw(header: &str, claims: &str, key: &EcdsaKeyPair) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64.encode(signature))
}

fn json(claims: &Claims) -> String {
    serde_json::to_string(claims).unwrap()
}

#[test]
fn what_is_signed_is_believed() {
    let key = pair();
    let token = sign(&claims(), &key).unwrap();
    assert_eq!(verifier(&key).verify(&token, NOW), Ok(claims()));
    let several = Claims {
        aud: Audience::Several(vec!["x".into(), "registry".into()]),
        nbf: None,
        iat: None,
        ..claims()
    };
    let token = sign(&several, &key).unwrap();
    assert_eq!(verifier(&key).verify(&token, NOW), Ok(several));
    // As others write them.
    let claims = format!(
        r#"{{"iss":"issuer","aud":"registry","exp":{}.5,"jti":"x","access":null}}"#,
        NOW + 1
    );
    let header = r#"{"kid":"AB:CD","alg":"ES256"}"#;
    let token = raw(header, &claims.replace(r#","access":null"#, ""), &key);
    assert_eq!(verifier(&key).verify(&token, NOW).unwrap().sub, "");
}

/// G11.
#[test]
fn an_algorithm_that_the_token_chooses_is_refused() {
    let key = pair();
    let verifier = verifier(&key);
    for alg in ["none", "None", "HS256", "RS256", "ES384", "es256", ""] {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        let token = raw(&header, &json(&claims()), &key);
        assert_eq!(
            verifier.verify(&token, NOW),
            Err(Invalid::Algorithm),
            "{alg}"
        );
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(
            verifier.verify(&unsigned, NOW),
            Err(Invalid::Algorithm),
            "{alg}"
        );
    }
    // Signed with the public key as if it were a secret.
    let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", BASE64.encode(json(&claims())));
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.public_key().as_ref());
    let tag = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
    let token = format!("{signed}.{}", BASE64.encode(tag));
    assert_eq!(verifier.verify(&token, NOW), Err(Invalid::Algorithm));
}

/// G11.
#[test]
fn a_key_that_the_token_brings_is_not_used() {
    let (key, evil) = (pair(), pair());
    let point = evil.public_key().as_ref();
    let jwk = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#,
        BASE64.encode(&point[1..33]),
        BASE64.encode(&point[33..])
    );
    for more in [
        format!(r#""jwk":{jwk}"#),
        r#""kid":"../../../../dev/null""#.into(),
        r#""kid":"evil","jku":"http://127.0.0.1:1/keys""#.into(),
        r#""x5c":["MIIB"]"#.into(),
        r#""x5u":"http://127.0.0.1:1/""#.into(),
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"JWT",{more}}}"#);
        let theirs = raw(&header, &json(&claims()), &evil);
        assert_eq!(
            verifier(&key).verify(&theirs, NOW),
            Err(Invalid::Signature),
            "{more}"
        );
        // It chooses nothing, so it also does no harm.
        let ours = raw(&header, &json(&claims()), &key);
        assert_eq!(verifier(&key).verify(&ours, NOW), Ok(claims()), "{more}");
    }
}

/// G11.
#[test]
fn an_unsigned_or_changed_token_is_refused() {
    let key = pair();
    let verifier = verifier(&key);
    let token = sign(&claims(), &key).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let more = Claims {
        access: vec![Grant::repository("secret", Rights::PUSH)],
        ..claims()
    };
    let changed = format!("{header}.{}.{signature}", BASE64.encode(json(&more)));
    assert_eq!(verifier.verify(&changed, NOW), Err(Invalid::Signature));
    let unsigned = format!("{signed}.");
    assert_eq!(verifier.verify(&unsigned, NOW), Err(Invalid::Signature));
    let zeros = format!("{signed}.{}", BASE64.encode([0; 64]));
    assert_eq!(verifier.verify(&zeros, NOW), Err(Invalid::Signature));
    let other = sign(&claims(), &pair()).unwrap();
    assert_eq!(verifier.verify(&other, NOW), Err(Invalid::Signature));
    for bad in [
        "",
        ".",
        "..",
        "...",
        signed,
        &format!("{token}="),
        &format!("{token}.x"),
        "a.b.c",
    ] {
        assert_eq!(verifier.verify(bad, NOW), Err(Invalid::Form), "{bad}");
    }
    let long = format!("{token}{}", "A".repeat(MAX_BYTES));
    assert_eq!(verifier.verify(&long, NOW), Err(Invalid::Form));
}

/// G11.
#[test]
fn another_time_is_refused_but_for_60_seconds() {
    let key = pair();
    let verifier = verifier(&key);
    let token = sign(&claims(), &key).unwrap();
    for (now, want) in [
        (NOW - 60, Ok(())),
        (NOW - 61, Err(Invalid::Early)),
        (NOW + 300, Ok(())),
        (NOW + 359, Ok(())),
        (NOW + 360, Err(Invalid::Expired)),
        (u64::MAX, Err(Invalid::Expired)),
        (0, Err(Invalid::Early)),
    ] {
        assert_eq!(verifier.verify(&token, now).map(drop), want, "{now}");
    }
    for (claims, want) in [
        (r#"{"iss":"issuer","aud":"registry"}"#, Invalid::Claims),
        (
            r#"{"iss":"issuer","aud":"registry","exp":null}"#,
            Invalid::Claims,
        ),
        (
            r#"{"iss":"issuer","aud":"registry","exp":"9999999999"}"#,
            Invalid::Claims,
        ),
        (
            r#"{"iss":"issuer","aud":"registry","exp":1e999}"#,
            Invalid::Claims,
        ),
        (
            r#"{"iss":"issuer","aud":"registry","exp":-1e300}"#,
            Invalid::Expired,
        ),
        (
            r#"{"iss":"issuer","aud":"registry","exp":9e9,"nbf":8e9}"#,
            Invalid::Early,
        ),
        (
            r#"{"iss":"issuer","aud":"registry","exp":9e9,"iat":8e9}"#,
            Invalid::Early,
        ),
    ] {
        let token = raw(r#"{"alg":"ES256"}"#, claims, &key);
        assert_eq!(verifier.verify(&token, NOW), Err(want), "{claims}");
    }
}

/// G11.
#[test]
fn a_token_for_or_by_somebody_else_is_refused() {
    let key = pair();
    let verifier = verifier(&key);
    let refused = |claims: &Claims| {
        verifier
            .verify(&sign(claims, &key).unwrap(), NOW)
            .unwrap_err()
    };
    for issuer in ["", "Issuer", "issuer/"] {
        let claims = Claims {
            iss: issuer.into(),
            ..claims()
        };
        assert_eq!(refused(&claims), Invalid::Issuer, "{issuer}");
    }
    let other = |names: &[&str]| Audience::Several(names.iter().map(|&n| n.into()).collect());
    for aud in [
        Audience::One("other".into()),
        Audience::One(String::new()),
        other(&[]),
        other(&["a", "b"]),
    ] {
        let claims = Claims { aud, ..claims() };
        assert_eq!(refused(&claims), Invalid::Audience);
    }
    for sub in ["a\nb".to_owned(), "x".repeat(256)] {
        assert_eq!(refused(&Claims { sub, ..claims() }), Invalid::Claims);
    }
    let many = vec![Grant::catalog(); MAX_ENTRIES + 1];
    assert_eq!(
        refused(&Claims {
            access: many,
            ..claims()
        }),
        Invalid::Claims
    );
    for claims in [
        r#"{"aud":"registry","exp":9e9}"#,
        r#"{"iss":"issuer","exp":9e9}"#,
        r#"{"iss":"issuer","aud":["registry",1],"exp":9e9}"#,
        r#"{"iss":"evil","iss":"issuer","aud":"registry","exp":9e9}"#,
        "[]",
        "",
    ] {
        let token = raw(r#"{"alg":"ES256"}"#, claims, &key);
        assert_eq!(
            verifier.verify(&token, NOW),
            Err(Invalid::Claims),
            "{claims}"
        );
    }
}

/// G11.
#[test]
fn a_header_that_wants_to_be_understood_is_refused() {
    let key = pair();
    for header in [
        r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{}"#,
    ] {
        let token = raw(header, &json(&claims()), &key);
        assert_eq!(
            verifier(&key).verify(&token, NOW),
            Err(Invalid::Form),
            "{header}"
        );
    }
}

#[test]
fn other_kinds_of_keys_verify_their_algorithm_only() {
    let ed = Ed25519KeyPair::generate().unwrap();
    let rsa = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let sign_ed = |m: &[u8]| ed.sign(m).as_ref().to_vec();
    let sign_rsa = |m: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        let random = SystemRandom::new();
        rsa.sign(&RSA_PKCS1_SHA256, &random, m, &mut signature)
            .unwrap();
        signature
    };
    let (ed_key, rsa_key) = (ed.public_key().as_ref(), rsa.public_key().as_ref());
    type Sign<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let kinds: [(&str, &[u8], Sign); 2] =
        [("EdDSA", ed_key, &sign_ed), ("RS256", rsa_key, &sign_rsa)];
    for (algorithm, key, sign) in kinds {
        let verifier = Verifier {
            key: PublicKey::from_der(key).unwrap(),
            ..verifier(&pair())
        };
        for (alg, want) in [
            ("EdDSA", algorithm == "EdDSA"),
            ("RS256", algorithm == "RS256"),
            ("none", false),
        ] {
            let header = BASE64.encode(format!(r#"{{"alg":"{alg}"}}"#));
            let signed = format!("{header}.{}", BASE64.encode(json(&claims())));
            let token = format!("{signed}.{}", BASE64.encode(sign(signed.as_bytes())));
            assert_eq!(
                verifier.verify(&token, NOW).is_ok(),
                want,
                "{algorithm} {alg}"
            );
        }
    }
}
