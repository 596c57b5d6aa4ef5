//! Statistics against hand calculations, and what must hold of them for any input.

use proptest::prelude::*;
use statistics::{
    Bootstrap, Interval, Quantiles, mean, mean_interval, median, paired_bootstrap,
    population_standard_error, standard_error, wilson,
};

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
}

#[test]
fn means_and_standard_errors_equal_the_hand_calculation() {
    // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 32, sample variance 32/7, se = sqrt(32/7/8) = sqrt(4/7). As a population:
    // variance 4, se = sqrt(4/8).
    let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    assert_eq!(mean(&values), Some(5.0));
    close(standard_error(&values).unwrap(), (4.0_f64 / 7.0).sqrt());
    close(population_standard_error(&values).unwrap(), 0.5_f64.sqrt());
}

#[test]
fn too_few_values_give_none_and_not_zero() {
    assert_eq!(mean(&[]), None);
    assert_eq!(standard_error(&[1.0]), None);
    assert_eq!(population_standard_error(&[1.0]), None);
    assert_eq!(Quantiles::of(vec![]), None);
    assert_eq!(wilson(0, 0), None);
    assert_eq!(wilson(3, 2), None);
    assert_eq!(paired_bootstrap(&[], 100, 1), None);
    assert_eq!(paired_bootstrap(&[Vec::new()], 100, 1), None);
    assert_eq!(paired_bootstrap(&[vec![[0.0, 1.0]; 2]], 0, 1), None);
    assert_eq!(paired_bootstrap(&[vec![[0.0, 1.0]]], 100, 1), None);
    assert_eq!(mean_interval(&[1.0]), None);
    assert_eq!(median(vec![]), None);
}

#[test]
fn the_interval_of_a_mean_equals_the_textbook_value() {
    // 1, 2, 3: mean 2, se 1 / sqrt(3) = 0.57735, t of 2 degrees of freedom 4.3027: half width 2.4842.
    let interval = mean_interval(&[1.0, 2.0, 3.0]).unwrap();
    close(interval.low, 2.0 - 2.4842);
    close(interval.high, 2.0 + 2.4842);
    // 50 zeros and 50 ones, 99 degrees of freedom: as the normal one, 0.5 +- 1.95996 * sqrt(0.25 / 99).
    let many: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
    close(mean_interval(&many).unwrap().high, 0.59849);
}

#[test]
fn an_interval_that_reaches_over_a_bound_decides_nothing() {
    let of = |low, high| Interval { low, high };
    assert_eq!(of(-0.05, 0.04).lies_in(-0.05, 0.05), Some(true));
    assert_eq!(of(-0.06, 0.04).lies_in(-0.05, 0.05), None);
    assert_eq!(of(-0.06, 0.06).lies_in(-0.05, 0.05), None);
    assert_eq!(of(0.06, 0.07).lies_in(-0.05, 0.05), Some(false));
    assert_eq!(of(0.01, 0.2).is_above(0.0), Some(true));
    assert_eq!(of(0.0, 0.2).is_above(0.0), None);
    assert_eq!(of(0.0, 0.0).is_above(0.0), Some(false));
}

#[test]
fn wilson_equals_the_textbook_values() {
    // 8 of 10: centre (0.8 + 0.19207) / 1.38415 = 0.71674, half width 0.22658.
    let interval = wilson(8, 10).unwrap();
    close(interval.low, 0.4902);
    close(interval.high, 0.9433);
    // 0 of 10: upper end z^2 / (10 + z^2) = 3.84146 / 13.84146.
    let none = wilson(0, 10).unwrap();
    assert_eq!(none.low, 0.0);
    close(none.high, 3.84146 / 13.84146);
    let all = wilson(10, 10).unwrap();
    close(all.low, 10.0 / 13.84146);
    assert_eq!(all.high, 1.0);
}

