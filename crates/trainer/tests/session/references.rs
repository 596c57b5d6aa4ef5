//! Reference log-probs are computed once, when they are needed.

use std::fs;
use std::path::Path;

use pdpo_loss::ObjectiveConfig;
use trainer::config::TrainingSection;
use trainer::example::Example;
use trainer::progress::Quiet;
use trainer::reference::Reference;
use trainer::task::Preference;

use crate::{lines, session_of, start, training, unreferenced};

/// A reference whose cache lies in `dir`.
pub fn reference(dir: &Path) -> Reference {
    let model = start().0.model.without_adapters();
    Reference::open(dir, &model, "tiny", 4).unwrap()
}

pub fn with_reference(reference: &Reference) -> Preference {
    let config = ObjectiveConfig::default();
    Preference::from_config(&config, true, Some(reference.clone())).unwrap()
}

/// Two users, the same answers, opposite choices: a response's log-prob may come out of another row, and differ there in its last
/// bit, so that a run that goes on would not be the one never stopped.
#[test]
fn a_response_in_several_pairs_keeps_its_first_log_prob() {
    let dir = tempfile::tempdir().unwrap();
    let examples = unreferenced(3);
    let first = examples[0].pair();
    let mut second = examples[1].pair().clone();
    second.prompt = first.prompt.clone();
    second.rejected = first.chosen.clone();
    reference(dir.path()).log_probs(&[first], &Quiet).unwrap();
    // Stands for another last bit.
    let file = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    let mut line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    line["bits"] = 42_f32.to_bits().into();
    line["check"] = serde_json::Value::Null;
    fs::write(file.path(), format!("{line}\n{text}")).unwrap();
    let again = reference(dir.path());
    let found = again.log_probs(&[&second], &Quiet).unwrap();
    assert_eq!(found[0].rejected, 42.0);
    assert_eq!(again.log_probs(&[first], &Quiet).unwrap()[0].chosen, 42.0);
}

#[test]
fn four_steps_compute_the_references_of_their_own_comparisons_alone() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(100));
    let reference = reference(&dir.path().join("reference"));
    let training = TrainingSection {
        max_steps: 4,
        ..training()
    };
    let data = (&train[..], &[][..]);
    let task = with_reference(&reference);
    let session = session_of(dir.path(), task, training, data, false).unwrap();
    session.run(&mut Quiet).unwrap();
    assert_eq!(reference.known(), 2 * 16);
    let computed = train.iter().filter(|e| e.item.reference.get().is_some());
    assert_eq!(computed.count(), 16);
}

#[test]
fn references_computed_when_needed_are_those_computed_before() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let runs = dirs.each_ref().map(|dir| {
        let (train, validation) = (unreferenced(10), unreferenced(3));
        let reference = reference(&dir.path().join("reference"));
        if dir.path() == dirs[1].path() {
            let all: Vec<&Example> = train.iter().chain(&validation).collect();
            reference.fill(&all, &Quiet).unwrap();
        }
        let data = (&train[..], &validation[..]);
        let session = session_of(
            dir.path(),
            with_reference(&reference),
            training(),
            data,
            false,
        );
        session.unwrap().run(&mut Quiet).unwrap();
        lines(dir.path()).iter().map(|l| l.loss).collect::<Vec<_>>()
    });
    assert_eq!(runs[0].len(), 9);
    for (lazy, eager) in runs[0].iter().zip(&runs[1]) {
        assert!((lazy - eager).abs() < 1e-5, "{lazy} {eager}");
    }
}

#[test]
fn ld_dpo_keeps_what_both_responses_are_long_as_responses_that_end_there() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(10));
    let at = dir.path().join("reference");
    let config = ObjectiveConfig {
        ld_alpha: 0.5,
        ..Default::default()
    };
    let known = reference(&at);
    let task = Preference::from_config(&config, true, Some(known.clone())).unwrap();
    let data = (&train[..], &train[..2]);
    let session = session_of(dir.path(), task, training(), data, false).unwrap();
    session.run(&mut Quiet).unwrap();
    let pair = train[0].pair().clone();
    let shared = pair.chosen.len().min(pair.rejected.len());
    let mut cut = pair;
    cut.chosen.truncate(shared);
    cut.rejected.truncate(shared);
    let count = known.known();
    let found = reference(&at).log_probs(&[&cut], &Quiet).unwrap();
    assert_eq!(train[0].item.shared_reference.get(), Some(&found[0]));
    assert_eq!(reference(&at).known(), count);
}
