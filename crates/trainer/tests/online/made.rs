//! What a step makes of prompts.

use std::collections::BTreeMap;
use std::sync::Arc;

use pdpo_loss::Branch;
use trainer::TrainError;
use trainer::config::TrainingSection;
use trainer::example::{Example, Item};
use trainer::learner::Learner;
use trainer::policy::Policy;
use trainer::progress::{Progress, Quiet};
use trainer::reference::Reference;
use trainer::scorer::{Beside, Scorer};
use trainer::task::{Moment, Online, Sampled, Surroundings, Task};
use trainer::tokenise::TokenizedPair;
use user_model::{RowInit, UserRef, UserTable};

use super::World;
use super::support::{INDIVIDUAL, difference, gradients, users, with_random_adapters};

/// A policy with random adapters and users, and a task on it.
pub struct Start {
    world: World,
    pub scorer: Arc<dyn Scorer>,
    policy: Policy,
    table: UserTable,
    pub prompts: Vec<Example>,
}

impl Start {
    pub fn new(keys: &str) -> Self {
        let world = World::new(keys);
        let model = with_random_adapters(world.training.model.clone(), 3);
        let rows = RowInit::Uniform { range: 0.5 };
        let (users, table) = users(INDIVIDUAL, 2, model.d_model(), rows);
        let items = world.training.train.items.iter().zip(&world.sides.train);
        let prompt = |(item, comparison): (&std::sync::Arc<Item>, &pref_data::Comparison)| {
            let pair = TokenizedPair {
                chosen: Vec::new(),
                rejected: Vec::new(),
                ..item.pair.clone()
            };
            let item = Item {
                text: Some(comparison.clone().into()),
                ..Item::new(pair, item.user.clone())
            };
            Example::new(&item.into(), Some(&table))
        };
        Self {
            prompts: items.map(prompt).collect(),
            policy: Policy::new(model, Some(users)),
            table,
            world,
            scorer: World::scorer(),
        }
    }

    fn task(&self) -> Online {
        let config = &self.world.config;
        let surroundings = Surroundings {
            seed: 7,
            micro_rows: 3,
            formatter: self.world.training.formatter.clone(),
            reference: self.world.training.model.clone(),
            scorer: self.scorer.clone(),
        };
        Online::new(&config.online, &config.objective, true, surroundings).expect("good settings")
    }

    pub fn made(&self, prompts: &[&Example], step: usize) -> Vec<Example> {
        let moment = Moment {
            policy: &self.policy,
            table: Some(&self.table),
            step,
            validates: false,
            progress: &Quiet,
        };
        let made = self.task().made(prompts, moment).expect("samples");
        made.expect("examples of its own")
    }

    pub fn learner(&self, micro_rows: usize) -> Learner<Online> {
        let training = TrainingSection {
            micro_rows,
            ..TrainingSection::default()
        };
        let (policy, table) = (self.policy.clone(), self.table.clone());
        Learner::new(self.task(), policy, Some(table), &training).expect("good settings")
    }
}

/// Hardly two texts are worth the same.
#[derive(Debug)]
struct Bytes;

