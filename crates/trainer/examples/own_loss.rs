//! A loss of one's own, written outside of this workspace's crates: SimPO (Meng et al., arXiv 2405.14734, equation 6), which
//! needs no reference. It is personalised like any other.
//!
//! `cargo run --release --example own_loss`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;

use trainer::burn::tensor::activation::log_sigmoid;
use trainer::burn::tensor::{Device, Tensor};
use trainer::config::{TrainingSection, UsersSection};
use trainer::example::{Example, Item};
use trainer::learner::Learner;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::{LoraConfig, Model};
use trainer::pdpo_loss::{LossError, Objective, PairLogProbs, PairLoss, Rewards};
use trainer::policy::Policy;
use trainer::schedule::Schedule;
use trainer::task::Preference;
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};

/// `-log sigma(beta * (mean log-prob of y1 - mean log-prob of y2) - gamma)`
#[derive(Debug)]
struct SimPo {
    beta: f64,
    gamma: f64,
}

impl PairLoss for SimPo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let means = pairs.per_token(pairs.policy().clone());
        let margins = (means.chosen - means.rejected) * self.beta;
        Ok(-log_sigmoid(margins - self.gamma))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        let means = pairs.per_token(pairs.policy().clone());
        Ok(Rewards::new(means, self.beta))
    }

    fn needs_reference(&self) -> bool {
        false
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let model = Model::random(&llama(), 0, &device)?.frozen();
    let users = UsersSection {
        user_tokens: 2,
        ..Default::default()
    };
    let (policy, mut table) = Policy::start(model, &LoraConfig::default(), Some(&users), 2, 0)?;
    for user in ["tom", "lena"] {
        table.as_mut().map(|table| table.add(user));
    }
    // Of the same two responses, 10 11 and 12, each prefers another.
    let examples: Vec<Example> = [
        ("tom", vec![10, 11], vec![12]),
        ("lena", vec![12], vec![10, 11]),
    ]
    .into_iter()
    .map(|(user, chosen, rejected)| {
        let item = Item::new(pair(chosen, rejected), Some(user.into()));
        Example::new(&Arc::new(item), table.as_ref())
    })
    .collect();

    let loss = SimPo {
        beta: 2.0,
        gamma: 0.5,
    };
    let task = Preference::new(Objective::new(loss, 0.5)?, None);
    let training = TrainingSection {
        learning_rate: 1e-3,
        users_learning_rate: 1e-2,
        warmup_steps: 2,
        ..Default::default()
    };
    let mut learner = Learner::new(task, policy, table, &training)?;
    let mut schedule = Schedule::new(&training, 20, 0)?;
    for step in 0..20 {
        let report = learner.step(&examples, &schedule.next())?;
        if step % 5 == 0 || step == 19 {
            println!("step {step}: loss {:.3}", report.loss);
        }
    }
    Ok(())
}

fn pair(chosen: Vec<u32>, rejected: Vec<u32>) -> TokenizedPair {
    TokenizedPair {
        prompt: TokenizedPrompt {
            ids: vec![3, 4, 5],
            soft_at: 0,
            cut: false,
            user_text_cut: false,
        },
        chosen,
        rejected,
        response_cut: false,
    }
}

fn llama() -> ModelConfig {
    ModelConfig::from_scratch(
        Sizes {
            vocab_size: 16,
            hidden_size: 32,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: 2,
            head_dim: 8,
            max_positions: 32,
            ties_embeddings: true,
            bos_token_id: None,
            eos_token_ids: vec![1],
        },
        64,
    )
}
