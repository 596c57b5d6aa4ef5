//! A small hand-made report in every form.

mod files;
mod pages;
mod sample;

use bench::report::{Document, Report};
use pages::page;
use sample::small;
use serde_json::Value;

#[test]
fn terminal_text_is_as_recorded() {
    insta::assert_snapshot!("terminal", terminal(&small()));
}

#[test]
fn markdown_is_as_recorded() {
    insta::assert_snapshot!("markdown", Document::of(&small()).markdown("plots"));
}

#[test]
fn the_page_without_its_style_and_plots_is_as_recorded() {
    let cut = |text: String, from: &str, to: &str| {
        let mut kept = String::new();
        let mut parts = text.split(from);
        kept += parts.next().unwrap_or_default();
        for part in parts {
            let (_, rest) = part.split_once(to).expect(to);
            kept += &format!("{from}{to}{rest}");
        }
        kept
    };
    let page = cut(page(&small()), "<style>", "</style>");
    insta::assert_snapshot!("html", cut(page, "<svg", "</svg>"));
}

/// What a reader of one form is told, he is told in the others.
#[test]
fn all_forms_say_the_same() {
    let report = small();
    let document = Document::of(&report);
    let (markdown, page) = (document.markdown("plots"), page(&report));
    let terminal = document.terminal();
    let cells = report.systems[1]
        .accuracy
        .top
        .map(|top| format!("{top:.3}"));
    for said in [
        "E1 holds",
        "3.5 words against 18.0",
        "Accuracy on held-out comparisons",
        "yardstick: always-longer",
        "0.950 ± 0.050",
        "12,288",
        &cells.expect("an accuracy"),
    ] {
        for (form, text) in [
            ("Markdown", &markdown),
            ("HTML", &page),
            ("terminal", &terminal),
        ] {
            assert!(text.contains(said), "{form} lacks {said}");
        }
    }
    for said in ["SFT is the reference", "The same for everyone", "262,144"] {
        assert!(markdown.contains(said) && page.contains(said), "{said}");
        assert!(!terminal.contains(said), "{said}");
    }
}

fn terminal(report: &Report) -> String {
    Document::of(report).terminal()
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
    assert!(terminal(&report).contains("SFT                           –"));
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
