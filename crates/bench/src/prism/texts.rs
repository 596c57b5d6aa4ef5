//! What is measured of the sampled texts: for users the model knows, and for those it does not.

use crate::experiment::Results;
use crate::report::format::short_estimate;
use crate::report::{Report, Table, TextMeasure};
use crate::texts::{MEASURES, Texts, gather_as, measures};

/// A row per system and kind of user; `None` where nothing was sampled. A single user has too few texts for a row.
pub fn table(results: &Results<'_>, report: &Report) -> Option<Table> {
    let measured = measures(&texts(results), &MEASURES);
    let rows = &measured.first()?.values;
    let mut table = Table::new(
        "Measures of the sampled texts",
        "Means over texts with 95 % bootstrap intervals: whether a system still writes as the others do. Grade: \
         Flesch-Kincaid. Long words (7 letters or more), exclamation marks and second-person words are per 100 words.",
        &["system", "for"],
    );
    let titles = measured.iter().map(|m| m.key.replace('_', " "));
    table.columns.extend(titles);
    for system in &report.systems {
        for row in rows.iter().filter(|row| row.system == system.name) {
            let kind = row.user.as_deref();
            let cell =
                |m: &TextMeasure| short_estimate(m.of(&system.name, kind).unwrap_or_default());
            let names = [system.title(), kind.unwrap_or_default()].map(String::from);
            let cells = measured.iter().map(cell);
            table.rows.push(names.into_iter().chain(cells).collect());
        }
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Texts by system and kind of user, in place of the user.
fn texts(results: &Results<'_>) -> Texts {
    gather_as(results, |split, text| {
        let user = text.user.as_deref().unwrap_or_default();
        let kind = match &text.user {
            Some(user) if split.data.users.contains_key(user) => "seen users",
            Some(_) => "unseen users",
            None => "everyone",
        };
        (Some(kind.to_owned()), format!("{} {user}", text.source))
    })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::experiment::{ExperimentData, Measured, SampledText, SeedResult, SplitResult};
    use crate::report::{Model, System};

    #[test]
    fn every_text_counts_once_for_its_kind_of_user() {
        let text = |user: &str, text: &str| SampledText {
            user: Some(user.into()),
            source: "p".into(),
            text: text.into(),
            further: Vec::new(),
        };
        let measured = Measured {
            name: "vanilla-dpo".into(),
            texts: vec![
                text("a", "one"),
                text("b", "one two three"),
                text("c", "x y"),
            ],
            ..Measured::default()
        };
        let users = ["a", "b"].map(|user| (user.to_owned(), String::new()));
        let data = ExperimentData {
            users: users.into_iter().collect(),
            ..ExperimentData::default()
        };
        let split = SplitResult {
            data: Rc::new(data),
            systems: vec![measured],
            model: Model::default(),
        };
        let seeds = [SeedResult {
            seed: 0,
            splits: vec![split],
        }];
        let results = Results { seeds: &seeds };
        let report = Report {
            systems: vec![System {
                name: "vanilla-dpo".into(),
                ..System::default()
            }],
            ..Report::default()
        };
        let table = table(&results, &report).unwrap();
        assert_eq!(table.columns[..3], ["system", "for", "words"]);
        let rows: Vec<&[String]> = table.rows.iter().map(|row| &row[1..3]).collect();
        assert_eq!(rows[0], ["seen users", "2.0 [1.0, 3.0]"]);
        assert_eq!(rows[1], ["unseen users", "2.0"]);
        let nothing = Results { seeds: &[] };
        assert!(super::table(&nothing, &report).is_none());
    }
}