#[test]
fn quantiles_interpolate_and_take_any_order() {
    let quantiles = Quantiles::of(vec![50.0, 10.0, 40.0, 20.0, 30.0]).unwrap();
    // Place 0.1 * 4 = 0.4 between 10 and 20.
    close(quantiles.p10, 14.0);
    close(quantiles.p90, 46.0);
    assert_eq!((quantiles.p25, quantiles.p75), (20.0, 40.0));
    let even = Quantiles::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap();
    assert_eq!((even.min, even.median, even.max), (1.0, 2.5, 4.0));
    assert_eq!((even.p25, even.p75), (1.75, 3.25));
    let one = Quantiles::of(vec![7.0]).unwrap();
    assert_eq!((one.min, one.p90, one.max), (7.0, 7.0, 7.0));
}

#[test]
fn intervals_lie_between_the_outer_fortieths_of_the_draws() {
    // Two units, 0 and 1: the mean of two draws is 0, 1/2 or 1 in a ratio of 1 to 2 to 1.
    let mean = |units: &[f64]| [units.iter().sum::<f64>() / 2.0, 3.0];
    let found = Bootstrap::default().intervals(&[0.0, 1.0], mean);
    let (whole, none) = (
        Interval {
            low: 0.0,
            high: 1.0,
        },
        Interval {
            low: 3.0,
            high: 3.0,
        },
    );
    assert_eq!(found, Some([whole, none]));
}

#[test]
fn there_is_no_interval_over_a_single_unit_or_without_draws() {
    let first = |units: &[f64]| [units[0]];
    assert_eq!(Bootstrap::default().intervals(&[1.0], first), None);
    assert_eq!(Bootstrap::default().intervals(&[], first), None);
    let none = Bootstrap { draws: 0, seed: 1 };
    assert_eq!(none.intervals(&[1.0, 2.0], first), None);
}

