//! The new user's fit, by hand.

use std::convert::Infallible;

use super::vectors::{combined, dot, minus};
use super::*;
use crate::chance::{log_sigmoid, sigmoid};

/// What a round must gain.
const ENOUGH: f64 = 1e-3;

/// A belief over two numbers with covariance `[[2, 1], [1, 2]]`.
fn prior() -> Belief {
    Belief {
        mean: vec![0.5, -0.5],
        rest: 1.0,
        wider: vec![vec![1.0, 1.0]],
        narrower: Vec::new(),
    }
}

/// Margins that are linear in the row: `g row + c`.
fn linear(answers: &[([f32; 2], f64)]) -> impl Fn(&[f32]) -> Result<Margins, Infallible> {
    move |row| {
        let value = |(g, c): &([f32; 2], f64)| dot(g, row) + c;
        Ok(Margins {
            values: answers.iter().map(value).collect(),
            gradients: answers.iter().map(|(g, _)| g.to_vec()).collect(),
        })
    }
}

const ANSWERS: [([f32; 2], f64); 3] = [([1.0, 0.5], 0.2), ([-0.5, 2.0], -0.3), ([0.3, 0.1], 0.0)];

#[test]
fn the_most_probable_row_is_where_prior_and_answers_pull_alike() {
    let prior = prior();
    let Ok(fit) = prior.fit(ENOUGH, linear(&ANSWERS));
    // The gradient of the log-posterior is 0: row - mean = covariance * sum g (1 - sigma(margin)).
    let weights: Vec<f64> = fit.margins.iter().map(|&m| sigmoid(-m)).collect();
    let gradients: Vec<Vec<f32>> = ANSWERS.iter().map(|(g, _)| g.to_vec()).collect();
    let expected = prior.times(&combined(&gradients, &weights, 2));
    let found = minus(fit.belief.mean(), prior.mean());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    assert!(fit.rounds <= 3, "{}", fit.rounds);
}

#[test]
fn the_spread_afterwards_is_the_inverse_of_the_curvature() {
    let Ok(fit) = prior().fit(ENOUGH, linear(&ANSWERS));
    // [[2, 1], [1, 2]]^-1 + sum w g g^T, inverted by hand.
    let mut precision = [2.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0];
    for ((g, _), &margin) in ANSWERS.iter().zip(&fit.margins) {
        let [x, y] = g.map(f64::from);
        let w = sigmoid(margin) * sigmoid(-margin);
        for (sum, term) in precision.iter_mut().zip([x * x, x * y, y * y]) {
            *sum += w * term;
        }
    }
    let [a, b, c] = precision;
    let determinant = a * c - b * b;
    let belief = &fit.belief;
    assert!((belief.variance(&[1.0, 0.0]) - c / determinant).abs() < 1e-5);
    assert!((belief.variance(&[0.0, 1.0]) - a / determinant).abs() < 1e-5);
    let both = (a + c - 2.0 * b) / determinant;
    assert!((belief.variance(&[1.0, 1.0]) - both).abs() < 1e-5);
    // log of the determinant of what the answers add: |I + K W| = |precision| |covariance|.
    let quadratic = {
        let away = minus(belief.mean(), prior().mean());
        let [x, y] = [f64::from(away[0]), f64::from(away[1])];
        (2.0 * x * x - 2.0 * x * y + 2.0 * y * y) / 3.0
    };
    let expected = fit.log_likelihood() - 0.5 * quadratic - 0.5 * (determinant * 3.0).ln();
    assert!((fit.log_evidence - expected).abs() < 1e-5);
}

#[test]
fn answers_in_two_parts_tell_nearly_what_they_tell_together() {
    let Ok(together) = prior().fit(ENOUGH, linear(&ANSWERS));
    let Ok(first) = prior().fit(ENOUGH, linear(&ANSWERS[..2]));
    let Ok(second) = first.belief.fit(ENOUGH, linear(&ANSWERS[2..]));
    for (found, expected) in second.belief.mean().iter().zip(together.belief.mean()) {
        assert!((found - expected).abs() < 0.03, "{found} {expected}");
    }
    let gradient = [1.0, -1.0];
    let (found, expected) = (
        second.belief.variance(&gradient),
        together.belief.variance(&gradient),
    );
    assert!((found - expected).abs() < 0.03, "{found} {expected}");
}

