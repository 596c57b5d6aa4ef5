//! A small hand-made report in every form.

use std::collections::BTreeMap;
use std::fs;

use bench::report::{
    self, Accuracy, ByGroup, CurvePoint, Data, Duel, Estimate, MeanSe, MeasuredText, Model,
    RatioBand, Report, Response, Sample, System, TextMeasure, Trainable, UserInfo, Verdict,
    Yardstick, gallery, html, markdown, svg, terminal,
};
use judge::{Verdict as Judged, WinRates};
use serde_json::Value;

fn user(id: &str, group: &str) -> UserInfo {
    UserInfo {
        id: id.into(),
        group: Some(group.into()),
        train: 40,
        eval: 10,
    }
}

fn per_user(values: [f64; 3]) -> BTreeMap<String, Option<f64>> {
    ["1", "2", "10"]
        .into_iter()
        .map(String::from)
        .zip(values.map(Some))
        .collect()
}

fn mean_se(mean: f64, se: Option<f64>) -> MeanSe {
    MeanSe {
        mean: Some(mean),
        se,
    }
}

fn estimate([value, low, high]: [f64; 3], n: u64) -> Estimate {
    Estimate {
        value: Some(value),
        low: Some(low),
        high: Some(high),
        n,
    }
}

fn personalised() -> System {
    System {
        name: "pdpo-individual".into(),
        accuracy: Accuracy {
            top: Some(0.96),
            generic: Some(0.61),
            majority: mean_se(0.95, Some(0.05)),
            minority: mean_se(0.95, None),
            per_user: per_user([1.0, 0.9, 0.95]),
            by_ratio: Some(vec![RatioBand {
                lo: 1.2,
                hi: None,
                n: 20,
                top: estimate([0.9, 0.7, 0.97], 20),
                majority: estimate([0.9, 0.6, 0.98], 10),
                minority: estimate([0.9, 0.6, 0.98], 10),
            }]),
            ..Accuracy::default()
        },
        words: ByGroup {
            majority: Some(18.0),
            minority: Some(3.5),
            generic: Some(16.0),
            per_user: per_user([17.0, 19.0, 3.5]),
        },
        empty_share: ByGroup {
            minority: Some(0.4),
            per_user: per_user([0.0, 0.0, 0.4]),
            ..ByGroup::default()
        },
        trainable: Trainable {
            llm: Some(12_288),
            users: Some(5_120),
        },
        comparisons_per_second: Some(21.4),
        peak_rss_bytes: Some(432_013_312),
        train_curve: [(0, 0.5), (60, 0.96)]
            .map(|(step, top)| point(step, top))
            .to_vec(),
        ..System::default()
    }
}

fn point(step: u64, top: f64) -> CurvePoint {
    CurvePoint {
        step,
        top: Some(top),
        ..CurvePoint::default()
    }
}

fn small() -> Report {
    let sft = System {
        name: "sft".into(),
        words: ByGroup {
            generic: Some(11.0),
            ..ByGroup::default()
        },
        ..System::default()
    };
    Report {
        experiment: "tldr".into(),
        title: "TL;DR".into(),
        preset: "tiny".into(),
        seed: 1,
        data: Data {
            source: "mini".into(),
            train: 120,
            eval: 30,
            workers: 3,
            users: vec![
                user("1", "majority"),
                user("2", "majority"),
                user("10", "minority"),
            ],
            ..Data::default()
        },
        model: Model {
            source: "made in this run".into(),
            parameters: 262_144,
            sft: None,
        },
        systems: vec![sft, personalised()],
        yardsticks: [(
            "always-longer".to_owned(),
            Yardstick {
                top: Some(0.7),
                majority: Some(1.0),
                ..Yardstick::default()
            },
        )]
        .into(),
        verdicts: [(
            "e1".to_owned(),
            Verdict::new(true, "3.5 words against 18.0"),
        )]
        .into(),
        samples: vec![Sample {
            prompt: "Tell me | <script>alert('prompt')</script>".into(),
            responses: vec![
                Response {
                    system: "pdpo-individual".into(),
                    user: Some("10".into()),
                    text: String::new(),
                },
                Response {
                    system: "sft".into(),
                    user: None,
                    text: "<script>alert(1)</script> & \"more\"".into(),
                },
            ],
        }],
        ..Report::default()
    }
}