#[test]
fn bootstrap_depends_on_the_seed_alone() {
    let values = [0.1, 0.4, 0.5, 0.9, 1.0];
    let mean = |units: &[f64]| [units.iter().sum::<f64>() / 5.0];
    let of = |seed| Bootstrap { draws: 500, seed }.intervals(&values, mean);
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let pairs: Vec<Vec<[f64; 2]>> = values.map(|v| vec![[v, 0.3], [1.0 - v, 0.8]]).to_vec();
    let of = |seed| paired_bootstrap(&pairs, 500, seed);
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn bootstrap_of_a_constant_has_no_width() {
    let (low, high) = (0.5, 0.5);
    let expected = Some(Interval { low, high });
    let first = |units: &[f64]| [units[0]];
    let found = Bootstrap::default().intervals(&[0.5; 6], first);
    assert_eq!(found.map(|[interval]| interval), expected);
    let shifted = [vec![[0.0, 0.5], [1.0, 1.5]], vec![[2.0, 2.5]]];
    let found = paired_bootstrap(&shifted, 200, 3).unwrap();
    assert_eq!((found.pooled, found.over_users), (0.5, 0.5));
    assert_eq!(Some(found.pooled_interval), expected);
    assert_eq!(Some(found.over_users_interval), expected);
}

#[test]
fn bootstrap_of_coin_flips_is_about_the_normal_interval() {
    // 50 zeros and 50 ones: 0.5 +- 1.96 * 0.05.
    let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
    let mean = |units: &[f64]| [units.iter().sum::<f64>() / units.len() as f64];
    let [interval] = Bootstrap::default().intervals(&values, mean).unwrap();
    assert!((interval.low - 0.402).abs() < 0.015 && (interval.high - 0.598).abs() < 0.015);
}

#[test]
fn paired_differences_are_weighed_by_comparison_and_by_user() {
    // Differences: anna 1, 1, 1, ben 0. Pooled 3/4; anna's mean 1 and ben's 0 give 1/2.
    let users = [vec![[0.0, 1.0]; 3], vec![[1.0, 1.0]]];
    let found = paired_bootstrap(&users, 1000, 5).unwrap();
    assert_eq!((found.pooled, found.over_users), (0.75, 0.5));
    // A quarter of the draws has anna twice, another quarter ben twice.
    assert_eq!(found.over_users_interval.low, 0.0);
    assert_eq!(found.over_users_interval.high, 1.0);
}

#[test]
fn pairing_removes_what_both_systems_share() {
    // 20 users of very different difficulty; the second system is right once more in each.
    let users: Vec<Vec<[f64; 2]>> = (0..20)
        .map(|user| {
            let own = f64::from(user % 2);
            vec![[own, own], [own, own], [own, own], [0.0, 1.0]]
        })
        .collect();
    let found = paired_bootstrap(&users, 2000, 1).unwrap();
    assert_eq!(found.pooled, 0.25);
    let width = found.pooled_interval.high - found.pooled_interval.low;
    // One of four comparisons, 80 in all: sd 0.433 / sqrt(80) = 0.048, width 0.19.
    assert!((width - 0.19).abs() < 0.03, "{width}");
}

proptest! {
    #[test]
    fn wilson_contains_the_proportion_and_stays_a_proportion(n in 1_u64..5000, share in 0.0..=1.0) {
        let k = (n as f64 * share) as u64;
        let interval = wilson(k, n).unwrap();
        prop_assert!(interval.contains(k as f64 / n as f64));
        prop_assert!(0.0 <= interval.low && interval.low < interval.high && interval.high <= 1.0);
        // The other outcome has the mirrored interval.
        let mirrored = wilson(n - k, n).unwrap();
        prop_assert!((mirrored.low - (1.0 - interval.high)).abs() < 1e-12);
    }

    #[test]
    fn more_trials_make_a_narrower_interval(n in 1_u64..500, share in 0.0..=1.0) {
        let k = (n as f64 * share) as u64;
        let width = |f: u64| wilson(k * f, n * f).map(|i| i.high - i.low).unwrap();
        prop_assert!(width(4) < width(1));
    }

    #[test]
    fn quantiles_rise_and_stay_within_the_values(values in prop::collection::vec(-1e6..1e6, 1..50)) {
        let Quantiles { min, p10, p25, median, p75, p90, max } = Quantiles::of(values.clone()).unwrap();
        let rising = [min, p10, p25, median, p75, p90, max];
        prop_assert!(rising.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9));
        prop_assert!(values.contains(&min) && values.contains(&max));
        prop_assert!(values.iter().all(|v| min <= *v && *v <= max));
    }

    #[test]
    fn bootstrap_stays_within_the_values(values in prop::collection::vec(-10.0_f64..10.0, 2..20), seed: u64) {
        let mean = |units: &[f64]| [units.iter().sum::<f64>() / units.len() as f64];
        let [interval] = Bootstrap { draws: 100, seed }.intervals(&values, mean).unwrap();
        let range = Quantiles::of(values).unwrap();
        prop_assert!(range.min - 1e-9 <= interval.low && interval.low <= interval.high);
        prop_assert!(interval.high <= range.max + 1e-9);
    }

    #[test]
    fn swapping_the_systems_swaps_the_signs(
        users in prop::collection::vec(prop::collection::vec([0.0..1.0, 0.0..1.0], 1..6), 2..8), seed: u64,
    ) {
        let swap = |user: &Vec<[f64; 2]>| user.iter().map(|[a, b]| [*b, *a]).collect::<Vec<_>>();
        let swapped: Vec<Vec<[f64; 2]>> = users.iter().map(swap).collect();
        let (a, b) = (paired_bootstrap(&users, 100, seed).unwrap(), paired_bootstrap(&swapped, 100, seed).unwrap());
        prop_assert!((a.pooled + b.pooled).abs() < 1e-12);
        prop_assert!((a.pooled_interval.low + b.pooled_interval.high).abs() < 1e-9);
        prop_assert!((a.over_users_interval.high + b.over_users_interval.low).abs() < 1e-9);
    }

    #[test]
    fn paired_intervals_contain_the_estimate(
        users in prop::collection::vec(prop::collection::vec([0.0..1.0, 0.0..1.0], 3..8), 5..12), seed: u64,
    ) {
        let found = paired_bootstrap(&users, 500, seed).unwrap();
        prop_assert!(found.pooled_interval.contains(found.pooled));
        prop_assert!(found.over_users_interval.contains(found.over_users));
    }
}
