//! A small hand-made report in every form.

mod files;
mod pages;
mod sample;

use bench::report::{markdown, svg, terminal};
use pages::page;
use sample::small;
use serde_json::Value;

#[test]
fn terminal_text_is_as_recorded() {
    insta::assert_snapshot!("terminal", terminal::render(&small()));
}

#[test]
fn markdown_is_as_recorded() {
    let report = small();
    insta::assert_snapshot!(
        "markdown",
        markdown::render(&report, &svg::plots(&report), "plots")
    );
}

#[test]
fn json_has_the_keys_that_tools_rely_on() {
    let json = serde_json::to_value(small()).unwrap();
    for pointer in [
        "/experiment",
        "/preset",
        "/seed",
        "/data/source",
        "/data/train",
        "/data/eval",
        "/data/workers",
        "/model/source",
        "/model/parameters",
        "/yardsticks/always-longer/top",
        "/verdicts/e1/holds",
        "/verdicts/e1/text",
        "/settings_note",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
    for system in json["systems"].as_array().unwrap() {
        for pointer in [
            "/name",
            "/accuracy/top",
            "/accuracy/generic",
            "/accuracy/majority/mean",
            "/accuracy/majority/se",
            "/accuracy/minority/mean",
            "/accuracy/minority/se",
            "/accuracy/per_user",
            "/words/majority",
            "/words/minority",
            "/words/generic",
            "/words/per_user",
            "/empty_share/majority",
            "/empty_share/minority",
            "/empty_share/generic",
            "/empty_share/per_user",
            "/trainable/llm",
            "/trainable/users",
            "/comparisons_per_second",
            "/peak_rss_bytes",
            "/kl_to_reference",
            "/heldout_loss",
            "/train_curve",
        ] {
            assert!(system.pointer(pointer).is_some(), "{pointer}");
        }
    }
}

#[test]
fn what_was_not_measured_is_null_and_a_dash() {
    let report = small();
    let json = serde_json::to_value(&report).unwrap();
    let sft = &json["systems"][0];
    assert_eq!(sft["accuracy"]["top"], Value::Null);
    assert_eq!(sft["accuracy"]["minority"]["mean"], Value::Null);
    assert_eq!(sft["kl_to_reference"], Value::Null);
    assert!(terminal::render(&report).contains("SFT                           –"));
}

#[test]
fn a_value_that_is_not_finite_is_written_as_null() {
    let mut report = small();
    report.systems[1].accuracy.top = Some(f64::NAN);
    report.systems[1]
        .words
        .per_user
        .insert("1".into(), Some(f64::INFINITY));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["systems"][1]["accuracy"]["top"], Value::Null);
    assert_eq!(json["systems"][1]["words"]["per_user"]["1"], Value::Null);
    assert!(!page(&report).contains("NaN"));
}
