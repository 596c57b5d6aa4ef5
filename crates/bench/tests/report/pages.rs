//! HTML pages and plots.

use bench::report::{
    self, Document, Duel, Figure, MeanSe, MeasuredText, Report, Response, Sample, Table,
    TextMeasure,
};
use judge::{Verdict as Judged, WinRates};

use crate::sample::{estimate, small};
use crate::terminal;

pub fn page(report: &Report) -> String {
    Document::of(report).html().unwrap()
}

fn figures(report: &Report) -> Vec<Figure> {
    Document::of(report).figures().cloned().collect()
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
fn html_and_svg_tags_are_balanced() {
    let report = small();
    balanced(&page(&report));
    let plots = figures(&report);
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
    let page = Document::gallery_of(&report).unwrap().html().unwrap();
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
    assert!(self::page(&report).contains("href=\"gallery.html\""));
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
    let plots = figures(&report);
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
    let text = terminal(&report);
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
    let expected = "&lt;script&gt;alert(1)&lt;&#x2f;script&gt; &amp; &quot;more&quot;";
    assert!(page(&report).contains(expected));
    assert!(!Document::of(&report).markdown("plots").contains("<script"));
}

#[test]
fn what_a_terminal_would_obey_is_escaped_in_every_form_but_json() {
    let mut report = small();
    let odd = "\u{1b}]0;x\u{7}\u{202e}id";
    report.samples[0].responses[0].text = odd.into();
    report.tables = vec![Table::new(odd, odd, &["user", odd])];
    report.tables[0].rows = vec![vec![odd.into(), "1".into()]];
    let document = Document::of(&report);
    for text in [
        document.html().unwrap(),
        document.markdown("plots"),
        document.terminal(),
    ] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text}");
        assert!(text.contains("u{202e}"), "{text}");
    }
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn a_long_id_is_whole_in_a_tooltip_and_one_line_on_a_terminal() {
    let mut report = small();
    let long = "x".repeat(70_000);
    report.tables = vec![Table::new("t", "", &["user", "n"])];
    report.tables[0].rows = vec![vec![long.clone(), "1".into()]];
    assert!(page(&report).contains(&format!("title=\"{long}\"")));
    assert!(
        terminal(&report)
            .lines()
            .all(|line| line.chars().count() < 200)
    );
}

#[test]
fn plots_have_a_role_and_a_title() {
    for plot in figures(&small()) {
        assert!(plot.file().starts_with("<svg xmlns="), "{}", plot.name);
        assert!(plot.svg.contains("role=\"img\""));
        assert!(plot.svg.contains(&format!("<title>{}</title>", plot.title)));
    }
}

#[test]
fn without_majority_and_minority_the_accuracy_plot_shows_users() {
    let mut report = small();
    report.systems[1].accuracy.majority = MeanSe::default();
    report.systems[1].accuracy.minority = MeanSe::default();
    let plots = figures(&report);
    // A group of several users does not name one; a profile of one user does.
    assert!(plots[0].svg.contains("P-DPO individual, 1: 1.000"));
    assert!(plots[0].svg.contains("P-DPO individual, minority: 0.950"));
}

#[test]
fn many_users_have_a_dot_each_in_the_strip_of_every_system() {
    let mut report = small();
    let plots = |report: &Report| figures(report).into_iter().find(|p| p.name == "users");
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
    let plots = figures(&report);
    let lengths = plots
        .iter()
        .find(|p| p.name.starts_with("lengths"))
        .unwrap();
    let label = "WWWWWWWWWWWW…</text>";
    let before = &lengths.svg[..lengths.svg.find(label).unwrap()];
    assert!(before.ends_with(&format!("<title>user {}</title>", "W".repeat(30))));
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
    let page = |report: &Report| self::page(report);
    assert!(page(&report).contains("Majority and minority: mean over users"));
    for system in &mut report.systems {
        (system.accuracy.majority, system.accuracy.minority) = Default::default();
    }
    report.yardsticks.clear();
    assert!(!page(&report).contains("Majority and minority: mean over users"));
}

#[test]
fn an_empty_report_renders_without_plots() {
    let report = Report::default();
    assert!(figures(&report).is_empty());
    balanced(&page(&report));
}
