//! The bootstrap in stages against enumerations by hand, and how often its intervals contain what they should.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statistics::{Bootstrap, Cluster, Interval, means};

/// Draws enough for the share of a rare outcome.
const MANY: Bootstrap = Bootstrap {
    draws: 20_000,
    seed: 7,
};

/// Units measured once.
fn once(values: &[f64]) -> Cluster<f64> {
    values.iter().map(|&value| vec![value]).collect()
}

fn of_mean(strata: &[Vec<Cluster<f64>>]) -> Option<(f64, Interval)> {
    let [mean] = MANY.clustered(strata, |strata| [means(strata)[0]])?;
    Some((mean.value, mean.interval))
}

fn interval(low: f64, high: f64) -> Interval {
    Interval { low, high }
}

#[test]
fn clusters_are_drawn_as_wholes() {
    // Of four clusters one is 1 throughout. k of four draws take it, k of Bin(4, 1/4): none with 81/256, three or more with
    // 13/256 = 0.051, all with 1/256 = 0.004. So the 97.5 % quantile of k / 4 is 3/4; as 12 units drawn alone it would be 0.5.
    let clusters = [[0.0; 3], [0.0; 3], [0.0; 3], [1.0; 3]].map(|c| once(&c));
    let found = of_mean(&[clusters.to_vec()]);
    assert_eq!(found, Some((0.25, interval(0.0, 0.75))));
}

#[test]
fn units_are_drawn_within_their_cluster() {
    // One cluster: the mean of four draws of 0, 0, 0, 1, as above.
    let found = of_mean(&[vec![once(&[0.0, 0.0, 0.0, 1.0])]]);
    assert_eq!(found, Some((0.25, interval(0.0, 0.75))));
}

#[test]
fn strata_are_all_in_every_draw() {
    // Two users who are all there are: each draw has both, so the mean does not move with who is drawn.
    let (low, high) = (vec![once(&[0.0, 0.0])], vec![once(&[1.0, 1.0])]);
    let found = of_mean(&[low.clone(), high.clone()]);
    assert_eq!(found, Some((0.5, interval(0.5, 0.5))));
    let found = of_mean(&[[low, high].concat()]);
    assert_eq!(found, Some((0.5, interval(0.0, 1.0))));
}

#[test]
fn runs_are_drawn_for_all_units_together() {
    // Every unit is 0 in one run and 1 in the other: a draw has the first twice, each once, or the second twice. With runs of
    // its own for each unit, the mean of 200 draws would lie near 1/2.
    let units: Cluster<f64> = vec![vec![0.0, 1.0]; 100];
    assert_eq!(of_mean(&[vec![units]]), Some((0.5, interval(0.0, 1.0))));
}

#[test]
fn two_figures_of_one_draw_belong_together() {
    // The first stratum is the second and 1 more: their difference never moves, though both do.
    let runs = |shift: f64| vec![vec![vec![shift, 5.0 + shift]; 2]];
    let difference =
        |strata: &[Vec<Vec<f64>>]| [strata[0][0][0] - strata[1][0][0], strata[0][0][0]];
    let found = MANY.clustered(&[runs(1.0), runs(0.0)], difference).unwrap();
    assert_eq!(found[0].interval, interval(1.0, 1.0));
    assert_eq!(found[1].interval, interval(1.0, 6.0));
}

#[test]
fn what_cannot_be_drawn_has_no_interval() {
    assert_eq!(of_mean(&[]), None);
    assert_eq!(of_mean(&[vec![once(&[1.0])]]), None);
    assert_eq!(of_mean(&[vec![once(&[1.0, 2.0])], Vec::new()]), None);
    assert_eq!(of_mean(&[vec![vec![vec![1.0], vec![1.0, 2.0]]]]), None);
    assert_eq!(of_mean(&[vec![vec![Vec::new(), Vec::new()]]]), None);
    let none = Bootstrap { draws: 0, seed: 1 };
    let found = none.clustered(&[vec![once(&[1.0, 2.0])]], means);
    assert_eq!(found, None);
    let never = MANY.clustered(&[vec![once(&[1.0, 2.0])]], |_| [f64::NAN]);
    assert_eq!(never, None);
    let left_out = of_mean(&[vec![once(&[1.0, 1.0]), Vec::new()]]);
    assert_eq!(left_out, Some((1.0, interval(1.0, 1.0))));
}

#[test]
fn the_interval_depends_on_the_seed_alone() {
    let users = vec![once(&[0.1, 0.7, 0.4]), once(&[0.9, 0.2])];
    let of = |seed| Bootstrap { draws: 300, seed }.clustered(std::slice::from_ref(&users), means);
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

/// Users differ by up to 0.3 from their mean, 0, and their comparisons by 0.5: 95 % intervals contain 0 in 93 to 99 % of 400 samples
/// (the last stage makes them wide). Comparisons drawn alone would be too sure of it.
#[test]
fn intervals_over_clusters_contain_the_truth_as_often_as_they_say() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut uniform = |half: f64| random.random_range(-half..half);
    let (mut clustered, mut alone) = (0, 0);
    for seed in 0..400 {
        let users: Vec<Cluster<f64>> = (0..25)
            .map(|_| {
                let own = uniform(0.3);
                (0..12).map(|_| vec![own + uniform(0.5)]).collect()
            })
            .collect();
        let bootstrap = Bootstrap { draws: 300, seed };
        let covers = |strata: &[Vec<Cluster<f64>>]| {
            let found = bootstrap.clustered(strata, |strata| [means(strata)[0]]);
            usize::from(found.unwrap()[0].interval.contains(0.0))
        };
        alone += covers(&[vec![users.concat()]]);
        clustered += covers(&[users]);
    }
    assert!((372..=396).contains(&clustered), "{clustered} of 400");
    assert!(alone < 345, "{alone} of 400");
}
