//! Lemmas 3.2 and 3.3 of the P-RLHF paper, on fits of one scalar per pair with this crate's loss.

use burn::tensor::{Device, Tensor};
use pdpo_loss::{Dpo, Pair, PairLogProbs, PairLoss};
use proptest::prelude::*;

const BETA: f64 = 0.5;

/// Fits one log-ratio difference per pair by gradient descent on the DPO loss of all comparisons,
/// `counts` holding per pair how often y1 and how often y2 was preferred. Returns
/// `sigma(beta * delta)` per pair: the fitted P(y1 > y2).
fn fitted_preferences(counts: &[(u32, u32)], steps: usize) -> Vec<f64> {
    let device = Device::flex().autodiff();
    let loss = Dpo::new(BETA).unwrap();
    let total = |&(a, b): &(u32, u32)| f64::from(a + b);
    let share = |wins: fn(&(u32, u32)) -> u32| -> Tensor<1> {
        let shares: Vec<f32> = counts
            .iter()
            .map(|c| (f64::from(wins(c)) / total(c)) as f32)
            .collect();
        Tensor::from_floats(shares.as_slice(), &device)
    };
    let (first, second) = (share(|c| c.0), share(|c| c.1));
    let zeros = Tensor::<1>::zeros([counts.len()], &device);
    let both = |value: Tensor<1>| Pair {
        chosen: value.clone(),
        rejected: value,
    };
    let losses = |chosen: Tensor<1>, rejected: Tensor<1>| {
        let (policy, reference) = (Pair { chosen, rejected }, both(zeros.clone()));
        let pairs = PairLogProbs::new(policy, Some(reference), both(zeros.clone() + 1.0));
        loss.losses(&pairs.unwrap()).unwrap()
    };
    // The mean loss per pair has curvature at most beta^2 / 4: its inverse is a safe step.
    let step = 4.0 / (BETA * BETA);
    let mut delta = zeros.clone().without_autodiff();
    for _ in 0..steps {
        let leaf = delta.clone().autodiff().require_grad();
        let y1_wins = losses(leaf.clone(), zeros.clone());
        let y2_wins = losses(zeros.clone(), leaf.clone());
        let objective = (y1_wins * first.clone() + y2_wins * second.clone()).sum();
        let gradient = leaf.grad(&objective.backward()).unwrap();
        delta = delta - gradient * step;
    }
    let logits = (delta * BETA).try_into_vec_as::<f32>().unwrap();
    let sigmoid = |z: f32| 1.0 / (1.0 + (-f64::from(z)).exp());
    logits.into_iter().map(sigmoid).collect()
}

#[test]
fn lemma_3_2_the_optimum_is_the_vote() {
    let counts = [(1, 1), (3, 1), (1, 3), (7, 3), (9, 1), (2, 11), (40, 2)];
    for (fitted, (a, b)) in fitted_preferences(&counts, 400).into_iter().zip(counts) {
        let vote = f64::from(a) / f64::from(a + b);
        assert!((fitted - vote).abs() < 1e-4, "{a}:{b} gave {fitted}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Lemma 3.3 with q fitted by DPO: the pooled preference lies between the groups', nearer to
    /// the majority's, at exactly the shares of the groups.
    #[test]
    fn lemma_3_3_the_pooled_fit_is_nearer_to_the_majority(
        majority in (1u32..12, 1u32..12),
        minority in (1u32..12, 1u32..12),
    ) {
        let size = |(a, b): (u32, u32)| a + b;
        let (majority, minority) = if size(majority) >= size(minority) {
            (majority, minority)
        } else {
            (minority, majority)
        };
        let pooled = (majority.0 + minority.0, majority.1 + minority.1);
        let fitted = fitted_preferences(&[majority, minority, pooled], 300);
        let (q_maj, q_min, q) = (fitted[0], fitted[1], fitted[2]);
        let p_maj = f64::from(size(majority)) / f64::from(size(pooled));
        let gap = (q_maj - q_min).abs();
        prop_assert!(((q_maj - q).abs() - (1.0 - p_maj) * gap).abs() < 1e-3);
        prop_assert!(((q_min - q).abs() - p_maj * gap).abs() < 1e-3);
    }

    /// Lemma 3.3 as an identity, and its two consequences.
    #[test]
    fn lemma_3_3_the_minority_is_never_served_better(
        p in 0.5f64..=1.0, more in 0.0f64..=1.0, q_maj in 0.0f64..=1.0, q_min in 0.0f64..=1.0,
    ) {
        let error = |p: f64| {
            let q = p * q_maj + (1.0 - p) * q_min;
            ((q_maj - q).abs(), (q_min - q).abs())
        };
        let (majority, minority) = error(p);
        prop_assert!((majority - (1.0 - p) * (q_maj - q_min).abs()).abs() < 1e-12);
        prop_assert!((minority - p * (q_maj - q_min).abs()).abs() < 1e-12);
        prop_assert!(minority >= majority - 1e-12);
        let larger = p + more * (1.0 - p);
        prop_assert!(error(larger).1 >= minority - 1e-12);
    }
}
