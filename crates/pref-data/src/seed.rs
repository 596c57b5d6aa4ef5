//! Where all randomness of this crate comes from.
//!
//! Two pure functions of a seed and a name, both through SHA-256, so that no draw depends on another one:
//!
//! - [`rng`]: ChaCha8 with the key `SHA-256("pref-data" 0 purpose 0 seed)`, the seed as 8 little-endian bytes.
//! - [`rank`]: the first 8 bytes (big-endian) of `SHA-256("pref-data" 0 purpose 0 seed name)`.
//!
//! The simulated population is the exception: it replays numpy (see [`crate::numpy`]).

pub use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// A generator for one purpose; equal arguments give equal streams on every machine.
pub fn rng(purpose: &str, seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(keyed(purpose, seed, "").into())
}

/// A number that orders names at random: it depends on purpose, seed and name alone, never on other names.
pub fn rank(purpose: &str, seed: u64, name: &str) -> u64 {
    let digest: [u8; 32] = keyed(purpose, seed, name).into();
    first_u64(&digest)
}

/// A stable 64-bit hash of text parts; parts are told apart by their lengths.
pub fn text_hash(parts: &[&str]) -> u64 {
    let digest: [u8; 32] = hash_parts(parts).into();
    first_u64(&digest)
}

/// The first 16 bytes of the hash behind [`text_hash`], for keys among many records.
pub(crate) fn text_key(parts: &[&str]) -> u128 {
    let digest: [u8; 32] = hash_parts(parts).into();
    u128::from(first_u64(&digest)) << 64 | u128::from(first_u64(&digest[8..]))
}

/// A number in `0..n` (0 if `n` is 0). The modulo bias is below `n / 2^64`.
pub fn index(rng: &mut ChaCha8Rng, n: usize) -> usize {
    if n == 0 {
        0
    } else {
        (rng.next_u64() % n as u64) as usize
    }
}

/// A number in `[0, 1)` with 53 random bits.
pub fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Fisher-Yates, from the end.
pub fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, index(rng, last + 1));
    }
}

fn keyed(purpose: &str, seed: u64, name: &str) -> impl Into<[u8; 32]> {
    let mut hash = Sha256::new();
    hash.update(b"pref-data\0");
    hash.update(purpose.as_bytes());
    hash.update(b"\0");
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    hash.finalize()
}

fn hash_parts(parts: &[&str]) -> impl Into<[u8; 32]> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
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

    #[test]
    fn hash_is_sha256_of_lengths_and_texts() {
        // sha256 of 3 as eight little-endian bytes, then "abc"; computed with Python's hashlib.
        assert_eq!(text_hash(&["abc"]), 0xce91dc5eec0139ad);
        assert_ne!(text_hash(&["ab", "c"]), text_hash(&["a", "bc"]));
        assert_eq!((text_key(&["abc"]) >> 64) as u64, 0xce91dc5eec0139ad);
    }

    #[test]
    fn streams_differ_by_purpose_and_by_seed() {
        let first = |purpose, seed| rng(purpose, seed).next_u64();
        assert_eq!(first("a", 1), first("a", 1));
        assert_ne!(first("a", 1), first("a", 2));
        assert_ne!(first("a", 1), first("b", 1));
        assert_ne!(rank("a", 1, "x"), rank("a", 1, "y"));
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<usize> = (0..50).collect();
        shuffle(&mut rng("test", 3), &mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
        assert_eq!(index(&mut rng("test", 3), 0), 0);
        assert!((0.0..1.0).contains(&unit(&mut rng("test", 3))));
    }
}
