//! One step of vanilla DPO beside TRL's and peft's, on the same weights.

use llm_backbone::stable_id;
use pdpo_loss::{ObjectiveConfig, ScoredRow};
use trainer::example::ReferenceLogProbs;

use super::support::torch::{self, numbers};
use super::support::{self, examples, fixture, learner, model_fixture, open, values};

fn assert_close(what: &str, found: &[f32], expected: &[f32], relative: f32) -> f32 {
    let largest = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let error = support::largest_difference(found, expected) / largest;
    assert!(error <= relative, "{what}: {found:?} is not {expected:?}");
    error
}

#[test]
fn one_step_of_dpo_equals_trl_and_peft_in_value_and_gradient() {
    let dir = fixture("dpo_step");
    let expected = torch::json("dpo_step/expected.json");
    let base = open("llama_tied");
    assert!(model_fixture("llama_tied").ends_with(expected["base"].as_str().expect("a path")));
    let batch = examples(&base, &torch::pairs(&expected["comparisons"]), false);
    let reference = |f: fn(&ReferenceLogProbs) -> f32| -> Vec<f32> {
        let known = batch.iter().map(|e| e.item.reference.get());
        known.map(|r| f(r.expect("computed"))).collect()
    };
    let chosen = reference(|r| r.chosen);
    assert_close(
        "reference",
        &chosen,
        &numbers(&expected["reference_chosen"]),
        1e-5,
    );
    let rejected = reference(|r| r.rejected);
    assert_close(
        "reference",
        &rejected,
        &numbers(&expected["reference_rejected"]),
        1e-5,
    );

    let (model, _) = base.with_adapters(&dir).expect("the adapter");
    let learner = learner(model, None, &ObjectiveConfig::default(), 1);
    let (gradients, report) = learner.gradients(&batch).expect("a batch");
    let column = |f: fn(&ScoredRow) -> f32| {
        let mut rows: Vec<_> = report.rows.iter().collect();
        rows.sort_by_key(|row| row.example);
        rows.into_iter().map(|r| f(&r.row)).collect::<Vec<_>>()
    };
    let columns = [
        ("policy_chosen", column(|r| r.logp_chosen), 1e-5),
        ("policy_rejected", column(|r| r.logp_rejected), 1e-5),
        ("losses", column(|r| r.loss), 1e-5),
        ("rewards_chosen", column(|r| r.reward_chosen), 1e-4),
        ("rewards_rejected", column(|r| r.reward_rejected), 1e-4),
        ("loss", vec![report.loss as f32], 1e-5),
    ];
    for (name, found, relative) in columns {
        let error = assert_close(name, &found, &numbers(&expected[name]), relative);
        eprintln!("{name}: relative error {error:e}");
    }
    let wanted = expected["gradients"].as_object().expect("gradients");
    assert_eq!(gradients.module.len(), wanted.len());
    let mut largest = 0f32;
    for (tensor, wanted) in wanted {
        let module = tensor
            .trim_start_matches("base_model.model.")
            .trim_end_matches(".weight");
        let found = gradients
            .module
            .get::<2>(stable_id(module))
            .expect("a gradient");
        let error = assert_close(tensor, &values(found.transpose()), &numbers(wanted), 1e-3);
        largest = largest.max(error);
    }
    eprintln!(
        "gradients of {} tensors: largest relative error {largest:e}",
        wanted.len()
    );
}
