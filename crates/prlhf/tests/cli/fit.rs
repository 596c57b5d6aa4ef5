//! `prlhf users fit`: a user from a few answers.

use super::fixture::{comparisons, fixture, prlhf};

#[test]
fn a_new_user_is_fitted_and_nobody_else_moves() {
    let run = fixture().copy_of_run();
    let users = |action: &[&str]| prlhf(&[&["users", "--run", run.str()][..], action].concat());
    let exported = |id: &str| {
        let file = fixture().fresh("user.json");
        users(&["export", id, file.str()]).ok();
        std::fs::read_to_string(file.path()).unwrap()
    };
    let before = [exported("long"), exported("short")];
    // Emma answers as `short` does; the file has somebody else's answers too.
    let answers = comparisons(&["short", "ben"]).replace("\"short\"", "\"emma\"");
    let answers = fixture().file("answers.jsonl", &answers);
    let fit = |id: &str| {
        let answers = answers.to_str().unwrap();
        prlhf(&[
            "users",
            "fit",
            "--run",
            run.str(),
            "--user",
            id,
            "--data",
            answers,
        ])
    };
    let done = fit("emma").ok();
    assert!(done.contains("answers      8\n"), "{done}");
    assert!(done.contains("left out     answers of `ben`"), "{done}");
    assert!(done.contains("user `emma` is fitted, in "), "{done}");
    assert_eq!(
        users(&["list"]).ok(),
        "long\ttrained\nshort\ttrained\nemma\tfitted\n"
    );
    assert_eq!([exported("long"), exported("short")], before);
    // The same answers give the same row: they do not count twice.
    let emma = exported("emma");
    fit("emma").ok();
    assert_eq!(exported("emma"), emma);
    // Her answers are likelier with her row than with the generic one.
    let margin = |user: &str| -> f64 {
        let data = comparisons(&["short"]).replace("\"short\"", &format!("\"{user}\""));
        let (data, json) = (
            fixture().file("test.jsonl", &data),
            fixture().fresh("eval.json"),
        );
        let data = data.to_str().unwrap();
        let args = [
            "eval",
            "--run",
            run.str(),
            "--data",
            data,
            "--json",
            json.str(),
            "--quality",
            "1",
        ];
        prlhf(&args).ok();
        let report = std::fs::read_to_string(json.path()).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        report["loss"].as_f64().unwrap()
    };
    assert!(margin("emma") < margin("a-stranger"));

    let error = fit("nobody").error();
    assert!(
        error.contains("no answer of user `nobody`, only of others: `ben`, `emma`"),
        "{error}"
    );
}
