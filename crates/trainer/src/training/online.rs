//! The run on what the policy writes itself.

use std::collections::HashSet;
use std::sync::Arc;

use pref_data::Comparison;
use user_model::UserTable;

use super::{Place, Training};
use crate::config::Config;
use crate::dataset::Dataset;
use crate::error::TrainError;
use crate::estimate;
use crate::example::{Example, Item};
use crate::scorer::Scorer;
use crate::session::Session;
use crate::sides::Sides;
use crate::task::{Online, Preference, Surroundings};
use crate::tokenise::TokenizedPair;

/// Groups of responses that an online run has scored, each of `online.num_generations` to one prompt in one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoredGroups {
    /// Optimiser steps.
    pub steps: usize,
    /// In all steps.
    pub training: usize,
    /// In all validations.
    pub validation: usize,
}

impl Training {
    /// The run of adapters and user model on responses that the policy writes to the prompts of both sides, and `scorer` scores
    /// (policy optimisation; without users in the configuration, the same for everybody). `sides` are those that this was made of.
    ///
    /// # Errors
    /// As [`Session::new`], a longest response that leaves no room, or a loss that cannot be learnt from such responses.
    pub fn online(
        &self,
        place: Place,
        sides: &Sides,
        scorer: Arc<dyn Scorer>,
    ) -> Result<Session<Online>, TrainError> {
        let Config {
            users,
            lora,
            objective,
            online,
            training,
            seed,
            ..
        } = &self.config;
        let model = self.model.clone();
        let start = (self.train).start_policy(model, lora, users.as_ref(), *seed)?;
        let surroundings = Surroundings {
            seed: *seed,
            micro_rows: training.micro_rows,
            formatter: self.formatter.clone(),
            reference: self.model.clone(),
            scorer,
        };
        let task = Online::new(online, objective, users.is_some(), surroundings)?;
        let table = start.1.as_ref();
        let train = prompts(&self.train, &sides.train, table);
        let validation = self.validation.as_ref();
        let validation = validation.map(|validation| prompts(validation, &sides.validation, table));
        let data = (train, validation.unwrap_or_default());
        self.validate_room()?;
        self.session_of(task, start, ("training", training.clone()), (place, data))
    }

    /// Refuses an objective that cannot be learnt from the policy's own responses, responses that do not fit the model's context, and adapters
    /// and users that it has no place for, before a run begins.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate_online(&self) -> Result<(), TrainError> {
        let Config {
            online,
            objective,
            users,
            ..
        } = &self.config;
        Online::preference(online, objective, users.is_some())?;
        self.validate_room()?;
        self.tried_policy(users.as_ref()).map(drop)
    }

    /// Prompts that an online run on `sides`, those that this was made of, has in training and for validation: one of two users is two.
    pub fn prompts(&self, sides: &Sides) -> [usize; 2] {
        let count = |side, comparisons: &[Comparison]| prompts(side, comparisons, None).len();
        let held_out = self.validation.as_ref();
        [
            count(&self.train, &sides.train),
            held_out.map_or(0, |side| count(side, &sides.validation)),
        ]
    }

    /// How much an online run on `sides`, those that this was made of, has scored.
    ///
    /// # Errors
    /// An objective out of range.
    pub fn scored_groups(&self, sides: &Sides) -> Result<ScoredGroups, TrainError> {
        let Config {
            users,
            objective,
            training,
            ..
        } = &self.config;
        let task = Preference::from_config(objective, users.is_some(), None)?;
        let branches = task.objective().mix().branches().len();
        let [train, held_out] = self.prompts(sides);
        let steps = training.total_steps(train);
        let per_epoch = train.div_ceil(training.batch.max(1)).max(1);
        let partial = (steps % per_epoch) * training.batch;
        let validations = estimate::validations(training, steps, held_out);
        Ok(ScoredGroups {
            steps,
            training: branches * (steps / per_epoch * train + partial.min(train)),
            validation: branches * (validations * held_out as f64).round() as usize,
        })
    }

    /// Refuses responses that do not fit the model's context behind some prompt.
    fn validate_room(&self) -> Result<(), TrainError> {
        let online = &self.config.online;
        let positions = self.model.config().max_positions();
        let items = self.datasets().flat_map(|side| &side.items);
        let longest = items.map(|item| item.pair.prompt.ids.len()).max();
        let taken = self.formatter.user_tokens() + longest.unwrap_or(0);
        let most = online.most_tokens();
        match taken + most > positions {
            true => Err(TrainError::config(
                "online.max_new_tokens",
                most,
                format!(
                    "at most {}: the model's context has {positions} tokens, the longest prompt takes {taken}; or lower prompt.max_prompt_length",
                    positions.saturating_sub(taken)
                ),
            )),
            false => Ok(()),
        }
    }
}

/// Every prompt of every user once, as an example without responses. `comparisons` are what the items were made of.
fn prompts(
    dataset: &Dataset,
    comparisons: &[Comparison],
    table: Option<&UserTable>,
) -> Vec<Example> {
    let mut seen = HashSet::new();
    let mut examples = Vec::new();
    for (item, comparison) in dataset.items.iter().zip(comparisons) {
        if !seen.insert((&item.user, &item.pair.prompt)) {
            continue;
        }
        let pair = TokenizedPair {
            prompt: item.pair.prompt.clone(),
            chosen: Vec::new(),
            rejected: Vec::new(),
            response_cut: false,
        };
        let asked = Arc::new(Item {
            prompt: item.prompt,
            group: item.group.clone(),
            text: Some(Arc::new(asked_of(comparison))),
            ..Item::new(pair, item.user.clone())
        });
        examples.push(Example::new(&asked, table));
    }
    examples
}

/// A comparison without what was answered.
fn asked_of(comparison: &Comparison) -> Comparison {
    let mut asked = comparison.clone();
    asked.chosen.clear();
    asked.rejected.clear();
    asked
}
