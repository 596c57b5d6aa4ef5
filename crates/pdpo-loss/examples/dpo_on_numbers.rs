//! The P-DPO loss of two comparisons, each for its user and for the generic user.
#![allow(clippy::print_stdout)]

use burn::tensor::{Device, Tensor};
use pdpo_loss::{Branch, PairLogProbs, Personalised, PreferenceLoss};

fn main() -> Result<(), pdpo_loss::LossError> {
    let device = Device::flex().autodiff();
    let row = |values: [f32; 4]| Tensor::<1>::from_floats(values, &device);
    let pairs = PairLogProbs {
        policy_chosen: row([-20.0, -31.0, -22.0, -30.0]).require_grad(),
        policy_rejected: row([-27.0, -35.0, -25.0, -36.0]),
        reference_chosen: row([-22.0, -30.0, -22.0, -30.0]),
        reference_rejected: row([-25.0, -36.0, -25.0, -36.0]),
        chosen_tokens: row([9.0, 12.0, 9.0, 12.0]),
        rejected_tokens: row([10.0, 14.0, 10.0, 14.0]),
    };
    let branches = [Branch::User, Branch::User, Branch::Generic, Branch::Generic];

    let loss = PreferenceLoss::dpo(0.1)?;
    let objective = Personalised::new(0.5)?.combine(loss.per_comparison(&pairs), &branches, 2)?;
    let rewards = loss.rewards(&pairs);
    println!("loss {:.4}", objective.to_data());
    println!(
        "margins {:.2}, accuracies {}",
        rewards.margins.to_data(),
        rewards.accuracies.to_data()
    );

    let gradients = objective.backward();
    if let Some(gradient) = pairs.policy_chosen.grad(&gradients) {
        println!("d loss / d log pi(chosen) {:.4}", gradient.to_data());
    }
    Ok(())
}
