//! Formats of files, packed ones, and files that are none.

use super::*;

const ROWS: &str = "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"user\":\"u\"}\n{\"prompt\":\"q\",\"chosen\":\"c\",\"rejected\":\"d\",\"user\":\"v\"}\n";

const TABS: &str = "prompt\tchosen\trejected\tuser\np\ta\tb\tu\nq\tc\td\tv\n";

#[test]
fn packed_files_are_read_whatever_they_are_called() {
    let plain = read("a.jsonl", ROWS).0;
    let zstd = zstd::encode_all(ROWS.as_bytes(), 1).unwrap();
    for (name, bytes) in [
        ("a.jsonl.gz", gzip(ROWS)),
        ("a.jsonl", gzip(ROWS)),
        ("a.jsonl.zst", zstd),
        (
            "a.json.gz",
            gzip(&format!("[{}]", ROWS.trim().replace('\n', ","))),
        ),
        (
            "a.csv.gz",
            gzip("prompt,chosen,rejected,user\np,a,b,u\nq,c,d,v\n"),
        ),
        ("a.tsv", TABS.into()),
        ("a.tab", TABS.into()),
        ("a.TSV.gz", gzip(TABS)),
        ("a.tsv.zst", zstd::encode_all(TABS.as_bytes(), 1).unwrap()),
        // Called packed, and plain.
        ("b.jsonl.gz", ROWS.as_bytes().to_vec()),
    ] {
        assert_eq!(read(name, bytes).0, plain, "{name}");
    }
    let cut = gzip(ROWS);
    let message = error("a.jsonl.gz", &cut[..cut.len() - 9]);
    assert!(
        message.contains("the gzip data is damaged or ends early"),
        "{message}"
    );
}

#[test]
fn what_is_no_data_is_called_by_its_name() {
    for (bytes, expected) in [
        (&b"PK\x03\x04rest"[..], "a zip archive"),
        (b"BZh91AY", "a bzip2 file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "git lfs pull",
        ),
        (b"\xFF\xFE{\0", "UTF-16"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"{\n  \"prompt\": \"p\"\n}\n", "one object a line"),
        (b"{\"prompt\": \"p\", \"score\": NaN}", "no NaN"),
        (b"{\"prompt\": \"p\", \"chos", "is the file complete?"),
    ] {
        let message = error("a.jsonl", bytes);
        assert!(message.contains(expected), "{message}");
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Written by pyarrow: see `xtask/fixtures/data_files.py`.
#[test]
fn arrow_folders_and_parquet_of_every_compression_are_read() {
    let expected = ["Green.", "Elbe."];
    for name in [
        "on_disk",
        "text.arrow",
        "text.feather",
        "kinds.arrow",
        "lz4.arrow",
        "zstd.arrow",
        "brotli.parquet",
        "lz4.parquet",
        "gzip.parquet",
        "zstd.parquet",
    ] {
        let found = read_comparisons(&[fixture(name)], ReadOptions::default());
        let (found, _) = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        let chosen: Vec<&str> = found.iter().map(|one| one.chosen.as_str()).collect();
        assert_eq!(chosen, expected, "{name}");
        let users: Vec<_> = found.iter().map(|one| one.user.clone()).collect();
        assert_eq!(users, [Some("12".into()), None], "{name}");
    }
    for name in ["kinds.arrow", "lz4.arrow", "zstd.arrow"] {
        let (found, _) = read_comparisons(&[fixture(name)], ReadOptions::default()).unwrap();
        assert_eq!(found[0].prompt, chat(&[("user", "Name a colour.")]));
    }
}

#[test]
fn a_damaged_arrow_file_is_an_error_with_its_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.arrow");
    for name in ["kinds.arrow", "lz4.arrow", "zstd.arrow"] {
        let whole = fs::read(fixture(name)).unwrap();
        for place in (0..whole.len()).step_by(5) {
            for change in [0x55, 0xFF] {
                let mut bytes = whole.clone();
                bytes[place] ^= change;
                fs::write(&path, bytes).unwrap();
                if let Err(error) = read_comparisons(&[&path], ReadOptions::default()) {
                    assert!(error.to_string().contains("a.arrow"), "{error}");
                }
            }
            fs::write(&path, &whole[..place]).unwrap();
            let cut = read_comparisons(&[&path], ReadOptions::default());
            assert!(cut.is_err() || place > whole.len() / 2);
        }
    }
}

/// A buffer that says it becomes a terabyte, where the compressed length stands in a small file.
#[test]
fn a_compressed_buffer_becomes_no_more_than_it_may() {
    let whole = fs::read(fixture("zstd.arrow")).unwrap();
    let frame = [0x28, 0xB5, 0x2F, 0xFD];
    let places = whole
        .windows(4)
        .enumerate()
        .filter(|(_, four)| *four == frame);
    let places: Vec<usize> = places.map(|(at, _)| at - 8).collect();
    assert!(!places.is_empty());
    let messages = places.iter().filter_map(|at| {
        let mut bytes = whole.clone();
        bytes[*at..at + 8].copy_from_slice(&(1i64 << 40).to_le_bytes());
        read_as("a.arrow", bytes, ReadOptions::default()).err()
    });
    let messages: Vec<String> = messages.collect();
    assert!(!messages.is_empty());
    for message in messages {
        assert!(
            message.contains("a batch that unpacks to more than"),
            "{message}"
        );
    }
}

#[test]
fn small_files_do_not_become_large() {
    // A list of two million empty objects, and a gzip file that unpacks to a gigabyte.
    let list = format!("{{\"x\":[{}{{}}]}}", "{},".repeat(2_000_000));
    assert!(error("a.jsonl", list).contains("more than a million values"));
    let message = error(
        "a.csv",
        format!("prompt,chosen,rejected\n\"{}", "x".repeat(65 << 20)),
    );
    assert!(message.contains("more than 64 MiB"), "{message}");
    // 32 KB that say that they hold a page of 2 GB; see `xtask/fixtures/data_files.py`.
    let message = read_comparisons(&[fixture("large.parquet")], ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("honestly hold"), "{message}");
}
