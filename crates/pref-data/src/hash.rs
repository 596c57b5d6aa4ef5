//! Where all randomness of this crate comes from, and names for texts: SHA-256.
//!
//! [`rank`] is a pure function of a seed and a name, so that no draw depends on another one: the first 8 bytes (big-endian)
//! of `SHA-256("pref-data" 0 purpose 0 seed name)`, the seed as 8 little-endian bytes. What the authors' code draws with
//! numpy is the exception (see [`crate::numpy`]).

use sha2::{Digest, Sha256};

/// A number that orders names at random: it depends on purpose, seed and name alone, never on other names.
pub fn rank(purpose: &str, seed: u64, name: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"pref-data\0");
    hash.update(purpose.as_bytes());
    hash.update(b"\0");
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    first_u64(&digest)
}

/// A stable 64-bit hash of text parts; parts are told apart by their lengths.
pub fn text_hash(parts: &[impl AsRef<str>]) -> u64 {
    let digest = hash_parts(parts);
    first_u64(&digest)
}

/// The first 16 bytes of the hash behind [`text_hash`], for keys among many records.
pub fn text_key(parts: &[impl AsRef<str>]) -> u128 {
    let digest = hash_parts(parts);
    u128::from(first_u64(&digest)) << 64 | u128::from(first_u64(&digest[8..]))
}

fn hash_parts(parts: &[impl AsRef<str>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

fn first_u64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANK: u64 = 0x1ebeb04f9487313c;

    #[test]
    fn hash_is_sha256_of_lengths_and_texts() {
        // sha256 of 3 as eight little-endian bytes, then "abc"; computed with Python's hashlib.
        assert_eq!(text_hash(&["abc"]), 0xce91dc5eec0139ad);
        assert_ne!(text_hash(&["ab", "c"]), text_hash(&["a", "bc"]));
        assert_eq!((text_key(&["abc"]) >> 64) as u64, 0xce91dc5eec0139ad);
    }

    #[test]
    fn a_rank_depends_on_purpose_seed_and_name() {
        // sha256 of "pref-data\0split\0", 7 as eight little-endian bytes, "anna"; computed with Python's hashlib.
        assert_eq!(rank("split", 7, "anna"), RANK);
        assert_ne!(rank("split", 7, "ben"), RANK);
        assert_ne!(rank("split", 8, "anna"), RANK);
        assert_ne!(rank("other", 7, "anna"), RANK);
    }
}
