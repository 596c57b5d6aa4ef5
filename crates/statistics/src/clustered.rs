//! The bootstrap of samples in two levels, such as users and their comparisons, all of them measured in several runs.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::bootstrap::{Bootstrap, below};

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimated {
    /// Of what was measured.
    pub value: f64,
    /// Of what might have been.
    pub interval: Interval,
}

/// The units of a cluster, such as a user's comparisons; of every unit, one value for each run.
pub type Cluster<T> = Vec<Vec<T>>;

impl Bootstrap {
    /// Figures with their 95 % intervals (percentiles) over samples drawn in stages: first runs, the same for everything, for what was
    /// measured in one seed would have been measured in another; then in every stratum as many clusters as it has; then of every
    /// cluster drawn as many units as it has; all with replacement. Strata are what is not left to chance, such as two groups, or users who are
    /// all that there are.
    ///
    /// A figure is a function of the values drawn: strata, their clusters, and of each the values of all its units in all runs. Clusters without units are
    /// left out. `None` where a stratum is empty, where there are fewer than two units or no draws, where units differ in their number of
    /// runs, or where a figure is never finite.
    ///
    /// The last stage makes the intervals wide rather than narrow (Davison and Hinkley 1997, section 3.8).
    pub fn clustered<T: Copy, const N: usize>(
        &self,
        strata: &[Vec<Cluster<T>>],
        figures: impl Fn(&[Vec<Vec<T>>]) -> [f64; N],
    ) -> Option<[Estimated; N]> {
        let strata: Vec<Vec<&[Vec<T>]>> = strata.iter().map(|s| without_empty(s)).collect();
        let units = || strata.iter().flatten().copied().flatten();
        let runs = units().next()?.len();
        let even = runs > 0 && units().all(|unit| unit.len() == runs);
        if !even || units().count() < 2 || strata.iter().any(Vec::is_empty) {
            return None;
        }
        let whole = |stratum: &Vec<&[Vec<T>]>| -> Vec<Vec<T>> {
            stratum.iter().map(|cluster| cluster.concat()).collect()
        };
        let values = figures(&strata.iter().map(whole).collect::<Vec<_>>());
        let intervals = self.drawn(|random| {
            let runs: Vec<usize> = (0..runs).map(|_| below(random, runs)).collect();
            let sample: Vec<Vec<Vec<T>>> = strata
                .iter()
                .map(|stratum| draw(stratum, &runs, random))
                .collect();
            figures(&sample)
        })?;
        Some(std::array::from_fn(|figure| Estimated {
            value: values[figure],
            interval: intervals[figure],
        }))
    }
}

fn without_empty<T>(stratum: &[Cluster<T>]) -> Vec<&[Vec<T>]> {
    let clusters = stratum.iter().map(Vec::as_slice);
    clusters.filter(|cluster| !cluster.is_empty()).collect()
}

/// As many clusters, of each as many units, each in the runs given.
fn draw<T: Copy>(stratum: &[&[Vec<T>]], runs: &[usize], random: &mut ChaCha8Rng) -> Vec<Vec<T>> {
    let cluster = |_| {
        let cluster = stratum[below(random, stratum.len())];
        let mut values = Vec::with_capacity(cluster.len() * runs.len());
        for _ in 0..cluster.len() {
            let unit = &cluster[below(random, cluster.len())];
            values.extend(runs.iter().map(|&run| unit[run]));
        }
        values
    };
    (0..stratum.len()).map(cluster).collect()
}
