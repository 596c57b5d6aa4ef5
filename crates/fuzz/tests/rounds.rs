//! A short run of the program; `cargo xtask fuzz` makes longer ones.

use std::process::Command;

#[test]
fn a_few_hundred_mangled_files_do_no_harm() {
    let keep = tempfile::tempdir().unwrap();
    let mut fuzz = Command::new(env!("CARGO_BIN_EXE_fuzz"));
    fuzz.args(["--rounds", "300", "--keep"]).arg(keep.path());
    let output = fuzz.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    let all = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth_back(1));
    assert_eq!(
        all.map(|n| n.parse::<u64>().unwrap()).sum::<u64>(),
        300,
        "{text}"
    );
}
