//! Statistics against hand calculations, and what must hold of them for any input.

use proptest::prelude::*;
use trainer::stats::{
    Interval, bootstrap, bootstrap_mean, bootstrap_pooled, mean, paired_bootstrap, percentile,
    sample_sd, standard_error, wilson,
};

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
}

#[test]
fn mean_deviation_and_standard_error_equal_the_hand_calculation() {
    // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 32, sample variance 32/7, se = sqrt(32/7/8) = sqrt(4/7).
    let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    assert_eq!(mean(&values), Some(5.0));
    close(sample_sd(&values).unwrap(), (32.0_f64 / 7.0).sqrt());
    close(standard_error(&values).unwrap(), (4.0_f64 / 7.0).sqrt());
}

#[test]
fn too_few_values_give_none_and_not_zero() {
    assert_eq!(mean(&[]), None);
    assert_eq!(sample_sd(&[1.0]), None);
    assert_eq!(standard_error(&[1.0]), None);
    assert_eq!(wilson(0, 0), None);
    assert_eq!(wilson(3, 2), None);
    assert_eq!(bootstrap_mean(&[], 100, 1), None);
    assert_eq!(bootstrap_mean(&[1.0], 0, 1), None);
    assert_eq!(bootstrap_pooled(&[(0, 0)], 100, 1), None);
    assert_eq!(paired_bootstrap(&[], 100, 1), None);
    assert_eq!(paired_bootstrap(&[Vec::new()], 100, 1), None);
    assert_eq!(paired_bootstrap(&[vec![[0.0, 1.0]]], 0, 1), None);
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
fn percentiles_interpolate_and_take_any_order() {
    let values = [50.0, 10.0, 40.0, 20.0, 30.0];
    // Position 0.025 * 4 = 0.1 between 10 and 20.
    close(percentile(&values, 2.5).unwrap(), 11.0);
    close(percentile(&values, 50.0).unwrap(), 30.0);
    close(percentile(&values, 100.0).unwrap(), 50.0);
    assert_eq!(percentile(&[], 50.0), None);
    assert_eq!(percentile(&values, 101.0), None);
}

#[test]
fn bootstrap_depends_on_the_seed_alone() {
    let values = [0.1, 0.4, 0.5, 0.9, 1.0];
    let of = |seed| bootstrap_mean(&values, 500, seed);
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
    assert_eq!(bootstrap_mean(&[0.5; 6], 200, 3), expected);
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
    let interval = bootstrap_mean(&values, 4000, 11).unwrap();
    assert!((interval.low - 0.402).abs() < 0.02 && (interval.high - 0.598).abs() < 0.02);
}

#[test]
fn pooled_bootstrap_weights_users_by_their_comparisons() {
    // Two users, 90 of 90 and 0 of 10: the draws give 1, 0.9 or 0; the ends are 0 and 1.
    let interval = bootstrap_pooled(&[(90, 90), (0, 10)], 1000, 5).unwrap();
    assert_eq!((interval.low, interval.high), (0.0, 1.0));
}

#[test]
fn a_draw_without_a_statistic_is_left_out() {
    let first_only = |draw: &[&f64]| (*draw[0] < 1.0).then_some(7.0);
    let interval = bootstrap(&[0.0, 1.0], 100, 1, first_only).unwrap();
    assert_eq!((interval.low, interval.high), (7.0, 7.0));
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
    fn percentiles_rise_and_stay_within_the_values(
        values in prop::collection::vec(-1e6..1e6, 1..50), a in 0.0..=100.0, b in 0.0..=100.0,
    ) {
        let of = |p| percentile(&values, p).unwrap();
        prop_assert!(of(f64::min(a, b)) <= of(f64::max(a, b)) + 1e-9);
        let (low, high) = (of(0.0), of(100.0));
        prop_assert!(values.iter().all(|v| low <= *v && *v <= high));
    }

    #[test]
    fn bootstrap_stays_within_the_values(values in prop::collection::vec(-10.0..10.0, 1..20), seed: u64) {
        let interval = bootstrap_mean(&values, 100, seed).unwrap();
        let (low, high) = (percentile(&values, 0.0).unwrap(), percentile(&values, 100.0).unwrap());
        prop_assert!(low - 1e-9 <= interval.low && interval.low <= interval.high);
        prop_assert!(interval.high <= high + 1e-9);
    }

    #[test]
    fn swapping_the_systems_swaps_the_signs(
        users in prop::collection::vec(prop::collection::vec([0.0..1.0, 0.0..1.0], 1..6), 1..8), seed: u64,
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
