//! What supervised fine-tuning minimises: the mean over exactly the tokens it scores, computed here without packing. And what
//! its steps make of the weights: torch's.
#![allow(clippy::print_stderr)]

mod support;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use llm_backbone::{Model, ModelInput};
use support::torch::{self, Weights};
use trainer::config::TrainingSection;
use trainer::learner::Learner;
use trainer::policy::Policy;
use trainer::task::{Language, Responses};
use trainer::tokenise::TokenizedPair;

/// Log-probs of all tokens of a sequence but its first.
fn log_probs(model: &Model, ids: &[u32]) -> Vec<f64> {
    let (device, n) = (model.device(), ids.len());
    let ints = |values: Vec<i32>| {
        let data = TensorData::new(values, [1, n]);
        Tensor::<2, Int>::from_data(data, &device)
    };
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let causal: Vec<bool> = (0..n * n).map(|i| i % n <= i / n).collect();
    let hidden = model.forward(ModelInput {
        embeddings: model.embed(ints(ids.clone())),
        positions: ints((0..n as i32).collect()),
        visible: Tensor::<4, Bool>::from_data(TensorData::new(causal, [1, 1, n, n]), &device),
        prefix: None,
        cache: None,
    });
    let [_, _, d] = hidden.dims();
    let logits = log_softmax(model.logits(hidden.reshape([n, d])), 1);
    let vocabulary = logits.dims()[1];
    let all: Vec<f32> = support::values(logits);
    let next = |i: usize| all[i * vocabulary + ids[i + 1] as usize];
    (0..n - 1).map(|i| f64::from(next(i))).collect()
}

/// The sum of what is left of a prompt and one response, from the token `from` on, and how many tokens that is.
fn sum(model: &Model, prompt: &[u32], response: &[u32], from: usize) -> (f64, usize) {
    let all = log_probs(model, &[prompt, response].concat());
    let scored = &all[from - 1..];
    (scored.iter().sum(), scored.len())
}

/// The loss of all comparisons at once.
fn loss(model: &Model, pairs: &[TokenizedPair], responses: Responses, prompts_too: bool) -> f64 {
    let task = Language {
        responses,
        prompts_too,
    };
    let policy = Policy::plain(model.clone());
    let learner = Learner::new(task, policy, None, &TrainingSection::default()).unwrap();
    let batch = support::unreferenced(pairs, false);
    learner.gradients(&batch).unwrap().1.loss
}

fn model() -> Model {
    support::with_random_adapters(support::open("llama"), 3)
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
}

#[test]
fn the_preferred_responses_are_scored_per_token_of_theirs() {
    let (model, pairs) = (model(), support::pairs(1, 6));
    for prompts_too in [false, true] {
        let (mut total, mut tokens) = (0.0, 0);
        for pair in &pairs {
            let prompt = &pair.prompt.ids;
            let from = if prompts_too { 1 } else { prompt.len() };
            let (log_prob, scored) = sum(&model, prompt, &pair.chosen, from);
            total += log_prob;
            tokens += scored;
        }
        let found = loss(&model, &pairs, Responses::Chosen, prompts_too);
        close(found, -total / tokens as f64);
    }
}

#[test]
fn the_rejected_responses_do_not_matter_to_it() {
    let (model, pairs) = (model(), support::pairs(1, 6));
    let mut others = pairs.clone();
    for pair in &mut others {
        pair.rejected = vec![5; 3];
    }
    for prompts_too in [false, true] {
        let loss = |pairs: &[TokenizedPair]| loss(&model, pairs, Responses::Chosen, prompts_too);
        // Rows of another length may be added up in another order.
        close(loss(&pairs), loss(&others));
    }
}

#[test]
fn both_responses_are_scored_and_a_prompt_once() {
    let (model, pairs) = (model(), support::pairs(1, 6));
    for prompts_too in [false, true] {
        let (mut total, mut tokens) = (0.0, 0);
        for pair in &pairs {
            let prompt = &pair.prompt.ids;
            let from = if prompts_too { 1 } else { prompt.len() };
            let chosen = sum(&model, prompt, &pair.chosen, from);
            let rejected = sum(&model, prompt, &pair.rejected, prompt.len());
            total += chosen.0 + rejected.0;
            tokens += chosen.1 + rejected.1;
        }
        let found = loss(&model, &pairs, Responses::Both, prompts_too);
        close(found, -total / tokens as f64);
    }
}

#[test]
fn steps_of_fine_tuning_equal_torchs() {
    let expected = torch::json("sft_steps/expected.json");
    let training = torch::training(&expected);
    let weights = Weights::open("sft_steps/weights.safetensors");
    let examples = support::unreferenced(&torch::pairs(&expected["comparisons"]), false);
    for case in torch::list(&expected["cases"]) {
        assert!(torch::clips_some(&case["steps"], training.max_grad_norm));
        let base = support::open("llama_tied");
        let (model, _) = base
            .with_adapters(&support::fixture("dpo_step"))
            .expect("adapters");
        let task = Language {
            responses: serde_json::from_value(case["responses"].clone()).expect("a name"),
            prompts_too: case["prompts_too"] == true,
        };
        let learner = Learner::new(task, Policy::plain(model), None, &training).unwrap();
        let prefix = format!("{}.", case["responses"].as_str().expect("a name"));
        let weights = (&weights, prefix.as_str());
        torch::follow(learner, &training, &examples, &case["steps"], weights);
    }
}
