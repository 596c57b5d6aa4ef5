//! Seen and unseen users, training and test dialogues (reference 4.3, step 4).

use std::collections::{BTreeMap, BTreeSet};

use crate::comparison::UserId;
use crate::error::SplitError;
use crate::hash;
use crate::split::Part;

/// A user gives a dialogue to validation only if so many are left to train on.
const LEFT_TO_TRAIN: usize = 2;

/// Which share of users is seen, and which of their dialogues are trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitOptions {
    /// Of both shuffles.
    pub seed: u64,
    /// Share of users that are seen, rounded down; those of them with a single dialogue are unseen all the same.
    pub seen_share: f64,
    /// Share of a seen user's dialogues that are not for test, rounded down, at least one.
    pub train_share: f64,
    /// Share of the training dialogues that go to validation instead, rounded. They are taken from users with three or
    /// more, who keep two at least.
    pub validation_share: f64,
}

impl Default for SplitOptions {
    /// The paper's shares; validation, which the paper does not have, is a tenth of training.
    fn default() -> Self {
        Self {
            seed: 0,
            seen_share: 0.9,
            train_share: 0.9,
            validation_share: 0.1,
        }
    }
}

impl SplitOptions {
    /// Refuses shares that are none.
    fn validate(&self) -> Result<(), SplitError> {
        for (name, found) in [
            ("seen_share", self.seen_share),
            ("train_share", self.train_share),
            ("validation_share", self.validation_share),
        ] {
            if !(0.0..=1.0).contains(&found) {
                return Err(SplitError::Share { name, found });
            }
        }
        Ok(())
    }
}

/// Who is seen, and where every dialogue goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DialogueSplit {
    /// Users with training dialogues.
    pub seen: BTreeSet<UserId>,
    /// All others; all their dialogues are for test.
    pub unseen: BTreeSet<UserId>,
    /// The part of every dialogue.
    pub parts: BTreeMap<String, Part>,
}

/// Splits users, then their dialogues. A pure function of the set of pairs: neither their order nor repetitions matter, and
/// a user's dialogues are shuffled alike whoever else is there.
///
/// # Errors
/// [`SplitError::Share`] for a share outside 0 to 1, [`SplitError::TwoUsers`] for a dialogue with two users,
/// [`SplitError::NoSeenUser`] if nobody is seen.
pub(super) fn split_dialogues<'a>(
    pairs: impl IntoIterator<Item = (&'a UserId, &'a str)>,
    options: &SplitOptions,
) -> Result<DialogueSplit, SplitError> {
    options.validate()?;
    let users = by_user(pairs)?;
    let mut order: Vec<&UserId> = users.keys().copied().collect();
    order.sort_by_cached_key(|user| (hash::rank("prism user", options.seed, user.as_str()), *user));
    let first = share_of(options.seen_share, order.len());
    let mut split = DialogueSplit::default();
    let mut training: Vec<Vec<&str>> = Vec::new();
    for (place, user) in order.into_iter().enumerate() {
        let dialogues = shuffled(&users[user], options.seed);
        let seen = place < first && dialogues.len() > 1;
        let train = if seen {
            share_of(options.train_share, dialogues.len()).max(1)
        } else {
            0
        };
        let (train, test) = dialogues.split_at(train);
        put(&mut split.parts, test, Part::Test);
        put(&mut split.parts, train, Part::Train);
        if seen {
            split.seen.insert(user.clone());
            training.push(train.to_vec());
        } else {
            split.unseen.insert(user.clone());
        }
    }
    if split.seen.is_empty() {
        let users = split.unseen.len();
        return Err(SplitError::NoSeenUser { users });
    }
    hold_out(&mut split.parts, &training, options);
    Ok(split)
}

type ByUser<'a> = BTreeMap<&'a UserId, BTreeSet<&'a str>>;

fn by_user<'a>(
    pairs: impl IntoIterator<Item = (&'a UserId, &'a str)>,
) -> Result<ByUser<'a>, SplitError> {
    let mut users = ByUser::new();
    let mut owners: BTreeMap<&str, &UserId> = BTreeMap::new();
    for (user, dialogue) in pairs {
        let owner = *owners.entry(dialogue).or_insert(user);
        if owner != user {
            return Err(SplitError::TwoUsers {
                dialogue: dialogue.to_owned(),
                first: owner.clone(),
                second: user.clone(),
            });
        }
        users.entry(user).or_default().insert(dialogue);
    }
    Ok(users)
}

/// Rounded down, but not because of an inexact product.
fn share_of(share: f64, count: usize) -> usize {
    const INEXACT: f64 = 1e-9;
    ((share * count as f64 + INEXACT).floor() as usize).min(count)
}

fn shuffled<'a>(dialogues: &BTreeSet<&'a str>, seed: u64) -> Vec<&'a str> {
    let mut order: Vec<&str> = dialogues.iter().copied().collect();
    order.sort_by_cached_key(|name| (hash::rank("prism dialogue", seed, name), *name));
    order
}

fn put(parts: &mut BTreeMap<String, Part>, dialogues: &[&str], part: Part) {
    parts.extend(dialogues.iter().map(|name| ((*name).to_owned(), part)));
}

/// Moves training dialogues to validation, in random order.
fn hold_out(parts: &mut BTreeMap<String, Part>, training: &[Vec<&str>], options: &SplitOptions) {
    let total: usize = training.iter().map(Vec::len).sum();
    let wanted = (options.validation_share * total as f64).round() as usize;
    let mut candidates: Vec<&str> = training
        .iter()
        .flat_map(|dialogues| dialogues.iter().skip(LEFT_TO_TRAIN))
        .copied()
        .collect();
    candidates
        .sort_by_cached_key(|name| (hash::rank("prism validation", options.seed, name), *name));
    candidates.truncate(wanted);
    put(parts, &candidates, Part::Validation);
}

#[cfg(test)]
mod tests;
