//! Scorers to whom a response is worth something beside others alone, and scorers that fail.

use std::path::Path;
use std::sync::{Arc, Mutex};

use pref_data::Comparison;
use trainer::TrainError;
use trainer::example::Example;
use trainer::folder::Start;
use trainer::progress::{Progress, Quiet};
use trainer::scorer::{Beside, Effort, Scorer};
use trainer::session::Outcome;
use trainer::training::{Place, ScoredGroups};

use super::World;
use super::made;
use super::support::gradients;
use super::support::run::{assert_same, traces};

/// A response is worth the share of others that have more words. It fails at one call, where it is told to.
#[derive(Debug, Default)]
struct Shorter {
    fails_at: Option<usize>,
    calls: Mutex<Vec<Call>>,
}

#[derive(Debug)]
enum Call {
    Groups { texts: usize, size: usize },
    Base(Vec<String>),
}

impl Scorer for Shorter {
    fn rewards(
        &self,
        texts: &[Comparison],
        beside: Beside<'_>,
        _: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError> {
        let mut calls = self.calls.lock().expect("calls");
        if self.fails_at == Some(calls.len()) {
            return Err(TrainError::Unscored {
                problem: "nobody there".into(),
                saved: None,
            });
        }
        let words = |text: &str| text.split_whitespace().count();
        let win = |ours: &str, theirs: &str| match words(ours).cmp(&words(theirs)) {
            std::cmp::Ordering::Less => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Greater => 0.0,
        };
        match beside {
            Beside::Base(others) => {
                calls.push(Call::Base(others.to_vec()));
                let pairs = texts.iter().zip(others);
                Ok(pairs
                    .map(|(text, other)| win(&text.chosen, other))
                    .collect())
            }
            Beside::Group(size) => {
                let texts_and = |group: &[Comparison]| -> Vec<f32> {
                    let worth = |text: &Comparison| {
                        let wins: f32 = group.iter().map(|c| win(&text.chosen, &c.chosen)).sum();
                        (wins - 0.5) / (size - 1) as f32 // Without itself.
                    };
                    group.iter().map(worth).collect()
                };
                calls.push(Call::Groups {
                    texts: texts.len(),
                    size,
                });
                Ok(texts.chunks(size).flat_map(texts_and).collect())
            }
        }
    }

    fn compares(&self) -> bool {
        true
    }

    fn key(&self) -> Result<String, TrainError> {
        Ok("shorter".into())
    }

    fn effort(&self) -> Option<Effort> {
        let (calls, cached) = (3, 4);
        Some(Effort { calls, cached })
    }
}

fn run(
    world: &World,
    dir: &Path,
    start: Start,
    scorer: &Arc<Shorter>,
) -> Result<Outcome, TrainError> {
    let place = Place {
        start,
        ..Place::new(dir)
    };
    let session = world.training.online(place, &world.sides, scorer.clone())?;
    session.run(&mut Quiet)
}

const KEYS: &str = "[online]\nnum_generations = 3\nmax_new_tokens = 6\n";

#[test]
fn validations_compare_with_what_the_base_model_answers() {
    let world = World::new(KEYS);
    let scorer = Arc::new(Shorter::default());
    let dir = world.folder.path().join("run");
    run(&world, &dir, Start::New, &scorer).expect("a run");
    let groups = world
        .training
        .scored_groups(&world.sides)
        .expect("settings");
    // 16 prompts in 6 steps, 8 held out and seen twice, each for its user and for the generic one.
    let expected = ScoredGroups {
        steps: 6,
        training: 32,
        validation: 32,
    };
    assert_eq!(groups, expected);
    let (mut trained, mut validated) = (0, Vec::new());
    for call in &*scorer.calls.lock().expect("calls") {
        match call {
            Call::Groups { texts, size } => {
                assert_eq!(*size, 3);
                trained += texts / size;
            }
            Call::Base(texts) => validated.push(texts.clone()),
        }
    }
    assert_eq!(trained, groups.training);
    assert_eq!(validated.len(), 2);
    assert_eq!(validated[0].len(), 8 * 2 * 3);
    assert_eq!(validated[0], validated[1]);
    for of_prompt in validated[0].chunks(6) {
        assert!(of_prompt.iter().all(|text| text == &of_prompt[0]));
    }
    let lines = trainer::metrics::read(&dir.join("metrics.jsonl")).expect("metrics");
    // What is won of the other is lost by it, so that the mean says nothing while training.
    let reward = lines[0].reward.expect("a reward");
    assert!((reward - 0.5).abs() < 1e-6, "{reward}");
    let told = |line: &trainer::metrics::Line| (line.scorer_calls, line.scorer_cached);
    assert!(lines.iter().all(|line| told(line) == (Some(3), Some(4))));
}

#[test]
fn a_run_whose_scorer_fails_is_saved_and_goes_on_to_the_bit() {
    let world = World::new(KEYS);
    let whole = world.folder.path().join("whole");
    let good = Arc::new(Shorter::default());
    run(&world, &whole, Start::New, &good).expect("a run");
    let expected = traces(&whole);
    // At the first step, at the third, and in the validation after it.
    for (call, steps) in [(0, 0), (2, 2), (3, 3)] {
        let dir = world.folder.path().join(format!("failed-{call}"));
        let bad = Arc::new(Shorter {
            fails_at: Some(call),
            ..Shorter::default()
        });
        let error = run(&world, &dir, Start::New, &bad)
            .err()
            .expect("a failure");
        let told = error.to_string();
        assert!(
            told.starts_with("nobody there; what was learned up to step "),
            "{told}"
        );
        let TrainError::Unscored { saved, .. } = error else {
            panic!("another error: {told}");
        };
        assert_eq!(saved, Some((steps, dir.clone())));
        run(&world, &dir, Start::Resume, &good).expect("the rest");
        assert_same(&traces(&dir), &expected, &format!("call {call}"));
    }
}

/// Likes everything as well.
#[derive(Debug)]
struct Indifferent;

impl Scorer for Indifferent {
    fn rewards(
        &self,
        texts: &[Comparison],
        _: Beside<'_>,
        _: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError> {
        Ok(vec![0.5; texts.len()])
    }

    fn key(&self) -> Result<String, TrainError> {
        Ok("indifferent".into())
    }
}

#[test]
fn nothing_is_learnt_of_responses_that_are_worth_the_same() {
    for keys in [
        "[online]\nmethod = \"dpo\"\nnum_generations = 3\nmax_new_tokens = 6\n",
        "[online]\nnum_generations = 3\nmax_new_tokens = 6\nbeta = 0\n",
    ] {
        let mut start = made::Start::new(keys);
        start.scorer = Arc::new(Indifferent);
        let some: Vec<&Example> = start.prompts[..3].iter().collect();
        let examples = start.made(&some, 0);
        let found = gradients(&start.learner(4), &examples);
        let largest = found
            .values()
            .flatten()
            .fold(0f32, |most, x| most.max(x.abs()));
        assert_eq!(largest, 0.0, "{keys}");
    }
}
