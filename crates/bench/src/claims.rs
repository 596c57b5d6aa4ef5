//! Claims of the paper that several experiments look at, and how intervals decide them.
//!
//! Intervals are those of [`Bootstrap::clustered`]: seeds are drawn first, then users, then their comparisons; a system and the one it is
//! compared with always meet the same draw. Draws and their seed are those of [`Bootstrap::default`].

pub mod prm;

use statistics::{Bootstrap, Cluster, Estimated, Interval, signed};

use crate::experiment::{Outcomes, Results};
use crate::measure::Case;
use crate::report::format::MISSING;
use crate::report::{Claim, Finding, System, all};

/// The system that all others are compared with.
pub const VANILLA: &str = "vanilla-dpo";

/// How much better than vanilla DPO a personalised system must be on the mean user.
const BETTER: f64 = 0.10;

/// Systems with a user model that write.
pub fn personalised(systems: &[System]) -> impl Iterator<Item = &System> {
    let systems = systems.iter();
    systems.filter(|s| s.trainable.users.is_some() && s.head.is_none())
}

/// Comparisons that are looked at apart, by what they are called.
pub type Part = (&'static str, fn(&Case) -> bool);

/// How much more accurate a system is than another on each part, in cells of a table.
pub fn differences(
    results: &Results<'_>,
    (ours, base): (&str, &str),
    parts: &[Part],
) -> Vec<String> {
    let cell = |(_, keep): &Part| {
        let differences = results.differences(ours, base, keep);
        shown(differences.and_then(pooled), Unit::Points)
    };
    parts.iter().map(cell).collect()
}

/// A figure in a cell of a table.
pub fn shown(figure: Option<Estimated>, unit: Unit) -> String {
    figure.map_or(MISSING.into(), |figure| unit.write(&figure))
}

/// How a figure is written.
#[derive(Clone, Copy)]
pub enum Unit {
    /// A difference of shares, in points of a hundred.
    Points,
    /// A share.
    Percent,
    /// A number with its name.
    Number(&'static str),
}

impl Unit {
    /// `+1.2 points [-3.0, +5.1]`
    pub fn write(self, figure: &Estimated) -> String {
        let Estimated { value, interval } = figure;
        let (low, high) = (interval.low, interval.high);
        match self {
            Self::Points => {
                let [value, low, high] = [*value, low, high].map(|x| signed(100.0 * x, 1));
                format!("{value} points [{low}, {high}]")
            }
            Self::Percent => {
                let [value, low, high] = [*value, low, high].map(|x| 100.0 * x);
                format!("{value:.0} % [{low:.0}, {high:.0}]")
            }
            Self::Number(name) => format!("{value:.2} {name} [{low:.2}, {high:.2}]"),
        }
    }
}

/// How an open or decided part of a claim is written.
pub fn word(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "yes",
        Some(false) => "no",
        None => "undecided",
    }
}

/// A claim of several systems, which holds if it holds of all of them.
pub struct Building {
    statement: String,
    findings: Vec<Finding>,
    parts: Vec<String>,
}

impl Building {
    /// What is claimed, without a full stop.
    pub fn new(statement: impl Into<String>) -> Self {
        Self {
            statement: statement.into(),
            findings: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Adds what was found of a system; `more` stands behind the figure.
    pub fn add(
        &mut self,
        system: &System,
        (what, unit): (&str, Unit),
        figure: Estimated,
        holds: Option<bool>,
        more: &str,
    ) {
        let (name, shown, word) = (system.title(), unit.write(&figure), word(holds));
        self.parts.push(format!("{name} {shown}{more} ({word})"));
        let finding = Finding::new(&system.name, what, figure, holds);
        self.findings.push(finding);
    }

    /// Adds how much more accurate than vanilla DPO a system is, where both were evaluated.
    pub fn against_vanilla(
        &mut self,
        system: &System,
        figure: Option<Estimated>,
        holds: impl Fn(&Interval) -> Option<bool>,
        more: &str,
    ) {
        let what = ("accuracy minus vanilla DPO's", Unit::Points);
        if let Some(figure) = figure {
            self.add(system, what, figure, holds(&figure.interval), more);
        }
    }

    /// The claim; `missing` says what there is no figure of.
    pub fn finish(self, missing: &str) -> Claim {
        if self.findings.is_empty() {
            return Claim::not_measured(missing);
        }
        Claim {
            holds: all(self.findings.iter().map(|finding| finding.holds)),
            grade: None,
            text: format!("{}: {}.", self.statement, self.parts.join("; ")),
            findings: self.findings,
        }
    }
}

/// The means over all units, and over clusters of each one's mean.
pub fn means_of(strata: &[Vec<Cluster<f64>>]) -> Option<[Estimated; 2]> {
    Bootstrap::default().clustered(strata, statistics::means)
}

/// The mean of all differences, over users drawn from many.
pub fn pooled(differences: Outcomes) -> Option<Estimated> {
    let users: Vec<Cluster<f64>> = differences.into_values().collect();
    means_of(&[users]).map(|[pooled, _]| pooled)
}

/// The mean over users of each one's mean difference, over users drawn from many.
pub fn over_users(differences: Outcomes) -> Option<Estimated> {
    let users: Vec<Cluster<f64>> = differences.into_values().collect();
    means_of(&[users]).map(|[_, over_users]| over_users)
}

/// The same over users who are all there are: only comparisons and seeds are drawn.
pub fn over_these_users(differences: Outcomes) -> Option<Estimated> {
    let users: Vec<Vec<Cluster<f64>>> = differences.into_values().map(|user| vec![user]).collect();
    means_of(&users).map(|[_, over_users]| over_users)
}

/// E3: on the mean of these users, P-DPO is more accurate than vanilla DPO, which cannot serve opposite users.
pub fn per_user(results: &Results<'_>, systems: &[System]) -> Claim {
    let mut claim = Building::new(format!(
        "On the mean of these users P-DPO is at least {:.0} points more accurate than vanilla DPO",
        100.0 * BETTER
    ));
    for system in personalised(systems) {
        let differences = results.differences(&system.name, VANILLA, |case| case.seen);
        let users = system.accuracy.per_user.values().copied().flatten();
        let more = users.reduce(f64::min).map_or(String::new(), |worst| {
            format!(", worst user {:.1} % right", 100.0 * worst)
        });
        let holds = |interval: &Interval| interval.lies_in(BETTER, f64::INFINITY);
        let figure = differences.and_then(over_these_users);
        claim.against_vanilla(system, figure, holds, &more);
    }
    claim.finish("vanilla DPO and a personalised system were not both evaluated")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{case, results, right, system};

    /// Ten comparisons for each of two opposite users; so many of each user's are right.
    fn claim(vanilla: [usize; 2], ours: [usize; 2]) -> Claim {
        let cases: Vec<_> = (0..20).map(|i| case(["a", "b"][i / 10], true)).collect();
        let first = |counts: [usize; 2]| -> Vec<bool> {
            (0..20).map(|i| i % 10 < counts[i / 10]).collect()
        };
        let systems = [
            (VANILLA, right(&first(vanilla))),
            ("pdpo-individual", right(&first(ours))),
        ];
        let seeds = [results(&cases, &systems)];
        per_user(
            &Results { seeds: &seeds },
            &[system(VANILLA), system("pdpo-individual")],
        )
    }

    #[test]
    fn e3_asks_for_ten_points_on_the_mean_user() {
        // The two users are all there are: who is drawn decides nothing.
        let holds = claim([10, 0], [10, 10]);
        assert_eq!(holds.holds, Some(true), "{}", holds.text);
        assert_eq!(holds.findings[0].value, 0.5);
        assert_eq!(claim([10, 10], [10, 5]).holds, Some(false));
        // 1 of 10 more for each: about as likely none as two.
        let open = claim([5, 5], [6, 6]);
        assert_eq!(open.holds, None, "{}", open.text);
        assert_eq!(open.verdict(), "undecided");
    }

    #[test]
    fn without_vanilla_dpo_nothing_is_measured() {
        let seeds = [results(
            &[case("a", true)],
            &[("pdpo-individual", right(&[true]))],
        )];
        let claim = per_user(&Results { seeds: &seeds }, &[system("pdpo-individual")]);
        assert_eq!(
            (claim.holds, claim.verdict().as_str()),
            (None, "not measured")
        );
    }

    #[test]
    fn figures_are_written_with_their_intervals() {
        let figure = Estimated {
            value: 0.012,
            interval: statistics::Interval {
                low: -0.03,
                high: 0.0512,
            },
        };
        assert_eq!(Unit::Points.write(&figure), "+1.2 points [-3.0, +5.1]");
        assert_eq!(Unit::Percent.write(&figure), "1 % [-3, 5]");
        assert_eq!(
            Unit::Number("words").write(&figure),
            "0.01 words [-0.03, 0.05]"
        );
    }
}
