//! How long each worker's responses are (Figure 3 of the paper), in numbers.

use crate::report::format::{MISSING, natural_key, one_decimal, percent};
use crate::report::{Report, System, Table};

/// A row per seen worker and one for the generic user; `None` where no personalised system was sampled from.
pub fn table(report: &Report) -> Option<Table> {
    let shown: Vec<&System> = (report.systems.iter())
        .filter(|system| !system.words.per_user.is_empty())
        .collect();
    if shown.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Responses by worker",
        "Median words of the sampled responses, their mean, and the share that is empty.",
        &["user", "group"],
    );
    table
        .columns
        .extend(shown.iter().map(|system| system.title().to_owned()));
    let mut users: Vec<_> = report.data.users.iter().collect();
    users.sort_by(|a, b| {
        let groups = a.group.cmp(&b.group);
        groups.then_with(|| natural_key(&a.id).cmp(&natural_key(&b.id)))
    });
    for user in users {
        let of = |values: &crate::report::ByGroup| values.per_user.get(&user.id).copied().flatten();
        let group = user.group.as_deref().unwrap_or(MISSING);
        let cells = shown
            .iter()
            .map(|s| cell([&s.median_words, &s.words, &s.empty_share].map(of)));
        let names = [user.id.as_str(), group].map(String::from);
        table.rows.push(names.into_iter().chain(cells).collect());
    }
    let generic =
        |s: &&System| cell([&s.median_words, &s.words, &s.empty_share].map(|v| v.generic));
    let names = ["generic", MISSING].map(String::from);
    table
        .rows
        .push(names.into_iter().chain(shown.iter().map(generic)).collect());
    Some(table.without_missing_columns())
}

/// `2 (mean 2.3), 10 % empty`
fn cell([median, mean, empty]: [Option<f64>; 3]) -> String {
    match median {
        None => MISSING.into(),
        Some(median) => format!(
            "{median} (mean {}), {} empty",
            one_decimal(mean),
            percent(empty)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ByGroup, Data, UserInfo};

    #[test]
    fn workers_stand_by_group_and_number_before_the_generic_user() {
        let user = |id: &str, group: &str| UserInfo {
            id: id.into(),
            group: Some(group.into()),
            ..UserInfo::default()
        };
        let of = |values: [f64; 3], generic: f64| ByGroup {
            generic: Some(generic),
            per_user: ["2", "10", "7"]
                .map(String::from)
                .into_iter()
                .zip(values.map(Some))
                .collect(),
            ..ByGroup::default()
        };
        let report = Report {
            data: Data {
                users: vec![
                    user("10", "minority"),
                    user("7", "majority"),
                    user("2", "minority"),
                ],
                ..Data::default()
            },
            systems: vec![
                System::default(),
                System {
                    name: "pdpo-individual".into(),
                    words: of([1.25, 3.0, 20.0], 19.5),
                    median_words: of([1.0, 2.5, 21.0], 19.0),
                    empty_share: of([0.5, 0.0, 0.0], 0.0),
                    ..System::default()
                },
            ],
            ..Report::default()
        };
        let rows = table(&report).unwrap().rows;
        assert_eq!(rows[0], ["7", "majority", "21 (mean 20.0), 0 % empty"]);
        assert_eq!(rows[1], ["2", "minority", "1 (mean 1.2), 50 % empty"]);
        assert_eq!(rows[2][2], "2.5 (mean 3.0), 0 % empty");
        assert_eq!(rows[3], ["generic", "–", "19 (mean 19.5), 0 % empty"]);
        assert_eq!(table(&Report::default()), None);
    }
}
