//! Keys of ours and of others, good and bad.

use std::process::{Command, Stdio};

use super::*;

/// What a command line writes; `input` on its standard input.
fn shell(line: &str, input: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut child = Command::new("/bin/sh")
        .args(["-c", line])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    output.stdout
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.into())
}

fn unlock(file: &[u8], passphrase: &Passphrase) -> Result<PrivateKey, Error> {
    LockedKey::from_pem(file)?.unlock(passphrase)
}

#[test]
fn a_pair_signs_and_verifies() {
    let key = PrivateKey::generate().unwrap();
    let file = key.to_pem(&passphrase("secret")).unwrap();
    let read = unlock(file.as_bytes(), &passphrase("secret")).unwrap();
    assert_eq!(read.public(), key.public());
    let public = PublicKey::from_pem(read.public().to_pem().as_bytes()).unwrap();
    let signature = read.sign(b"message").unwrap();
    assert!(public.verifies(b"message", &signature));
    assert!(!public.verifies(b"messagE", &signature));
    assert!(
        !PrivateKey::generate()
            .unwrap()
            .public()
            .verifies(b"message", &signature)
    );
    for at in 0..signature.len() {
        let mut changed = signature.clone();
        changed[at] ^= 1;
        assert!(!public.verifies(b"message", &changed), "{at}");
        assert!(!public.verifies(b"message", &signature[..at]), "{at}");
    }
    assert!(!public.verifies(b"message", &[&signature[..], &[0]].concat()));
    let sigstore = file.replace("COSIGN", "SIGSTORE");
    assert!(unlock(sigstore.as_bytes(), &passphrase("secret")).is_ok());
    let wrong = unlock(file.as_bytes(), &passphrase("secreT"));
    assert!(matches!(wrong, Err(Error::WrongPassphrase)));
}

#[test]
fn openssl_verifies_what_is_signed_here_and_the_other_way_round() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let key = PrivateKey::generate().unwrap();
    std::fs::write(path("pub"), key.public().to_pem()).unwrap();
    std::fs::write(path("sig"), key.sign(b"message").unwrap()).unwrap();
    shell(
        &format!(
            "openssl dgst -sha256 -verify {} -signature {}",
            path("pub"),
            path("sig")
        ),
        b"message",
    );
    shell(
        &format!(
            "openssl ecparam -name prime256v1 -genkey -noout -out {0} && openssl ec -in {0} -pubout -out {1}",
            path("theirs"),
            path("theirs.pub"),
        ),
        b"",
    );
    let signature = shell(
        &format!("openssl dgst -sha256 -sign {}", path("theirs")),
        b"message",
    );
    let public = PublicKey::from_pem(&std::fs::read(path("theirs.pub")).unwrap()).unwrap();
    assert!(public.verifies(b"message", &signature));
    let pkcs8 = shell(
        &format!(
            "openssl pkcs8 -topk8 -nocrypt -outform DER -in {}",
            path("theirs")
        ),
        b"",
    );
    let encrypted = kdf::encrypt(&pkcs8, b"p").unwrap();
    let file = pem::encode(SIGSTORE, &encrypted);
    let private = unlock(file.as_bytes(), &passphrase("p")).unwrap();
    assert_eq!(private.public(), public);
}

#[test]
fn other_keys_are_refused() {
    for (line, word) in [
        (
            "openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout",
            "curve",
        ),
        ("openssl genrsa 1024 | openssl rsa -pubout", "RSA"),
        (
            "openssl genpkey -algorithm ed25519 | openssl pkey -pubout",
            "Ed25519",
        ),
        (
            "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -conv_form compressed",
            "curve",
        ),
    ] {
        let error = PublicKey::from_pem(&shell(line, b"")).unwrap_err();
        assert!(error.to_string().contains(word), "{line}: {error}");
    }
    let curve = shell(
        "openssl ecparam -name secp384r1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -outform DER",
        b"",
    );
    let file = pem::encode(SIGSTORE, &kdf::encrypt(&curve, b"p").unwrap());
    let error = unlock(file.as_bytes(), &passphrase("p")).unwrap_err();
    assert!(matches!(error, Error::InvalidKey { what: "private" }));
    // Not on the curve; at infinity.
    let mut spki = PrivateKey::generate().unwrap().public().spki;
    *spki.last_mut().unwrap() ^= 1;
    let file = pem::encode(PUBLIC, &spki);
    assert!(matches!(
        PublicKey::from_pem(file.as_bytes()),
        Err(Error::InvalidKey { .. })
    ));
    let file = pem::encode(PUBLIC, &[&SPKI[..], &[0]].concat());
    assert!(PublicKey::from_pem(file.as_bytes()).is_err());
    // Swapped files.
    let key = PrivateKey::generate().unwrap();
    assert!(PublicKey::from_pem(key.to_pem(&passphrase("")).unwrap().as_bytes()).is_err());
    assert!(unlock(key.public().to_pem().as_bytes(), &passphrase("")).is_err());
    let plain = shell("openssl ecparam -name prime256v1 -genkey -noout", b"");
    let error = unlock(&plain, &passphrase("")).unwrap_err();
    assert!(error.to_string().contains("EC PRIVATE KEY"), "{error}");
}

#[test]
fn a_key_file_is_read_strictly() {
    let key = PrivateKey::generate().unwrap();
    let pkcs8 = key.0.to_pkcs8v1().unwrap();
    let good = String::from_utf8(kdf::encrypt(pkcs8.as_ref(), b"p").unwrap()).unwrap();
    let read = |json: &str| {
        unlock(
            pem::encode(COSIGN, json.as_bytes()).as_bytes(),
            &passphrase("p"),
        )
    };
    assert!(read(&good).is_ok());
    for (from, to) in [
        ("\"scrypt\"", "\"argon2\""),
        ("secretbox", "box"),
        ("65536", "1"),
        ("65536", "65537"),
        ("65536", "1048576"),
        ("65536", "18446744073709551616"),
        ("\"r\":8", "\"r\":1073741824"),
        ("\"p\":1", "\"p\":2"),
        ("\"p\":1", "\"p\":1,\"q\":1"),
        ("\"p\":1", "\"p\":1,\"p\":1"),
        ("\"nonce\":\"", "\"nonce\":\"AA"),
        ("\"ciphertext\":\"", "\"ciphertext\":\"?"),
        ("\"ciphertext\":\"", "\"ciphertext\":\"AAAA"),
        ("\"salt\":\"", "\"salt\":\"AAAA"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        assert!(read(&bad).is_err(), "{from} -> {to}");
    }
}

#[test]
fn a_passphrase_of_a_file_has_no_line_break() {
    let of = |text: &str| Passphrase::of_file(text.into());
    assert_eq!(of("a b\n"), passphrase("a b"));
    assert_eq!(of("a\r\n"), passphrase("a"));
    assert_eq!(of("a\n\n"), passphrase("a\n"));
    assert!(of("\n").is_empty());
    assert!(!format!("{:?}", of("hidden")).contains("hidden"));
}