#[test]
fn margins_that_bend_are_taken_for_linear_again() {
    let prior = Belief {
        wider: Vec::new(),
        mean: vec![0.0],
        ..prior()
    };
    // Saturates at 3: a line through the first margin would overshoot.
    let bent = |row: &[f32]| {
        let x = f64::from(row[0]);
        let values = vec![3.0 * (2.0 * x).tanh(); 4];
        let slope = (6.0 * (1.0 - (2.0 * x).tanh().powi(2))) as f32;
        Ok::<_, Infallible>(Margins {
            values,
            gradients: vec![vec![slope]; 4],
        })
    };
    let Ok(fit) = prior.fit(ENOUGH, bent);
    let log_posterior = |x: f64| 4.0 * log_sigmoid(3.0 * (2.0 * x).tanh()) - 0.5 * x * x;
    let grid = (0..4000).map(|i| f64::from(i) / 1000.0);
    let best = grid.map(log_posterior).fold(f64::NEG_INFINITY, f64::max);
    let found = log_posterior(f64::from(fit.belief.mean()[0]));
    assert!(found > best - 0.01, "{found} {best}");
}

#[test]
fn without_answers_nothing_is_learned() {
    let Ok(fit) = prior().fit(ENOUGH, linear(&[]));
    assert_eq!(fit.belief, prior());
    assert_eq!((fit.log_evidence, fit.rounds), (0.0, 1));
}

#[test]
fn one_round_is_made_however_little_is_enough() {
    let Ok(fit) = prior().fit(f64::INFINITY, linear(&ANSWERS));
    assert_eq!(fit.rounds, 2);
    assert_ne!(fit.belief.mean(), prior().mean());
}

#[test]
fn starts_are_trained_users_rows_far_from_each_other() {
    let rows = [
        vec![3.0, 0.0, 0.0],
        vec![0.0, -1.0, 0.0],
        vec![0.0, 0.0, 2.0],
    ];
    let belief = Belief::of_rows(&rows, Some(vec![0.0; 3])).unwrap();
    assert!((belief.variance(&[1.0, 0.0, 0.0]) - 3.0).abs() < 0.1);
    let starts = belief.starts(2);
    for (found, expected) in starts.iter().zip([&rows[0], &rows[2]]) {
        assert!(minus(found, expected).iter().all(|x| x.abs() < 1e-6));
    }
    assert_eq!(starts.len(), 2);
    assert_eq!(Belief::of_rows(&[vec![1.0], vec![1.0]], None), None);
    assert_eq!(Belief::of_rows(&[], None), None);
}

#[test]
fn a_fit_stays_on_the_hill_that_it_begins_on() {
    let rows = [vec![2.0, 0.0], vec![0.0, 2.0]];
    let prior = Belief::of_rows(&rows, Some(vec![0.0; 2])).unwrap();
    // Flat around the mean, and well explained by the second row alone.
    let hill = |row: &[f32]| {
        let [x, y] = [f64::from(row[0]), f64::from(row[1]) - 2.0];
        let height = 8.0 * (-4.0 * (x * x + y * y)).exp();
        let slope = [-8.0 * x * height, -8.0 * y * height].map(|x| x as f32);
        Ok::<_, Infallible>(Margins {
            values: vec![height - 1.0; 6],
            gradients: vec![slope.to_vec(); 6],
        })
    };
    let Ok(from_mean) = prior.fit(ENOUGH, hill);
    let Ok(fit) = prior.clone().around(rows[1].clone()).fit(ENOUGH, hill);
    assert!(fit.log_likelihood() > from_mean.log_likelihood() + 3.0);
    assert!(fit.belief.mean()[1] > 1.5);
}