fn page(report: &Report) -> String {
    html::render(report, &svg::plots(report))
}

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

#[test]
fn an_empty_report_renders_without_plots() {
    let report = Report::default();
    assert!(svg::plots(&report).is_empty());
    balanced(&page(&report));
}

#[test]
fn html_and_svg_tags_are_balanced() {
    let report = small();
    balanced(&page(&report));
    let plots = svg::plots(&report);
    assert_eq!(
        plots.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["accuracies", "lengths-pdpo-individual", "training"]
    );
    plots.iter().for_each(|plot| balanced(&plot.svg));
}

#[test]
fn html_loads_nothing_from_elsewhere() {
    let page = page(&small());
    for word in ["http:", "https:", "src=", "href=", "@import", "<script"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn the_gallery_shows_the_answers_for_several_users_in_one_row_and_is_linked() {
    let mut report = small();
    let answer = |system: &str, user: Option<&str>, text: &str| Response {
        system: system.into(),
        user: user.map(String::from),
        text: text.into(),
    };
    let sample = |prompt: &str| Sample {
        prompt: prompt.into(),
        responses: vec![
            answer("sft", None, "for everyone"),
            answer("pdpo-individual", Some("1"), "for <one>"),
            answer("pdpo-individual", Some("10"), ""),
        ],
    };
    report.gallery = vec![sample("first"), sample("second")];
    let page = gallery::render(&report);
    balanced(&page);
    assert_eq!(page.matches("class=\"cards\"").count(), 4);
    for text in [
        "The same for everyone",
        "for &lt;one&gt;",
        "<em>(empty)</em>",
        "user 10",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(html::render(&report, &[]).contains("href=\"gallery.html\""));
    let dir = tempfile::tempdir().unwrap();
    report::write(dir.path(), &report).unwrap();
    assert!(dir.path().join("gallery.html").exists());
    assert!(report::read(dir.path()).unwrap().gallery.is_empty());
}

#[test]
fn measured_texts_have_a_plot_each_with_a_row_per_user() {
    let mut report = small();
    let of = |user: Option<&str>, value: f64| MeasuredText {
        system: if user.is_some() {
            "pdpo-individual"
        } else {
            "sft"
        }
        .into(),
        user: user.map(String::from),
        estimate: estimate([value, value - 1.0, value + 1.0], 8),
    };
    report.text_measures = vec![TextMeasure {
        key: "long_words".into(),
        title: "long words".into(),
        values: vec![of(None, 5.0), of(Some("1"), 2.0), of(Some("10"), 9.0)],
    }];
    let plots = svg::plots(&report);
    let names: Vec<&str> = plots.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["accuracies", "texts-long-words", "training"]);
    balanced(&plots[1].svg);
    assert!(
        plots[1]
            .svg
            .contains("P-DPO individual, 10, minority: 9.0 [8.0, 10.0]"),
        "{}",
        plots[1].svg
    );
    let text = terminal::render(&report);
    assert!(text.contains("user 10, minority"), "{text}");
}

#[test]
fn win_rates_are_shown_where_there_was_a_judge() {
    let mut report = small();
    let verdicts = [("1", Judged::Win), ("1", Judged::Win), ("10", Judged::Tie)];
    report.duels = vec![Duel {
        system: "pdpo-individual".into(),
        opponent: "sft".into(),
        judge: "m".into(),
        rates: WinRates::of(&verdicts),
        unparsable: 1,
        unjudged: 0,
    }];
    let page = page(&report);
    balanced(&page);
    assert!(page.contains("2, 1, 0"));
    assert!(page.contains("0.83"));
    let back: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(back.duels, report.duels);
}

#[test]
fn text_of_prompts_and_responses_is_escaped() {
    let report = small();
    let expected = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;";
    assert!(page(&report).contains(expected));
    assert!(!markdown::render(&report, &[], "plots").contains("<script"));
}

#[test]
fn plots_have_a_role_and_a_title() {
    for plot in svg::plots(&small()) {
        assert!(plot.svg.starts_with("<svg xmlns="), "{}", plot.name);
        assert!(plot.svg.contains("role=\"img\""));
        assert!(plot.svg.contains(&format!("<title>{}</title>", plot.title)));
    }
}

#[test]
fn without_majority_and_minority_the_accuracy_plot_shows_users() {
    let mut report = small();
    report.systems[1].accuracy.majority = MeanSe::default();
    report.systems[1].accuracy.minority = MeanSe::default();
    let plots = svg::plots(&report);
    // A group of several users does not name one; a profile of one user does.
    assert!(plots[0].svg.contains("P-DPO individual, 1: 1.000"));
    assert!(plots[0].svg.contains("P-DPO individual, minority: 0.950"));
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
fn a_failed_write_names_the_file_and_keeps_the_earlier_report() {
    let dir = tempfile::tempdir().unwrap();
    let report = small();
    report::write(dir.path(), &report).unwrap();
    let before = fs::read(dir.path().join("report.json")).unwrap();
    fs::create_dir(dir.path().join("report.html.tmp")).unwrap();
    let error = report::write(dir.path(), &Report { seed: 9, ..report }).unwrap_err();
    assert!(error.to_string().contains("report.html.tmp"), "{error}");
    assert_eq!(fs::read(dir.path().join("report.json")).unwrap(), before);
    assert!(!dir.path().join("report.json.tmp").exists());
}

#[test]
fn a_file_that_is_no_report_is_an_error_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("report.json"), "{\"experiment\": 3}").unwrap();
    let message = report::read(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("report.json is not a report") && message.contains("line 1"),
        "{message}"
    );
    assert!(
        report::read(&dir.path().join("nowhere"))
            .unwrap_err()
            .to_string()
            .starts_with("cannot read")
    );
}

fn files(dir: &std::path::Path) -> impl Iterator<Item = String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

/// Panics where a tag is not closed in order.
fn balanced(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in text.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        let name = tag
            .trim_start_matches('/')
            .split([' ', '\n'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closing {name}");
        } else if !(tag.ends_with('/') || name == "meta" || name == "!DOCTYPE") {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn many_users_have_a_dot_each_in_the_strip_of_every_system() {
    let mut report = small();
    let plots = |report: &Report| svg::plots(report).into_iter().find(|p| p.name == "users");
    assert!(plots(&report).is_none());
    let users = (0..9).map(|n| (format!("user9{n}"), Some(f64::from(n % 3) / 2.0)));
    report.systems[1].accuracy.per_user = users.chain([("x".to_owned(), None)]).collect();
    let plot = plots(&report).unwrap();
    balanced(&plot.svg);
    assert_eq!(plot.svg.matches("<circle").count(), 9);
    assert!(plot.svg.contains("P-DPO individual, user90: 0.00"));
    assert!(plot.svg.contains(">0.50</text>"));
}

#[test]
fn long_ids_of_wide_letters_are_not_cut_at_the_left() {
    let mut report = small();
    let wide = "W".repeat(30);
    report.systems[1].words.per_user = [(wide, Some(4.0))].into();
    let plots = svg::plots(&report);
    let lengths = plots
        .iter()
        .find(|p| p.name.starts_with("lengths"))
        .unwrap();
    let label = "WWWWWWWWWWWW…</text>";
    let before = &lengths.svg[..lengths.svg.find(label).unwrap()];
    let x = &before[before.rfind(" x=\"").unwrap() + 4..];
    let x: f64 = x[..x.find('"').unwrap()].parse().unwrap();
    assert!(x >= 13.0 * 12.9, "{x}");
}

#[test]
fn users_are_named_once_and_notes_speak_of_columns_that_are_there() {
    let mut report = small();
    assert_eq!(report.user_title("10"), "user 10, minority");
    assert_eq!(report.user_title("user9000"), "user9000");
    assert_eq!(report.reader_title("sft", None), "everyone");
    assert_eq!(report.reader_title("pdpo-individual", None), "generic user");
    let note = |report: &Report| report::tables::accuracies(report).note;
    assert!(note(&report).contains("Majority"));
    for system in &mut report.systems {
        (system.accuracy.majority, system.accuracy.minority) = Default::default();
    }
    report.yardsticks.clear();
    assert!(!note(&report).contains("ajority"));
}
