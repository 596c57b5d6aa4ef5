//! What is written, and read back.

use std::fs;

use bench::report::{self, Report};

use crate::sample::small;

fn files(dir: &std::path::Path) -> impl Iterator<Item = String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

#[test]
fn written_reports_read_back_and_leave_no_temporary_files() {
    let dir = tempfile::tempdir().unwrap();
    let report = small();
    report::write(dir.path(), &report).unwrap();
    report::write(dir.path(), &report).unwrap();
    assert_eq!(report::read(dir.path()).unwrap(), report);
    let mut names: Vec<String> = files(dir.path())
        .chain(files(&dir.path().join("plots")))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "accuracies.svg",
            "lengths-pdpo-individual.svg",
            "plots",
            "report.html",
            "report.json",
            "report.md",
            "training.svg"
        ]
    );
}

#[test]
fn numbers_are_read_back_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    // Three that a quick reader takes for a neighbour of theirs.
    for seconds in [
        0.43289354829158677,
        0.43261904761904757,
        0.09622504486493763,
    ] {
        let mut report = small();
        report.environment.seconds = Some(seconds);
        report::write(dir.path(), &report).unwrap();
        assert_eq!(report::read(dir.path()).unwrap(), report);
    }
}

#[test]
fn a_failed_write_names_the_file_and_keeps_the_earlier_report() {
    let dir = tempfile::tempdir().unwrap();
    let report = small();
    report::write(dir.path(), &report).unwrap();
    let before = fs::read(dir.path().join("report.json")).unwrap();
    fs::remove_dir_all(dir.path().join("plots")).unwrap();
    fs::write(dir.path().join("plots"), "no folder").unwrap();
    let error = report::write(dir.path(), &Report { seed: 9, ..report }).unwrap_err();
    assert!(error.to_string().contains("plots"), "{error}");
    assert_eq!(fs::read(dir.path().join("report.json")).unwrap(), before);
    assert_eq!(files(dir.path()).count(), 4);
}

#[test]
fn a_file_that_is_no_report_is_an_error_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("report.json"), "{\"experiment\": 3}").unwrap();
    let message = report::read(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("report.json: not a report") && message.contains("line 1"),
        "{message}"
    );
    let nowhere = report::read(&dir.path().join("nowhere")).unwrap_err();
    assert!(nowhere.to_string().contains("nowhere"), "{nowhere}");
}