impl Scorer for Bytes {
    fn rewards(
        &self,
        texts: &[pref_data::Comparison],
        _: Beside<'_>,
        _: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError> {
        let sum = |text: &str| text.bytes().map(u32::from).sum::<u32>() % 101;
        Ok(texts.iter().map(|text| sum(&text.chosen) as f32).collect())
    }

    fn key(&self) -> Result<String, TrainError> {
        Ok("bytes".into())
    }
}

fn sampled(example: &Example) -> &Sampled {
    example.item.sampled.as_ref().expect("samples")
}

const RLOO: &str =
    "[online]\nnum_generations = 3\nmax_new_tokens = 6\nbeta = 0.1\nmissing_eos_penalty = 2.0\n";

#[test]
fn every_branch_writes_for_itself_and_is_scored_for_itself() {
    let start = Start::new(RLOO);
    let two: Vec<&Example> = start.prompts[..2].iter().collect();
    let made = start.made(&two, 0);
    // Three responses are two examples; two prompts in two branches.
    assert_eq!(made.len(), 8);
    let mut weights = BTreeMap::<bool, f64>::new();
    for group in made.chunks(2) {
        let mut advantages = 0.0;
        for example in group {
            let Sampled { branch, samples } = sampled(example);
            let user = match branch {
                Branch::User => example.item.user.clone().map(UserRef::Id),
                Branch::Generic => Some(UserRef::Generic),
            };
            assert_eq!(Some(&example.user), user.as_ref());
            let pair = example.pair();
            for (sample, ids) in samples.iter().zip([&pair.chosen, &pair.rejected]) {
                assert_eq!(&sample.ids, ids);
                assert_eq!(sample.cut, sample.ids.last() != Some(&2));
                // A special token is no word.
                assert!(sample.words <= sample.length());
                assert!(!sample.cut || sample.ids.len() == 6);
                let words = sample.words as f64;
                let expected = match (branch, example.item.user.as_deref()) {
                    (Branch::User, Some("a")) => words,
                    (Branch::User, _) => -words,
                    (Branch::Generic, _) => -(words - 4.0).abs(),
                };
                assert_eq!(sample.reward, expected);
                let penalty = if sample.cut { 2.0 } else { 0.0 };
                assert_eq!(sample.penalised, expected - penalty);
                assert_eq!(sample.policy.len(), sample.ids.len());
                *weights.entry(*branch == Branch::User).or_default() += sample.weight;
                advantages += sample.advantage;
            }
            assert_eq!(pair.rejected.is_empty(), samples.len() == 1);
        }
        assert!(advantages.abs() < 1e-9, "{advantages}");
    }
    for (_, weight) in weights {
        assert!((weight - 0.5).abs() < 1e-9, "{weight}");
    }
}

#[test]
fn draws_depend_on_prompt_user_and_step_and_on_no_company() {
    let start = Start::new(RLOO);
    let all: Vec<&Example> = start.prompts[..4].iter().collect();
    let ids = |made: &[Example]| -> Vec<Vec<u32>> {
        let samples = made.iter().flat_map(|example| &sampled(example).samples);
        samples.map(|sample| sample.ids.clone()).collect()
    };
    let together = ids(&start.made(&all, 5));
    assert_eq!(together, ids(&start.made(&all, 5)));
    assert_ne!(together, ids(&start.made(&all, 6)));
    let alone = ids(&start.made(&all[2..3], 5));
    assert_eq!(alone, together[2 * 6..3 * 6]);
    // One prompt of two users: the generic user, too, writes something else for each.
    assert_ne!(together[3..6], together[9..12]);
}

#[test]
fn log_probs_of_samples_are_those_of_the_policy_and_of_the_reference() {
    let start = Start::new(RLOO);
    let all: Vec<&Example> = start.prompts[..3].iter().collect();
    let made = start.made(&all, 0);
    let dir = tempfile::tempdir().expect("a folder");
    let reference = Reference::new(dir.path(), &start.world.training.model, "base", 4);
    let pairs: Vec<&TokenizedPair> = made.iter().map(Example::pair).collect();
    let known = reference.log_probs(&pairs, &Quiet).expect("log-probs");
    for (example, known) in made.iter().zip(known) {
        for (sample, known) in sampled(example)
            .samples
            .iter()
            .zip([known.chosen, known.rejected])
        {
            let sum: f32 = sample.reference.iter().sum();
            assert!((sum - known).abs() < 1e-4, "{sum} {known}");
            let ratio: f32 = sample.policy.iter().sum::<f32>() - sum;
            assert!((sample.log_ratio() - f64::from(ratio)).abs() < 1e-4);
        }
    }
    // With the policy that wrote them, no ratio is clipped, and the gradient is that of the advantages.
    let learner = start.learner(4);
    let (_, report) = learner.gradients(&made).expect("known users");
    assert!(report.loss.abs() < 1e-5, "{}", report.loss);
}

#[test]
fn gradients_do_not_depend_on_micro_batches_and_mix_by_alpha() {
    for keys in [
        RLOO,
        "[online]\nmethod = \"grpo\"\nnum_generations = 4\nmax_new_tokens = 6\nbeta = 0.1\n",
        "[online]\nmethod = \"dpo\"\nnum_generations = 3\nmax_new_tokens = 6\n",
    ] {
        let of = |alpha: f64, micro_rows: usize| {
            let mut start = Start::new(&format!("{keys}[objective]\nalpha = {alpha}\n"));
            start.scorer = Arc::new(Bytes);
            let some: Vec<&Example> = start.prompts[..3].iter().collect();
            let made = start.made(&some, 0);
            let (_, report) = start
                .learner(micro_rows)
                .gradients(&made)
                .expect("known users");
            (gradients(&start.learner(micro_rows), &made), report.loss)
        };
        let (half, loss) = of(0.25, 16);
        let (alone, again) = of(0.25, 1);
        assert!(difference(&half, &alone) < 1e-4, "{keys}");
        assert!((loss - again).abs() < 1e-5);
        let ((user, _), (generic, _)) = (of(1.0, 16), of(0.0, 16));
        for (name, both) in &half {
            let side =
                |of: &BTreeMap<String, Vec<f32>>, at: usize| of.get(name).map_or(0.0, |g| g[at]);
            let largest = both.iter().fold(0f32, |most, value| most.max(value.abs()));
            for (at, found) in both.iter().enumerate() {
                let expected = 0.25 * side(&user, at) + 0.75 * side(&generic, at);
                assert!(
                    (found - expected).abs() < 1e-4 * largest.max(1e-3),
                    "{keys}: {name}"
                );
            }
        }
    }
}

#[test]
fn the_best_and_the_worst_response_become_a_comparison() {
    let start = Start::new("[online]\nmethod = \"dpo\"\nnum_generations = 4\nmax_new_tokens = 6\n");
    let all: Vec<&Example> = start.prompts[..4].iter().collect();
    let made = start.made(&all, 0);
    assert_eq!(made.len(), 8);
    for example in &made {
        let samples = &sampled(example).samples;
        let rewards: Vec<f64> = samples.iter().map(|sample| sample.penalised).collect();
        let of = |ids: &[u32]| {
            let place = samples.iter().position(|sample| sample.ids == ids);
            rewards[place.expect("a sample")]
        };
        let extreme = |pick: fn(f64, f64) -> f64| rewards.iter().copied().reduce(pick);
        assert_eq!(Some(of(&example.pair().chosen)), extreme(f64::max));
        assert_eq!(Some(of(&example.pair().rejected)), extreme(f64::min));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let reference = Reference::new(dir.path(), &start.world.training.model, "base", 4);
    let pairs: Vec<&TokenizedPair> = made.iter().map(Example::pair).collect();
    for (example, known) in made
        .iter()
        .zip(reference.log_probs(&pairs, &Quiet).expect("log-probs"))
    {
        let found = example.item.reference.get().expect("a reference");
        assert!((found.chosen - known.chosen).abs() < 1e-4);
        assert!((found.rejected - known.rejected).abs() < 1e-4);
    }
}
