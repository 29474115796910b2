//! NaCl's secretbox: XSalsa20 with Poly1305, the tag before the content.
//!
//! ```text
//! keystream of XSalsa20(key, nonce)   32 bytes: key of Poly1305 | as many as the content has: its mask
//! box                                 16 bytes: tag of what follows | content ^ mask
//! ```
//! Source: Bernstein, "Cryptography in NaCl", sections 9 and 10.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY: usize = 32;
/// Bytes of a nonce.
pub(crate) const NONCE: usize = 24;
const TAG: usize = 16;

/// Encrypts `content`; a nonce is for one content only.
pub(crate) fn seal(content: &[u8], nonce: &[u8; NONCE], key: &[u8; KEY]) -> Vec<u8> {
    let (mut cipher, hash) = start(nonce, key);
    let mut sealed = vec![0; TAG];
    sealed.extend_from_slice(content);
    cipher.apply_keystream(&mut sealed[TAG..]);
    let tag = hash.compute_unpadded(&sealed[TAG..]);
    sealed[..TAG].copy_from_slice(&tag);
    sealed
}

/// The content, if the key is right and nobody has changed anything.
pub(crate) fn open(
    sealed: &[u8],
    nonce: &[u8; NONCE],
    key: &[u8; KEY],
) -> Option<Zeroizing<Vec<u8>>> {
    let (mut cipher, hash) = start(nonce, key);
    let (tag, content) = sealed.split_at_checked(TAG)?;
    verify_slices_are_equal(&hash.compute_unpadded(content), tag).ok()?;
    let mut content = Zeroizing::new(content.to_vec());
    cipher.apply_keystream(&mut content);
    Some(content)
}

fn start(nonce: &[u8; NONCE], key: &[u8; KEY]) -> (XSalsa20, Poly1305) {
    let mut cipher = XSalsa20::new(key.into(), nonce.into());
    let mut first = Zeroizing::new([0; KEY]);
    cipher.apply_keystream(&mut *first);
    let hash = Poly1305::new((&*first).into());
    (cipher, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of NaCl's own documentation: its first 32 bytes, and all of what it gives for its key.
    #[test]
    fn as_nacl_does_it() {
        let key = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
        let nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let content = hex(concat!(
            "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129",
            "6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde",
            "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
        ));
        let expected = hex(concat!(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a",
            "c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae",
            "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
        ));
        let (key, nonce) = (key.try_into().unwrap(), nonce.try_into().unwrap());
        assert_eq!(seal(&content, &nonce, &key), expected);
        assert_eq!(*open(&expected, &nonce, &key).unwrap(), content);
        for at in 0..expected.len() {
            let mut changed = expected.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &nonce, &key).is_none(), "{at}");
        }
        assert!(open(&expected[..15], &nonce, &key).is_none());
    }

    fn hex(text: &str) -> Vec<u8> {
        let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digit).collect()
    }
}
