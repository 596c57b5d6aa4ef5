//! Figures of newcomers over all seeds and splits, with their intervals: seeds are drawn first, then in each group newcomers, then
//! their tests.

use std::collections::{BTreeMap, BTreeSet};

use statistics::{Bootstrap, Calibration, Cluster, Estimated};

use super::{How, Served};
use crate::experiment::{Results, SeedResult};

/// How newcomers were served, and after how many answers.
pub(super) type Way = (How, usize);

/// By group, of every newcomer's tests one value for each seed.
pub(super) type Strata<T> = BTreeMap<String, Vec<Cluster<T>>>;

/// Whether a comparison is ranked as its user ranks it.
pub(super) fn right(margin: f32) -> f64 {
    f64::from(u8::from(margin > 0.0))
}

/// The ways in which a system served newcomers, in order.
pub(super) fn ways(results: &Results<'_>, system: &str) -> Vec<Way> {
    let served = served(results, system);
    let ways: BTreeSet<Way> = served.map(|one| (one.how, one.answers)).collect();
    ways.into_iter().collect()
}

fn served<'a>(results: &'a Results<'_>, system: &'a str) -> impl Iterator<Item = &'a Served> {
    let systems = results.splits().flat_map(|(_, split)| &split.systems);
    let of_name = systems.filter(move |measured| measured.name == system);
    of_name.flat_map(|measured| &measured.newcomers)
}

/// Whether it is known what each newcomer wants.
pub(super) fn know_groups(results: &Results<'_>) -> bool {
    let newcomers = results
        .splits()
        .flat_map(|(_, split)| &split.data.newcomers.users);
    newcomers
        .into_iter()
        .all(|newcomer| !newcomer.group.is_empty())
}

/// The mean over newcomers, such as that of what serving them took.
pub(super) fn mean_of(
    results: &Results<'_>,
    system: &str,
    way: Way,
    of: fn(&Served) -> Option<f64>,
) -> Option<f64> {
    let of_way = served(results, system).filter(|one| (one.how, one.answers) == way);
    let values: Vec<f64> = of_way.filter_map(of).collect();
    statistics::mean(&values)
}

/// The margins of a system's tests. `None` where a seed lacks some of them.
pub(super) fn margins(results: &Results<'_>, system: &str, way: Way) -> Option<Strata<f32>> {
    tests(results, system, way, |served| &served.margins)
}

/// The probabilities of the chosen responses where it is known how sure a row is. `None` where a seed lacks some of them.
pub(super) fn spread(results: &Results<'_>, system: &str, way: Way) -> Option<Strata<f64>> {
    tests(results, system, way, |served| &served.spread_probabilities)
}

/// What is known of each test of a system.
fn tests<T: Copy>(
    results: &Results<'_>,
    system: &str,
    way: Way,
    of: fn(&Served) -> &Vec<T>,
) -> Option<Strata<T>> {
    let first = results.seeds.first()?;
    // One who comes in several splits is one all the same.
    let mut newcomers: BTreeMap<(&str, &str), Cluster<T>> = BTreeMap::new();
    for (number, split) in first.splits.iter().enumerate() {
        for newcomer in &split.data.newcomers.users {
            let of_seed = |seed: &SeedResult| {
                let systems = &seed.splits.get(number)?.systems;
                let measured = systems.iter().find(|measured| measured.name == system)?;
                let mut served = measured.newcomers.iter();
                let served = served
                    .find(|one| one.newcomer == newcomer.id && (one.how, one.answers) == way)?;
                Some(of(served).clone())
            };
            let seeds: Vec<Vec<T>> = results.seeds.iter().map(of_seed).collect::<Option<_>>()?;
            let tests = newcomer.tests.len();
            let unit = |test: usize| seeds.iter().map(|seed| seed.get(test).copied()).collect();
            let units: Option<Cluster<T>> = (0..tests).map(unit).collect();
            let who = (newcomer.group.as_str(), newcomer.id.as_str());
            newcomers.entry(who).or_default().extend(units?);
        }
    }
    let mut strata = Strata::new();
    for ((group, _), cluster) in newcomers {
        strata.entry(group.to_owned()).or_default().push(cluster);
    }
    (!strata.is_empty()).then_some(strata)
}

/// The share of tests that are ranked as their users rank them.
pub(super) fn accuracy(margins: &Strata<f32>) -> Option<Estimated> {
    let [accuracy] = over(margins, |margins| [mean(margins, |&margin| right(margin))])?;
    Some(accuracy)
}

