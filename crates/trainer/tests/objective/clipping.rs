//! Clipped steps of AdamW beside torch's, on the same weights. Adam hardly minds the scale of all gradients, but that of one
//! step against that of another: weights depend on the bound from the second step on.

use llm_backbone::LoraConfig;
use pdpo_loss::ObjectiveConfig;
use trainer::config::Clip;

use super::support::run::World;
use super::support::torch::{self, Weights};
use super::support::{examples, fixture, learner_with, open, preference};

#[test]
fn steps_clipped_by_the_global_norm_equal_torchs() {
    let expected = torch::json("dpo_steps/expected.json");
    let training = torch::training(&expected);
    assert!(torch::clips_some(
        &expected["steps"],
        training.max_grad_norm
    ));
    let base = open("llama_tied");
    let examples = examples(&base, &torch::pairs(&expected["comparisons"]), false);
    let (model, _) = base.with_adapters(&fixture("dpo_step")).expect("adapters");
    let learner = learner_with(model, None, &ObjectiveConfig::default(), &training);
    let weights = Weights::open("dpo_steps/weights.safetensors");
    torch::follow(
        learner,
        &training,
        &examples,
        &expected["steps"],
        (&weights, ""),
    );
}

/// The rates of LoRA+ and the magnitudes of DoRA, as `peft` sets them. Magnitudes begin as the norms of the weights alone, beside which the
/// factors are no longer what they began with.
#[test]
fn steps_with_rates_of_lora_plus_and_magnitudes_equal_torchs() {
    let expected = torch::json("loraplus_steps/expected.json");
    let training = torch::training(&expected);
    let (model, read) = open("llama_tied")
        .with_adapters(&fixture("dpo_step"))
        .expect("adapters");
    let lora = LoraConfig {
        use_dora: true,
        loraplus_lr_ratio: torch::number(&expected["lora"]["loraplus_lr_ratio"]),
        ..read
    };
    let base = open("llama_tied");
    let fresh = base.clone().with_lora(&lora, 0).expect("adapters");
    let mut tensors = model.adapter_tensors();
    tensors.extend(
        fresh
            .adapter_tensors()
            .into_iter()
            .filter(|(name, ..)| name.ends_with("vector")),
    );
    let model = base
        .clone()
        .with_adapter_tensors(&lora, "start", tensors)
        .expect("adapters");
    let examples = examples(&base, &torch::pairs(&expected["comparisons"]), false);
    let learner = learner_with(model, None, &ObjectiveConfig::default(), &training);
    let weights = Weights::open("loraplus_steps/weights.safetensors");
    torch::follow_with(
        learner,
        (&training, &lora),
        &examples,
        &expected["steps"],
        (&weights, ""),
    );
}

/// What users share and their rows are one group, the adapters the other: each is as long as the bound allows, whatever the other is.
#[test]
fn adapters_and_users_are_clipped_each_by_its_own_norm() {
    let world = World::new();
    let (policy, table) = world.start().expect("a policy");
    let task = preference(&world.objective, true);
    let learner = trainer::learner::Learner::new(task, policy, Some(table), &world.training);
    let learner = learner.expect("a learner");
    let policy = &learner.policy;
    let clipped = |clip: Clip, bound: f64| {
        let (mut gradients, _) = learner.gradients(&world.train[..4]).expect("gradients");
        let before = gradients.norms(policy);
        gradients.clip(policy, &before, clip, bound);
        (before, gradients.norms(policy))
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5 * b, "{a} is not {b}");
    let (before, _) = clipped(Clip::Groups, 0.0);
    let users = before.users.expect("a user model");
    // Between the two norms, so that one group is too long and the other is not.
    let bound = (before.model * users).sqrt();
    let (_, after) = clipped(Clip::Groups, bound);
    near(after.model, before.model.min(bound));
    near(after.users.expect("a user model"), users.min(bound));
    let (_, after) = clipped(Clip::Together, bound);
    near(after.together(), bound);
    near(after.model / before.model, bound / before.together());
}
