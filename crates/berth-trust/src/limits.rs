//! How much of what others wrote is looked at.

/// Bytes of a key's file.
pub const MAX_KEY_BYTES: u64 = 64 << 10;
/// Bytes of a payload.
pub const MAX_PAYLOAD_BYTES: u64 = 128 << 10;
/// Signatures of one image.
pub const MAX_SIGNATURES: usize = 64;
/// Bytes of the policies' file.
pub const MAX_POLICY_BYTES: u64 = 1 << 20;
/// Keys of one policy.
pub(crate) const MAX_KEYS: usize = 64;
/// Characters of a signature in base64: a DER signature on P-256 has 96 at most.
pub(crate) const MAX_SIGNATURE_CHARS: usize = 1024;
/// The costs that a key's file may ask of scrypt: 128 MiB of memory at most.
pub(crate) const SCRYPT_N: std::ops::RangeInclusive<u64> = 1 << 15..=1 << 17;
