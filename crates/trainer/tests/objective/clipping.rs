//! Clipped steps of AdamW beside torch's, on the same weights. Adam hardly minds the scale of all gradients, but that of one
//! step against that of another: weights depend on the bound from the second step on.

use pdpo_loss::ObjectiveConfig;

use super::support::torch::{self, Weights};
use super::support::{examples, fixture, learner_with, open};

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
