//! Edits of bytes, for tests that mangle files.

use proptest::prelude::*;

/// Replaces, removes, inserts or cuts some bytes.
pub fn mangle(text: &str, edits: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for &(place, kind, byte) in edits {
        if bytes.is_empty() {
            break;
        }
        let place = place % bytes.len();
        match kind % 4 {
            0 => bytes[place] = byte,
            1 => drop(bytes.remove(place)),
            2 => bytes.insert(place, byte),
            _ => bytes.truncate(place),
        }
    }
    bytes
}

/// One to five edits: place, kind, byte. Marks of the formats and broken UTF-8 come often.
pub fn edits() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"\"{}[],:\\\n\r 0n\xff\xc3".to_vec())
    ];
    prop::collection::vec((any::<usize>(), any::<u8>(), byte), 1..6)
}
