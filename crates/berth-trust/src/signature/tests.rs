//! Signatures that count, and all those that do not.

use super::*;

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

struct Case {
    key: PrivateKey,
    digest: Digest,
}

impl Case {
    fn new() -> Case {
        Case {
            key: PrivateKey::generate().unwrap(),
            digest: Digest::of(b"manifest"),
        }
    }

    fn signed(&self, name: &str) -> Candidate {
        sign(&self.key, &reference(name), &self.digest, 0).unwrap()
    }

    fn verify(&self, candidate: &Candidate, name: &str) -> Result<Verified, Rejection> {
        let subject = Subject {
            reference: &reference(name),
            digests: std::slice::from_ref(&self.digest),
        };
        candidate.verify(&[self.key.public()], &subject)
    }
}

#[test]
fn a_signature_is_for_its_name_and_tag() {
    let case = Case::new();
    let signed = case.signed("r.example/team/app:1");
    let by_digest = format!("r.example/team/app@{}", case.digest);
    let both = format!("r.example/team/app:1@{}", case.digest);
    for name in ["r.example/team/app:1", &by_digest, &both] {
        assert_eq!(case.verify(&signed, name).unwrap().key, 0, "{name}");
    }
    let other_tag = format!("r.example/team/app:2@{}", case.digest);
    for name in ["r.example/team/app:2", "r.example/team/app", &other_tag] {
        let rejection = case.verify(&signed, name);
        assert!(matches!(rejection, Err(Rejection::Tag { .. })), "{name}");
    }
    for name in [
        "r.example/team/app2:1",
        "s.example/team/app:1",
        "r.example/app:1",
    ] {
        let rejection = case.verify(&signed, name);
        assert!(
            matches!(rejection, Err(Rejection::Repository { .. })),
            "{name}"
        );
    }
    // Without a tag, as cosign signs, it is for all tags.
    let untagged = case.signed(&by_digest);
    for name in ["r.example/team/app:1", "r.example/team/app:2", &by_digest] {
        assert!(case.verify(&untagged, name).is_ok(), "{name}");
    }
}

#[test]
fn a_signature_is_for_its_image() {
    let case = Case::new();
    let signed = case.signed("r.example/app:1");
    let keys = [PrivateKey::generate().unwrap().public(), case.key.public()];
    let name = reference("r.example/app:1");
    let verify = |digests: &[Digest], keys: &[PublicKey]| {
        let subject = Subject {
            reference: &name,
            digests,
        };
        signed.verify(keys, &subject)
    };
    let other = Digest::of(b"other");
    assert_eq!(
        verify(&[other.clone(), case.digest.clone()], &keys)
            .unwrap()
            .key,
        1
    );
    assert!(matches!(
        verify(&[other], &keys),
        Err(Rejection::Digest { .. })
    ));
    let right = [case.digest.clone()];
    assert!(matches!(
        verify(&right, &keys[..1]),
        Err(Rejection::OtherKey)
    ));
    assert!(matches!(verify(&right, &[]), Err(Rejection::OtherKey)));
}

#[test]
fn nothing_may_be_changed() {
    let case = Case::new();
    let name = "r.example/app:1";
    let signed = case.signed(name);
    for at in 0..signed.payload.len() {
        let mut changed = signed.clone();
        changed.payload[at] ^= 1;
        assert!(
            matches!(case.verify(&changed, name), Err(Rejection::OtherKey)),
            "{at}"
        );
    }
    for (signature, is_base64) in [
        (String::new(), true),
        (
            signed.signature[..signed.signature.len() - 2].to_owned(),
            false,
        ),
        (
            signed.signature.trim_end_matches('=').to_owned() + "?",
            false,
        ),
        (format!(" {}", signed.signature), false),
        ("A".repeat(2048), false),
        ("AAAA".into(), true),
    ] {
        let changed = Candidate {
            signature,
            ..signed.clone()
        };
        match case.verify(&changed, name) {
            Err(Rejection::Base64) => assert!(!is_base64, "{changed:?}"),
            Err(Rejection::OtherKey) => assert!(is_base64, "{changed:?}"),
            other => panic!("{other:?}"),
        }
    }
    // By the right key, and not understood.
    let payload = b"{}".to_vec();
    let signature = STANDARD.encode(case.key.sign(&payload).unwrap());
    let odd = Candidate { payload, signature };
    assert!(matches!(
        case.verify(&odd, name),
        Err(Rejection::Payload(_))
    ));
}

#[test]
fn tags_of_signatures() {
    let digest = Digest::of(b"");
    assert_eq!(
        tag(&digest).unwrap(),
        format!("sha256-{}.sig", digest.hex())
    );
    assert_eq!(tag(&Digest::sha512([0; 64])), None);
}
