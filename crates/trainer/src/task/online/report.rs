//! What is reported of a step and of a validation.

use std::collections::BTreeMap;

use pdpo_loss::{Branch, Personalised, ScoredRow};

use super::{Online, Row, Sample};
use crate::example::Example;
use crate::metrics::Line;

/// What one row did.
#[derive(Clone, Debug, PartialEq)]
pub struct OnlineRow {
    /// Its branch.
    branch: Branch,
    /// Responses that it stands for.
    count: usize,
    /// The sum over these of what is maximised: the reward less the pull towards the reference.
    worth: f64,
    /// What the objective says of the comparison that was made of them (online DPO only).
    scored: Option<ScoredRow>,
}

impl Online {
    /// What is said of a row.
    pub(super) fn report(&self, row: &Row<'_>, scored: Option<ScoredRow>) -> OnlineRow {
        let sampled = row.example.item.sampled.as_deref();
        let samples = sampled.map_or(&[][..], |sampled| &sampled.samples);
        let beta = self.beta();
        let worth = |sample: &Sample| sample.penalised - beta * sample.log_ratio();
        OnlineRow {
            branch: sampled.map_or(row.branch, |sampled| sampled.branch),
            count: samples.len(),
            worth: samples.iter().map(worth).sum(),
            scored,
        }
    }
}

/// Minus what is maximised: the mean of each branch, mixed as they are in training.
pub(super) fn mean_loss(mix: Personalised, reports: &[OnlineRow]) -> f64 {
    let of_branch = |&branch: &Branch| {
        let rows = || reports.iter().filter(|row| row.branch == branch);
        let worth: f64 = rows().map(|row| row.worth).sum();
        let count: usize = rows().map(|row| row.count).sum();
        mix.weight(branch, 1) * worth / count.max(1) as f64
    };
    -mix.branches().iter().map(of_branch).sum::<f64>()
}

/// Sums over some responses.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: f64,
    reward: f64,
    log_ratio: f64,
    length: f64,
    words: f64,
    cut: f64,
    empty: f64,
}

impl Tally {
    fn add(&mut self, sample: &Sample) {
        let is = |what: bool| f64::from(u8::from(what));
        self.count += 1.0;
        self.reward += sample.reward;
        self.log_ratio += sample.log_ratio();
        self.length += sample.length() as f64;
        self.words += sample.words as f64;
        self.cut += is(sample.cut);
        self.empty += is(sample.words == 0);
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.count.max(1.0)
    }
}

/// Fills a line: means over the responses of the users' branch, of the generic one where there is no other; in a validation each user's
/// as well, `""` being the generic user.
pub(super) fn describe(line: &mut Line, rows: &[(&Example, &OnlineRow)]) {
    let has_users = rows.iter().any(|(_, row)| row.branch == Branch::User);
    let shown = match has_users {
        true => Branch::User,
        false => Branch::Generic,
    };
    let (mut all, mut by_user) = (Tally::default(), BTreeMap::<String, Tally>::new());
    for (example, row) in rows {
        let owner = match row.branch {
            Branch::User => example.item.user.clone().unwrap_or_default(),
            Branch::Generic => String::new(),
        };
        let samples = example.item.sampled.iter().flat_map(|s| &s.samples);
        for sample in samples {
            by_user.entry(owner.clone()).or_default().add(sample);
            if row.branch == shown {
                all.add(sample);
            }
        }
    }
    let compared: Option<Vec<(&Example, &ScoredRow)>> = rows
        .iter()
        .filter(|(_, row)| row.branch == shown)
        .map(|(example, row)| Some((*example, row.scored.as_ref()?)))
        .collect();
    if let Some(compared) = compared {
        line.describe_preferences(&compared);
    }
    line.reward = Some(all.mean(all.reward));
    line.kl = Some(all.mean(all.log_ratio));
    line.mean_length = Some(all.mean(all.length));
    line.cut_ratio = Some(all.mean(all.cut));
    line.empty_ratio = Some(all.mean(all.empty));
    if line.split == "validation" {
        let each = |of: fn(&Tally) -> f64| {
            let users = by_user.iter();
            let means = users.map(|(user, tally)| (user.clone(), tally.mean(of(tally))));
            means.collect()
        };
        line.reward_by_user = each(|tally| tally.reward);
        line.words_by_user = each(|tally| tally.words);
        line.empty_by_user = each(|tally| tally.empty);
        line.kl_by_user = each(|tally| tally.log_ratio);
    }
}
