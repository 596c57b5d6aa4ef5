use proptest::prelude::*;
use tempfile::TempDir;

use super::test_file::Builder;
use super::value::Value;
use super::*;
use crate::weights::WeightError;

fn open(builder: Builder) -> Result<GgufFile, WeightError> {
    open_bytes(&builder.build())
}

fn open_bytes(bytes: &[u8]) -> Result<GgufFile, WeightError> {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).expect("a writable folder");
    GgufFile::open(path)
}

/// The message without the folder, which changes.
fn message(result: Result<GgufFile, WeightError>) -> String {
    let text = result.expect_err("a broken file").to_string();
    let start = text
        .find("model.gguf")
        .expect("the file's name in the message");
    text[start..].to_owned()
}

fn small() -> Builder {
    Builder::new()
        .string("general.name", "a test")
        .bool("truth", true)
        .i32s("numbers", &[-1, 7])
        .strings("texts", &["a", "b"])
        .tensor("one", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .tensor("two", &[2], &[-1.0, 0.5])
}

/// The keys that `llama-gguf-split` writes; numbers count from 0.
#[test]
fn a_part_of_a_split_file_is_told_with_what_puts_the_parts_together() {
    let part = |count| small().u32("split.no", 1).u32("split.count", count);
    assert_eq!(
        message(open(part(3))),
        "model.gguf: part 2 of 3 of a GGUF file that was split; put the parts together with `llama-gguf-split --merge FIRST-PART WHOLE`, and give the whole file"
    );
    for whole in [0, 1] {
        open(part(whole)).expect("a whole file");
    }
}

#[test]
fn reads_keys_and_tensors_of_both_versions() {
    for version in [2, 3] {
        let file = open(small().version(version)).expect("a good file");
        let metadata = file.metadata();
        assert_eq!(metadata.string("general.name"), Some("a test"));
        assert_eq!(metadata.bool("truth"), Some(true));
        let numbers = metadata.numbers("numbers").expect("a list of numbers");
        assert_eq!(
            numbers.iter().collect::<Vec<_>>(),
            [Value::Signed(-1), Value::Signed(7)]
        );
        assert_eq!(
            metadata.strings("texts").expect("a list of texts"),
            ["a", "b"]
        );
        let [one, two] = file.tensors() else {
            panic!("two tensors")
        };
        assert_eq!(
            (one.name.as_str(), one.shape.as_slice()),
            ("one", &[2, 3][..])
        );
        assert_eq!(
            file.read(one).expect("numbers"),
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        );
        assert_eq!(file.read(two).expect("numbers"), [-1.0, 0.5]);
    }
}

#[test]
fn refuses_other_files_and_versions() {
    assert_eq!(
        message(open_bytes(b"PK\x03\x04 and so on")),
        "model.gguf: magic: found bytes [50, 4b, 03, 04], expected `GGUF`"
    );
    assert_eq!(
        message(open(Builder::new().version(1))),
        "model.gguf: version: found 1, expected 2 or 3, little-endian"
    );
    assert_eq!(
        message(open(Builder::new().version(3_u32.swap_bytes()))),
        "model.gguf: version: found a big-endian file, expected 2 or 3, little-endian"
    );
    assert_eq!(
        message(open_bytes(b"GG")),
        "model.gguf: magic: the file has 2 bytes, expected at least 4"
    );
}

#[test]
fn refuses_counts_that_the_file_cannot_hold() {
    let mut bytes = small().build();
    bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(
        message(open_bytes(&bytes))
            .starts_with("model.gguf: key count: found a count of 18446744073709551615")
    );
    let mut bytes = small().build();
    bytes[8..16].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(
        message(open_bytes(&bytes))
            .starts_with("model.gguf: tensor count: found a count of 1099511627776")
    );
    let mut list = Vec::from(8_u32.to_le_bytes());
    list.extend((1_u64 << 61).to_le_bytes());
    assert!(
        message(open(Builder::new().raw("texts", 9, &list)))
            .starts_with("model.gguf: key `texts`: found a count of 2305843009213693952")
    );
}

#[test]
fn refuses_names_twice() {
    assert_eq!(
        message(open(Builder::new().u32("n", 1).u32("n", 1))),
        "model.gguf: key `n`: found it twice, expected every key once"
    );
    let twice = Builder::new()
        .tensor("w", &[1], &[1.0])
        .tensor("w", &[1], &[1.0]);
    assert_eq!(
        message(open(twice)),
        "model.gguf: tensor `w`: found it twice, expected every name once"
    );
}

#[test]
fn refuses_unknown_types() {
    assert_eq!(
        message(open(Builder::new().raw("key", 99, &[0; 16]))),
        "model.gguf: key `key`: found value type 99, expected a value type of 0 to 12"
    );
    assert_eq!(
        message(open(Builder::new().entry("w", &[256], 16, 0))),
        "model.gguf: tensor `w`: found tensor type IQ2_XXS, supported are F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, \
         Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4"
    );
    assert!(
        message(open(Builder::new().entry("w", &[256], 1000, 0)))
            .starts_with("model.gguf: tensor `w`: found tensor type 1000, supported are F32")
    );
    let mut nested = Vec::from(9_u32.to_le_bytes());
    nested.extend(0_u64.to_le_bytes());
    assert_eq!(
        message(open(Builder::new().raw("key", 9, &nested))),
        "model.gguf: key `key`: found a list of lists, expected a flat list"
    );
}

#[test]
fn refuses_impossible_shapes() {
    assert_eq!(
        message(open(Builder::new().entry("w", &[31], 8, 0))),
        "model.gguf: tensor `w`: found rows of 31, expected a multiple of 32 (Q8_0)"
    );
    for sizes in [&[1 << 40, 1 << 40][..], &[4, 0], &[u64::MAX / 2, 1]] {
        let text = message(open(Builder::new().entry("w", sizes, 0, 0)));
        assert!(
            text.starts_with("model.gguf: tensor `w`: found the dimensions"),
            "{text}"
        );
    }
    let text = message(open(Builder::new().entry("w", &[1; 5], 0, 0)));
    assert_eq!(
        text,
        "model.gguf: tensor `w`: found 5 dimensions, expected 1 to 4"
    );
}

#[test]
fn refuses_data_outside_the_file_or_on_other_data() {
    let outside = Builder::new()
        .tensor("a", &[1], &[1.0])
        .entry("w", &[8], 0, 32);
    let text = message(open(outside));
    assert!(
        text.starts_with("model.gguf: tensor `w`: the file has"),
        "{text}"
    );
    let far = Builder::new().entry("w", &[8], 0, u64::MAX - 31);
    assert!(message(open(far)).starts_with("model.gguf: tensor `w`: the file has"));
    let crooked = Builder::new()
        .tensor("a", &[16], &[1.0; 16])
        .entry("w", &[1], 0, 4);
    assert_eq!(
        message(open(crooked)),
        "model.gguf: tensor `w`: found offset 4, expected a multiple of 32"
    );
    let shared = Builder::new()
        .tensor("a", &[16], &[1.0; 16])
        .entry("w", &[1], 0, 32);
    let text = message(open(shared));
    assert!(
        text.contains("tensor `w`: found its data at byte"),
        "{text}"
    );
    assert!(text.contains("expected it behind `a`"), "{text}");
}

#[test]
fn refuses_a_bad_alignment() {
    for alignment in [0, 3, 48] {
        let text = message(open(small().u32("general.alignment", alignment)));
        let expected = format!(
            "model.gguf: key `general.alignment`: found the number {alignment}, expected a power of two"
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn any_cut_is_an_error() {
    let bytes = small().build();
    for len in 0..bytes.len() {
        // The last tensor has 8 bytes of data and 24 of padding.
        let complete = len >= bytes.len() - 24;
        assert_eq!(open_bytes(&bytes[..len]).is_ok(), complete, "cut to {len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens to the bytes, the reader returns; and what it accepts, it can read.
    #[test]
    fn mangled_files_never_panic(
        changes in proptest::collection::vec((0_usize..400, any::<u8>()), 1..6),
        cut in 0_usize..500,
    ) {
        let mut bytes = small().build();
        for (position, byte) in changes {
            let position = position % bytes.len();
            bytes[position] = byte;
        }
        bytes.truncate(cut.max(1));
        if let Ok(file) = open_bytes(&bytes) {
            for tensor in file.tensors() {
                prop_assert!(tensor.position + tensor.bytes as u64 <= bytes.len() as u64);
            }
        }
    }

    /// Extreme words where the format has counts, sizes and offsets.
    #[test]
    fn extreme_numbers_never_panic(
        place in 0_usize..50,
        word in prop_oneof![Just(u64::MAX), Just(u64::MAX / 2), Just(1 << 63), Just(1 << 32), any::<u64>()],
    ) {
        let mut bytes = small().build();
        let at = (4 + 4 * place).min(bytes.len() - 8);
        bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        let _ = open_bytes(&bytes);
    }
}
