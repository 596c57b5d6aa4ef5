//! Micro-batches add up to the batch, in value and gradient, however the rows fall.

use burn::tensor::{Device, Tensor};
use pdpo_loss::Branch::{self, Generic, User};
use pdpo_loss::{PairLogProbs, Personalised, PreferenceLoss};

const COMPARISONS: usize = 4;
const BRANCHES: [Branch; 8] = [User, Generic, User, User, Generic, User, Generic, Generic];
const POLICY: [[f32; 8]; 2] = [
    [-20.0, -31.5, -12.0, -7.25, -40.0, -22.0, -9.0, -15.0],
    [-22.0, -30.0, -14.0, -6.0, -41.0, -25.0, -9.0, -11.0],
];
const REFERENCE: [[f32; 8]; 2] = [
    [-21.0, -30.0, -12.5, -7.0, -44.0, -20.0, -9.0, -14.0],
    [-21.5, -29.0, -13.0, -7.0, -43.0, -21.0, -9.5, -13.0],
];

/// The objective of the given rows and the gradient on their chosen log-probabilities.
fn part(loss: PreferenceLoss, mix: Personalised, rows: &[usize]) -> (f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let take = |values: &[f32; 8]| -> Tensor<1> {
        let picked: Vec<f32> = rows.iter().map(|&row| values[row]).collect();
        Tensor::from_floats(picked.as_slice(), &device)
    };
    let tokens = Tensor::<1>::ones([rows.len()], &device) * 4.0;
    let pairs = PairLogProbs {
        policy_chosen: take(&POLICY[0]).require_grad(),
        policy_rejected: take(&POLICY[1]),
        reference_chosen: take(&REFERENCE[0]),
        reference_rejected: take(&REFERENCE[1]),
        chosen_tokens: tokens.clone(),
        rejected_tokens: tokens,
    };
    let branches: Vec<Branch> = rows.iter().map(|&row| BRANCHES[row]).collect();
    let objective = mix
        .combine(loss.per_comparison(&pairs), &branches, COMPARISONS)
        .unwrap();
    let gradients = objective.backward();
    let gradient = pairs.policy_chosen.grad(&gradients).unwrap();
    (
        objective.into_scalar::<f32>(),
        gradient.try_into_vec_as::<f32>().unwrap(),
    )
}

#[test]
fn eight_micro_batches_of_one_row_equal_one_batch() {
    let mix = Personalised::new(0.3).unwrap();
    for loss in [PreferenceLoss::dpo(0.5), PreferenceLoss::ipo(0.5)] {
        let loss = loss.unwrap();
        let all: Vec<usize> = (0..8).collect();
        let (whole, gradient) = part(loss, mix, &all);
        let mut sum = 0.0;
        for (row, expected) in gradient.into_iter().enumerate() {
            let (value, slope) = part(loss, mix, &[row]);
            sum += value;
            assert!((slope[0] - expected).abs() <= 1e-6 * expected.abs());
        }
        assert!((sum - whole).abs() <= 1e-5 * whole.abs(), "{sum} {whole}");
        let (left, right) = (part(loss, mix, &all[..3]), part(loss, mix, &all[3..]));
        assert!((left.0 + right.0 - whole).abs() <= 1e-5 * whole.abs());
    }
}

#[test]
fn before_the_first_step_the_objective_is_log_2_for_every_alpha() {
    let device = Device::flex();
    let row = || Tensor::<1>::from_floats([-123.25, -7.5], &device);
    let pairs = PairLogProbs {
        policy_chosen: row(),
        policy_rejected: row() * 2.0,
        reference_chosen: row(),
        reference_rejected: row() * 2.0,
        chosen_tokens: row() * -1.0,
        rejected_tokens: row() * -1.0,
    };
    for alpha in [0.0, 0.3, 0.5, 1.0] {
        let losses = PreferenceLoss::dpo(0.1).unwrap().per_comparison(&pairs);
        let mix = Personalised::new(alpha).unwrap();
        let objective = mix.combine(losses, &[User, Generic], 1).unwrap();
        let loss = objective.into_scalar::<f32>();
        assert!((loss - std::f32::consts::LN_2).abs() < 1e-6, "{loss}");
    }
}

#[test]
fn tensors_of_unequal_length_are_found_by_name() {
    let device = Device::flex();
    let rows = |n: usize| Tensor::<1>::zeros([n], &device);
    let pairs = PairLogProbs {
        policy_chosen: rows(3),
        policy_rejected: rows(3),
        reference_chosen: rows(3),
        reference_rejected: rows(2),
        chosen_tokens: rows(3),
        rejected_tokens: rows(3),
    };
    let error = pairs.rows().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`reference_rejected` has 2 rows, expected 3"
    );
}
