//! A first look at a GPU, rehearsed on the CPU, and refused where there is none.

use std::path::Path;
use std::process::{Command, Output};

fn speed(args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_speed"));
    // No GPU is found by a program that is not there.
    command.env("PATH", "/nonexistent");
    command.args(args).current_dir(root).output().unwrap()
}

#[test]
fn without_a_gpu_it_says_so_at_once_and_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("gpu");
    let out_text = out.to_str().unwrap();
    let output = speed(&["gpu", "--out", out_text, "--bench", "bench"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("no NVIDIA GPU here"), "{error}");
    assert!(error.contains("--device flex"), "{error}");
    assert!(!out.exists());
}

/// The part in the middle is another program's: here one that fails, which the page must say, and which must keep the parts
/// behind it from nothing.
#[cfg(unix)]
#[test]
fn a_rehearsal_goes_all_the_way_and_tells_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("gpu");
    let args = ["gpu", "--device", "flex", "--bench", "/bin/false", "--out"];
    let output = speed(&[&args[..], &[out.to_str().unwrap()]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("failed: tldr"), "{error}");
    let page = std::fs::read_to_string(out.join("summary.md")).unwrap();
    for part in [
        "A rehearsal on `flex`",
        "| checks (checks.log) | done after",
        "| tldr (tldr.log) | FAILED with code 1",
        "| rungs (rungs.log) | done after",
        "| logits of `gptj` against transformers |",
        "No system was finished.",
        "| small | 8 | none |",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("WRONG"), "{page}");
    // A folder that holds something is left alone.
    let output = speed(&[&args[..], &[out.to_str().unwrap()]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("give --out"), "{error}");
}