/// The accuracy of one group alone.
pub(super) fn of_group(margins: &Strata<f32>, group: &str) -> Option<f64> {
    let clusters = margins.get(group)?;
    let all: Vec<f64> = clusters
        .iter()
        .flatten()
        .flatten()
        .map(|&m| right(m))
        .collect();
    statistics::mean(&all)
}

/// The accuracy as a share of another, on the same tests.
pub(super) fn share(ours: &Strata<f32>, base: &Strata<f32>) -> Option<Estimated> {
    let paired = paired(ours, base)?;
    let [share] = over(&paired, |pairs| {
        let of = |at: usize| mean(pairs, |pair: &[f32; 2]| right(pair[at]));
        [of(0) / of(1)]
    })?;
    Some(share)
}

/// The accuracy minus another, on the same tests.
pub(super) fn difference(ours: &Strata<f32>, base: &Strata<f32>) -> Option<Estimated> {
    let paired = paired(ours, base)?;
    let [difference] = over(&paired, |pairs| {
        [mean(pairs, |[ours, base]: &[f32; 2]| {
            right(*ours) - right(*base)
        })]
    })?;
    Some(difference)
}

/// The expected calibration error of the preference probabilities.
pub(super) fn calibration(margins: &Strata<f32>) -> Option<Estimated> {
    let [error] = over(margins, |margins| {
        let margins: Vec<f64> = margins.iter().copied().map(f64::from).collect();
        [error_of(&Calibration::of(&margins))]
    })?;
    Some(error)
}

/// The same of probabilities.
pub(super) fn calibration_of(probabilities: &Strata<f64>) -> Option<Estimated> {
    let [error] = over(probabilities, |probabilities| {
        [error_of(&Calibration::of_probabilities(probabilities))]
    })?;
    Some(error)
}

fn error_of(calibration: &Calibration) -> f64 {
    calibration.expected_calibration_error.unwrap_or(f64::NAN)
}

/// Figures of all tests together.
fn over<T: Copy, const N: usize>(
    strata: &Strata<T>,
    figures: impl Fn(&[T]) -> [f64; N],
) -> Option<[Estimated; N]> {
    let strata: Vec<Vec<Cluster<T>>> = strata.values().cloned().collect();
    Bootstrap::default().clustered(&strata, |strata| {
        let all: Vec<T> = strata.iter().flatten().flatten().copied().collect();
        figures(&all)
    })
}

fn mean<T>(values: &[T], of: impl Fn(&T) -> f64) -> f64 {
    values.iter().map(of).sum::<f64>() / values.len() as f64
}

/// Two systems on the same tests.
fn paired(ours: &Strata<f32>, base: &Strata<f32>) -> Option<Strata<[f32; 2]>> {
    let of_group = |(group, ours): (&String, &Vec<Cluster<f32>>)| {
        let base = base.get(group)?;
        let clusters = ours.iter().zip(base).map(|(ours, base)| {
            let units = ours.iter().zip(base).map(|(ours, base)| {
                let seeds = ours.iter().zip(base);
                seeds.map(|(&ours, &base)| [ours, base]).collect()
            });
            units.collect()
        });
        Some((group.clone(), clusters.collect()))
    };
    ours.iter().map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two newcomers of a group, with two tests each, in one seed.
    fn strata(margins: [[f32; 2]; 2]) -> Strata<f32> {
        let clusters = margins.map(|tests| tests.map(|margin| vec![margin]).to_vec());
        Strata::from([("majority".to_owned(), clusters.to_vec())])
    }

    #[test]
    fn a_share_is_of_the_accuracy_on_the_same_tests() {
        let ours = strata([[1.0, -1.0], [2.0, 0.0]]); // A tie is not right.
        let base = strata([[1.0, 1.0], [1.0, 1.0]]);
        assert_eq!(accuracy(&ours).map(|figure| figure.value), Some(0.5));
        assert_eq!(share(&ours, &base).map(|figure| figure.value), Some(0.5));
        assert_eq!(of_group(&ours, "majority"), Some(0.5));
        assert_eq!(of_group(&ours, "minority"), None);
        assert_eq!(
            difference(&ours, &base).map(|figure| figure.value),
            Some(-0.5)
        );
        let same = share(&base, &base).unwrap();
        assert_eq!((same.interval.low, same.interval.high), (1.0, 1.0));
    }

    #[test]
    fn a_certain_probability_that_is_wrong_half_the_time_is_off_by_half() {
        let found = calibration(&strata([[99.0, -99.0], [99.0, -99.0]])).unwrap();
        assert!((found.value - 0.5).abs() < 1e-9);
    }
}
