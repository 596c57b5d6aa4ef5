//! Micro-batches add up to the batch, in value and gradient, however the rows fall.

use burn::tensor::{Device, Tensor};
use pdpo_loss::Branch::{self, Generic, User};
use pdpo_loss::{Dpo, Objective, ObjectiveConfig, Pair, PairLogProbs, PreferenceLoss};

const COMPARISONS: usize = 4;
const BRANCHES: [Branch; 8] = [User, Generic, User, User, Generic, User, Generic, Generic];
const POLICY: [[f32; 8]; 2] = [
    [-20.0, -31.5, -12.0, -7.25, -40.0, -22.0, -9.0, -15.0],
    [-22.0, -30.0, -14.0, -6.0, -41.0, -25.0, -9.0, -11.0],
];
const REFERENCE: [[f32; 8]; 2] = [
    [-21.0, -30.0, -12.5, -7.0, -44.0, -20.0, -9.0, -14.0],
    [-21.5, -29.0, -13.0, -7.0, -43.0, -18.0, -9.5, -13.0],
];

/// The objective of the given rows and the gradient on their chosen log-probabilities.
fn part(objective: &Objective, rows: &[usize]) -> (f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let take = |values: &[f32; 8]| -> Tensor<1> {
        let picked: Vec<f32> = rows.iter().map(|&row| values[row]).collect();
        Tensor::from_floats(picked.as_slice(), &device)
    };
    let pair = |[chosen, rejected]: &[[f32; 8]; 2]| Pair {
        chosen: take(chosen),
        rejected: take(rejected),
    };
    let mut policy = pair(&POLICY);
    policy.chosen = policy.chosen.require_grad();
    let half = |pair: &Pair| Pair {
        chosen: pair.chosen.clone() * 0.5,
        rejected: pair.rejected.clone() * 0.25,
    };
    let (shared, reference) = (half(&policy), pair(&REFERENCE));
    let shared_reference = half(&reference);
    let pairs = PairLogProbs::new(policy, Some(reference), pair(&[[4.0; 8]; 2]));
    let pairs = pairs.unwrap().with_shared(shared, Some(shared_reference));
    let pairs = pairs.unwrap().with_squares(pair(&POLICY)).unwrap();
    let kl = Tensor::full([rows.len()], 0.25, &device);
    let pairs = pairs.with_kl(kl).unwrap();
    let branches: Vec<Branch> = rows.iter().map(|&row| BRANCHES[row]).collect();
    let losses = objective.evaluate(&pairs, &branches).unwrap().loss;
    let loss = objective.mix().combine(losses, &branches, COMPARISONS);
    let loss = loss.unwrap();
    let gradients = loss.backward();
    let gradient = pairs.policy().chosen.grad(&gradients).unwrap();
    (
        loss.into_scalar::<f32>(),
        gradient.try_into_vec_as::<f32>().unwrap(),
    )
}

/// Every loss, and what goes with losses.
fn every_objective() -> Vec<ObjectiveConfig> {
    let of = |loss| ObjectiveConfig {
        loss,
        alpha: 0.3,
        ..Default::default()
    };
    let mut all: Vec<ObjectiveConfig> = PreferenceLoss::all().into_iter().map(of).collect();
    let with = |change: fn(&mut ObjectiveConfig)| {
        let mut objective = of(PreferenceLoss::default());
        change(&mut objective);
        objective
    };
    all.push(with(|objective| objective.nll_weight = 0.7));
    all.push(with(|objective| objective.wpo = true));
    all.push(with(|objective| objective.ld_alpha = 0.5));
    all
}

#[test]
fn eight_micro_batches_of_one_row_equal_one_batch() {
    for config in every_objective() {
        let objective = config.init(true).unwrap();
        let all: Vec<usize> = (0..8).collect();
        let (whole, gradient) = part(&objective, &all);
        if objective.needs_batch_statistics() {
            let users = part(&objective, &[0, 2, 3, 5]);
            let generic = part(&objective, &[1, 4, 6, 7]);
            let sum = users.0 + generic.0;
            assert!((sum - whole).abs() <= 1e-6 * whole.abs(), "{config:?}");
            assert_ne!(
                part(&objective, &all[..3]).0 + part(&objective, &all[3..]).0,
                whole
            );
            continue;
        }
        let mut sum = 0.0;
        for (row, expected) in gradient.into_iter().enumerate() {
            let (value, slope) = part(&objective, &[row]);
            sum += value;
            let error = (slope[0] - expected).abs();
            assert!(error <= 2e-6 * expected.abs(), "{config:?}");
        }
        let error = (sum - whole).abs();
        assert!(error <= 1e-5 * whole.abs(), "{config:?}: {sum} {whole}");
        let (left, right) = (part(&objective, &all[..3]), part(&objective, &all[3..]));
        assert!((left.0 + right.0 - whole).abs() <= 1e-5 * whole.abs());
    }
}

#[test]
fn before_the_first_step_the_objective_is_log_2_for_every_alpha() {
    let device = Device::flex();
    let row = |factor: f64| Tensor::<1>::from_floats([-123.25, -7.5], &device) * factor;
    let pair = |chosen: f64, rejected: f64| Pair {
        chosen: row(chosen),
        rejected: row(rejected),
    };
    let pairs = PairLogProbs::new(pair(1.0, 2.0), Some(pair(1.0, 2.0)), pair(-1.0, -1.0));
    let pairs = pairs.unwrap();
    for alpha in [0.0, 0.3, 0.5, 1.0] {
        let objective = Objective::new(Dpo::new(0.1).unwrap(), alpha).unwrap();
        let branches = [User, Generic];
        let losses = objective.evaluate(&pairs, &branches).unwrap().loss;
        let loss = objective.mix().combine(losses, &branches, 1);
        let loss = loss.unwrap().into_scalar::<f32>();
        assert!((loss - std::f32::consts::LN_2).abs() < 1e-6, "{loss}");
    }
}
