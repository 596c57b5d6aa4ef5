use proptest::prelude::*;

use super::*;
use Verdict::{Loss, Tie, Win};

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
}

/// ada: 2 wins, 1 loss, 1 tie. bob: 3 losses, 1 tie. eve: 1 tie, 1 loss.
fn three_users() -> Vec<(&'static str, Verdict)> {
    vec![
        ("ada", Win),
        ("bob", Loss),
        ("ada", Win),
        ("eve", Tie),
        ("ada", Loss),
        ("bob", Loss),
        ("ada", Tie),
        ("bob", Loss),
        ("bob", Tie),
        ("eve", Loss),
    ]
}

#[test]
fn the_rates_of_three_users_are_those_calculated_by_hand() {
    let rates = WinRates::of(&three_users());
    let (wins, losses, ties) = (2, 5, 3);
    assert_eq!(rates.counts, Counts { wins, losses, ties });
    // (2 + 3/2) / 10.
    close(rates.per_sample.unwrap().value, 0.35);
    // ada (2 + 1/2) / 4, bob (1/2) / 4, eve (1/2) / 2.
    close(rates.users["ada"].win_rate, 0.625);
    close(rates.users["bob"].win_rate, 0.125);
    close(rates.users["eve"].win_rate, 0.25);
    close(rates.per_user.unwrap().value, 1.0 / 3.0);
    // ada 2/4, bob 0, eve 0.
    close(rates.psoups.unwrap().value, 1.0 / 6.0);
    // (2 + 3) / (2 + 5 + 2 * 3).
    close(rates.prism_per_sample.unwrap().value, 5.0 / 13.0);
    // Shares: ada 3/4 (won), bob 1/4 (lost), eve 1/2 (tied): two of three.
    close(rates.users["ada"].prism_share, 0.75);
    close(rates.users["eve"].prism_share, 0.5);
    close(rates.prism_per_user.unwrap().value, 2.0 / 3.0);
}

#[test]
fn standard_errors_are_the_population_deviation_over_users_by_the_root_of_their_number() {
    let rates = WinRates::of(&three_users());
    // Rates 15/24, 3/24, 6/24: mean 8/24, squares 49 + 25 + 4 = 78, variance 78 / 3 / 576.
    let error = (26.0_f64 / 576.0 / 3.0).sqrt();
    close(rates.per_user.unwrap().standard_error.unwrap(), error);
    // 1/2, 0, 0: mean 1/6, squares 4/36 + 1/36 + 1/36, variance 1/18.
    let error = (1.0_f64 / 18.0 / 3.0).sqrt();
    close(rates.psoups.unwrap().standard_error.unwrap(), error);
    // 1, 0, 1: variance 2/9.
    let error = (2.0_f64 / 9.0 / 3.0).sqrt();
    close(rates.prism_per_user.unwrap().standard_error.unwrap(), error);
    assert_eq!(rates.per_sample.unwrap().standard_error, None);
}

#[test]
fn intervals_hold_the_value_and_repeat() {
    let rates = WinRates::of(&three_users());
    assert_eq!(rates, WinRates::of(&three_users()));
    for estimate in [rates.per_sample, rates.per_user, rates.psoups] {
        let Estimate {
            value, low, high, ..
        } = estimate.unwrap();
        assert!(low.unwrap() <= value && value <= high.unwrap());
    }
    // A sample of ada alone or of bob alone has a chance of 1/27, more than 2.5 %.
    let per_user = rates.per_user.unwrap();
    assert_eq!(per_user.low, Some(0.125));
    assert_eq!(per_user.high, Some(0.625));
}

#[test]
fn one_user_has_a_value_but_no_error_and_nothing_judged_has_no_value() {
    let rates = WinRates::of(&[("ada", Win), ("ada", Tie)]);
    let per_user = rates.per_user.unwrap();
    close(per_user.value, 0.75);
    let unsure = (per_user.standard_error, per_user.low, per_user.high);
    assert_eq!(unsure, (None, None, None));
    let none: [(&str, Verdict); 0] = [];
    assert_eq!(WinRates::of(&none), WinRates::default());
    assert_eq!(WinRates::default().per_sample, None);
}

#[test]
fn rates_survive_a_trip_through_json() {
    for rates in [WinRates::of(&three_users()), WinRates::default()] {
        let text = serde_json::to_string(&rates).unwrap();
        let back: WinRates = serde_json::from_str(&text).unwrap();
        assert_eq!(back.counts, rates.counts);
        assert_eq!(back.users.len(), rates.users.len());
        let value = |rates: &WinRates| rates.per_user.map(|estimate| estimate.value);
        match (value(&back), value(&rates)) {
            (Some(back), Some(rates)) => close(back, rates),
            pair => assert_eq!(pair, (None, None)),
        }
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![Just(Win), Just(Loss), Just(Tie)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_rates_of_two_systems_add_up_to_one(
        verdicts in prop::collection::vec(("[a-e]", verdict()), 1..40),
    ) {
        let bootstrap = Bootstrap { draws: 200, seed: 1 };
        let swapped: Vec<_> = verdicts.iter().map(|(u, v)| (u.clone(), v.swapped())).collect();
        let ours = WinRates::with_bootstrap(&verdicts, bootstrap);
        let theirs = WinRates::with_bootstrap(&swapped, bootstrap);
        for (ours, theirs) in [
            (ours.per_sample, theirs.per_sample),
            (ours.per_user, theirs.per_user),
            (ours.prism_per_sample, theirs.prism_per_sample),
        ] {
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            prop_assert!((ours.value + theirs.value - 1.0).abs() < 1e-9);
            if let (Some(low), Some(high)) = (ours.low, theirs.high) {
                prop_assert!((low + high - 1.0).abs() < 1e-9);
            }
        }
        for user in ours.users.keys() {
            let sum = ours.users[user].win_rate + theirs.users[user].win_rate;
            prop_assert!((sum - 1.0).abs() < 1e-9);
        }
        let (ours, theirs) = (ours.psoups.unwrap(), theirs.psoups.unwrap());
        prop_assert!(ours.value + theirs.value <= 1.0 + 1e-9, "ties are wins of neither");
    }
}
