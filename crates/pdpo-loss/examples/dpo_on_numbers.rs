//! The P-DPO loss of two comparisons, each for its user and for the generic user.
#![allow(clippy::print_stdout)]

use burn::tensor::{Device, Tensor};
use pdpo_loss::{Branch, Dpo, Objective, Pair, PairLogProbs};

fn main() -> Result<(), pdpo_loss::LossError> {
    let device = Device::flex().autodiff();
    let pair = |chosen: [f32; 4], rejected: [f32; 4]| Pair {
        chosen: Tensor::from_floats(chosen, &device),
        rejected: Tensor::from_floats(rejected, &device),
    };
    let mut policy = pair([-20.0, -31.0, -22.0, -30.0], [-27.0, -35.0, -25.0, -36.0]);
    policy.chosen = policy.chosen.require_grad();
    let reference = pair([-22.0, -30.0, -22.0, -30.0], [-25.0, -36.0, -25.0, -36.0]);
    let tokens = pair([9.0, 12.0, 9.0, 12.0], [10.0, 14.0, 10.0, 14.0]);
    let pairs = PairLogProbs::new(policy, Some(reference), tokens)?;
    let branches = [Branch::User, Branch::User, Branch::Generic, Branch::Generic];

    let objective = Objective::new(Dpo::new(0.1)?, 0.5)?;
    let rows = objective.evaluate(&pairs, &branches)?;
    let loss = objective.mix().combine(rows.loss, &branches, 2)?;
    println!("loss {:.4}", loss.to_data());
    println!(
        "margins {:.2}, accuracies {}",
        rows.rewards.margins.to_data(),
        rows.rewards.accuracies.to_data()
    );

    let gradients = loss.backward();
    if let Some(gradient) = pairs.policy().chosen.grad(&gradients) {
        println!("d loss / d log pi(chosen) {:.4}", gradient.to_data());
    }
    Ok(())
}
