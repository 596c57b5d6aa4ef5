//! Bytes with a few faults in them.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// The longest file that is made.
const LONGEST: usize = 1 << 20;

/// Whole numbers at the edges of their types, and some that ask for a lot of memory.
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 24,
    1 << 31,
    1 << 32,
    1 << 40,
    i64::MAX as u64,
    u64::MAX - 7,
    u64::MAX,
];

/// What means something in JSON, TOML, CSV or Jinja.
const WORDS: [&str; 46] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ",",
    ":",
    "=",
    "\n",
    "\r\n",
    "\\",
    "\\u",
    "\\ud800",
    "null",
    "true",
    "NaN",
    "-1",
    "0",
    "1e999",
    "1e-999",
    "16777216",
    "4294967296",
    "18446744073709551615",
    "-9223372036854775808",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[2J",
    "é",
    "👩‍👩‍👧",
    "{{",
    "}}",
    "{%",
    "%}",
    "{% for x in range(999999999) %}",
    "{% endfor %}",
    "{{ messages }}",
    "{{ 'a' * 999999999 }}",
    "|indent(9999999999)",
    "**9999",
    "~x~",
    "(?:a*)*b",
    "\"\"",
    "..",
    "/",
];

/// What may stand in a number's place, beside other numbers.
const VALUES: [&str; 12] = [
    "-1", "0", "1", "2.5", "1e999", "-1e-999", "16777216", "null", "true", "\"x\"", "[]", "{}",
];

/// The bytes of `seed` with one to eight edits; some of them take pieces from `other`. Half of all files keep their length or their
/// grammar, so that faults get past the first look at a file.
pub fn mangled(seed: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let gentle = rng.random_bool(0.5);
    for _ in 0..rng.random_range(1..=8) {
        match gentle {
            true => gentle_edit(&mut bytes, rng),
            false => edit(&mut bytes, other, rng),
        }
        bytes.truncate(LONGEST);
        if rng.random_bool(0.4) {
            break;
        }
    }
    bytes
}

/// Another bit, byte or number in the place of one.
fn gentle_edit(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=bytes.len());
    match rng.random_range(0..6) {
        0 => flip(bytes, at, rng),
        1 => overwrite(bytes, at, &[rng.random()]),
        2 | 3 => {
            let new = number(rng);
            overwrite(bytes, at, &new);
        }
        _ => {
            let first = bytes[at..].iter().position(u8::is_ascii_digit);
            let from = first.map_or(at, |n| at + n);
            let digits = bytes[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit());
            let until = from + digits.count();
            let value = match rng.random_bool(0.5) {
                true => NUMBERS.choose(rng).map(u64::to_string),
                false => VALUES.choose(rng).map(|value| (*value).to_owned()),
            };
            bytes.splice(from..until, value.unwrap_or_default().into_bytes());
        }
    }
}

/// Four or eight bytes.
fn number(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let bytes = NUMBERS[rng.random_range(0..NUMBERS.len())].to_le_bytes();
    bytes[..[4, 8][rng.random_range(0..2)]].to_vec()
}

/// Anything.
fn edit(bytes: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=bytes.len());
    let end = (at + span(rng)).min(bytes.len());
    let word = WORDS[rng.random_range(0..WORDS.len())];
    match rng.random_range(0..8) {
        0 => gentle_edit(bytes, rng),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.truncate(at),
        3 | 4 => drop(bytes.splice(at..at, word.bytes())),
        5 => {
            let from = rng.random_range(0..=other.len());
            let until = (from + span(rng)).min(other.len());
            bytes.splice(at..end, other[from..until].iter().copied());
        }
        6 => {
            let times = [10, 1000, 100_000 / word.len()][rng.random_range(0..3)];
            bytes.splice(at..at, word.repeat(times).into_bytes());
        }
        _ => {
            let piece = bytes[at..end].repeat(rng.random_range(1..200));
            bytes.splice(at..at, piece);
        }
    }
}

/// Mostly short.
fn span(rng: &mut ChaCha8Rng) -> usize {
    1 << rng.random_range(0..9)
}

fn flip(bytes: &mut [u8], at: usize, rng: &mut ChaCha8Rng) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.random_range(0..8);
    }
}

fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(new) {
        *byte = *new;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let make = |seed| {
            mangled(
                b"{\"a\": [1, 2]}",
                b"xyz",
                &mut ChaCha8Rng::seed_from_u64(seed),
            )
        };
        assert_eq!(make(1), make(1));
        let different: std::collections::BTreeSet<_> = (0..100).map(make).collect();
        assert!(different.len() > 90, "{}", different.len());
    }
}
