//! A judge as a scorer: a response is worth its share of wins.

use std::sync::{Arc, Mutex, PoisonError};

use judge::{Item, JudgeClient, JudgeError, Outcome, PromptFile, Verdict, judge_all};
use sha2::{Digest, Sha256};
use trainer::TrainError;
use trainer::pref_data::{Comparison, UserId};
use trainer::progress::Progress;
use trainer::scorer::{Beside, Effort, Scorer};

use super::{Judge, Known};

/// So many answers without any verdict are no chance: the judge, or its words, are not what they should be.
const FEW: usize = 8;

/// A judge that compares the responses of a group with each other, or with those of the base model.
#[derive(Debug)]
pub struct JudgeScorer {
    judge: Judge,
    words: PromptFile,
    known: Known,
    key: String,
    /// Made at the first question: its folder may lie in that of a run that has not begun.
    client: Mutex<Option<Arc<JudgeClient>>>,
    tallies: Mutex<Tallies>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tallies {
    /// Not told yet.
    since: Effort,
    all: Effort,
    /// Answers without a verdict.
    unread: u64,
    /// Such answers since the last one with a verdict.
    unread_in_a_row: usize,
}

impl JudgeScorer {
    /// A judge of responses for the users of these comparisons; `personal` where something is learnt of users.
    ///
    /// # Errors
    /// Words that cannot be read.
    pub fn new(
        judge: Judge,
        comparisons: &[Comparison],
        personal: bool,
    ) -> Result<Self, TrainError> {
        let (text, words) = judge.words()?;
        let known = Known::new(comparisons, judge.manners.examples, personal);
        let config = &judge.config;
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(text));
        known.hash(&mut hash);
        let orders = match judge.manners.both_orders {
            true => "both orders",
            false => "one order",
        };
        let temperature = config.temperature.map_or("none".into(), |t| t.to_string());
        let key = format!(
            "judge {}, temperature {temperature}, {} tokens, {orders}, {} examples, words and comparisons {:.16}",
            config.model,
            config.max_tokens,
            judge.manners.examples,
            format!("{:x}", hash.finalize())
        );
        Ok(Self {
            judge,
            words,
            known,
            key,
            client: Mutex::default(),
            tallies: Mutex::default(),
        })
    }

    /// What it all took so far, in a sentence.
    pub fn summary(&self) -> String {
        let Tallies { all, unread, .. } = *self.tallies();
        let Effort { calls, cached } = all;
        format!(
            "{calls} calls, {cached} answers kept from before, {unread} without a verdict, which count as ties"
        )
    }

    fn tallies(&self) -> std::sync::MutexGuard<'_, Tallies> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> Result<Arc<JudgeClient>, TrainError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let made = JudgeClient::new(self.judge.config.clone()).map_err(unscored)?;
        Ok(Arc::clone(client.insert(Arc::new(made))))
    }

    fn item(&self, text: &Comparison, theirs: &str) -> Item {
        let ours = &text.chosen;
        let user = text.user.as_ref().map(UserId::as_str).unwrap_or_default();
        let both = Sha256::digest(format!("{} {ours}{theirs}", ours.len()));
        Item {
            id: format!("{} {:.8}", text.source, format!("{both:x}")),
            user: user.into(),
            fields: self.known.fields(text),
            ours: ours.clone(),
            theirs: theirs.into(),
        }
    }

    /// What our side of every item wins: 1, 0, or a half.
    fn wins(&self, items: &[Item], progress: &dyn Progress) -> Result<Vec<f32>, TrainError> {
        let client = self.client()?;
        let mut go_on = |done, all| {
            progress.report("judging", done, all);
            !progress.stopped()
        };
        let position = self.judge.position();
        let outcome = judge_all(&client, &self.words, items, position, &mut go_on);
        let outcome = outcome.map_err(unscored)?;
        self.count(&outcome);
        if progress.stopped() {
            return Err(TrainError::Stopped);
        }
        if let Some(error) = outcome.stopped {
            return Err(unscored(error));
        }
        if let Some(first) = outcome.unjudged.first() {
            let (some, all, reason) = (outcome.unjudged.len(), items.len(), &first.reason);
            return Err(problem(format!(
                "{some} of {all} comparisons were not judged: {reason}"
            )));
        }
        self.look_at_unread(&outcome)?;
        let win = |verdict: &Option<Verdict>| match verdict {
            Some(Verdict::Win) => 1.0,
            Some(Verdict::Loss) => 0.0,
            Some(Verdict::Tie) | None => 0.5,
        };
        Ok(outcome.verdicts.iter().map(win).collect())
    }

    fn count(&self, outcome: &Outcome) {
        let mut tallies = self.tallies();
        let Tallies {
            since, all, unread, ..
        } = &mut *tallies;
        for effort in [since, all] {
            effort.calls += outcome.calls;
            effort.cached += outcome.cached as u64;
        }
        *unread += outcome.unparsable.len() as u64;
        tallies.unread_in_a_row = match read(outcome) {
            0 => tallies.unread_in_a_row + outcome.unparsable.len(),
            _ => 0,
        };
    }

    /// Warns of the first answers without a verdict, and refuses to go on after too many without one that has a verdict.
    fn look_at_unread(&self, outcome: &Outcome) -> Result<(), TrainError> {
        let Some(first) = outcome.unparsable.first() else {
            return Ok(());
        };
        let unread = outcome.unparsable.len();
        let cut = match first.cut {
            true => "; it was cut at judge.max_tokens",
            false => "",
        };
        let answer: String = first.answer.chars().take(200).collect();
        let told = format!(
            "{unread} of {} answers hold no verdict, the first: {answer:?}{cut}",
            unread + read(outcome)
        );
        let tallies = *self.tallies();
        if tallies.unread_in_a_row >= FEW {
            let kept = self.judge.config.cache_dir.as_ref();
            let kept = kept.map_or_else(String::new, |dir| {
                let dir = dir.display();
                format!("; only answers with a verdict are kept, in {dir}")
            });
            let count = tallies.unread_in_a_row;
            return Err(problem(format!(
                "{told}; {count} answers in a row hold none{kept}"
            )));
        }
        if tallies.unread == unread as u64 {
            tracing::warn!(
                "the judge: {told}; such answers count as ties, and are counted at the end"
            );
        }
        Ok(())
    }
}

impl Scorer for JudgeScorer {
    fn rewards(
        &self,
        texts: &[Comparison],
        beside: Beside<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError> {
        let mut items = Vec::new();
        let size = match beside {
            Beside::Base(others) => {
                let pairs = texts.iter().zip(others);
                items.extend(pairs.map(|(text, other)| self.item(text, other)));
                return self.wins(&items, progress);
            }
            Beside::Group(size) => size.max(1),
        };
        let mut places = Vec::new();
        for (start, group) in texts.chunks(size).enumerate() {
            for (one, text) in group.iter().enumerate() {
                for (other, beside) in group.iter().enumerate().skip(one + 1) {
                    items.push(self.item(text, &beside.chosen));
                    places.push([one, other].map(|at| start * size + at));
                }
            }
        }
        let mut sums = vec![0.0; texts.len()];
        for (win, [one, other]) in self.wins(&items, progress)?.into_iter().zip(places) {
            sums[one] += win;
            sums[other] += 1.0 - win;
        }
        let others = size.saturating_sub(1).max(1) as f32;
        Ok(sums.into_iter().map(|sum: f32| sum / others).collect())
    }

    fn compares(&self) -> bool {
        true
    }

    fn key(&self) -> Result<String, TrainError> {
        Ok(self.key.clone())
    }

    fn knows(&self, user: &str) -> bool {
        self.known.has_examples(user)
    }

    fn effort(&self) -> Option<Effort> {
        Some(std::mem::take(&mut self.tallies().since))
    }
}

/// Answers with a verdict.
fn read(outcome: &Outcome) -> usize {
    let places = &outcome.places;
    (places.first + places.second + places.tie) as usize
}

fn unscored(error: JudgeError) -> TrainError {
    problem(error.to_string())
}

fn problem(what: String) -> TrainError {
    TrainError::Unscored {
        problem: format!("the judge: {what}"),
        saved: None,
    }
}

#[cfg(test)]
#[allow(dead_code, reason = "of the judge's own tests, which use all of it")]
#[path = "../../../judge/tests/it/stub.rs"]
mod stub;

#[cfg(test)]
mod tests {
    use trainer::pref_data::{Place, Prompt};
    use trainer::progress::Quiet;

    use super::stub::{Reply, Request, Stub, says};
    use super::*;
    use crate::judge::Manners;

    fn text(user: Option<&str>, response: &str) -> Comparison {
        let about = |user: &str| format!("I like it {user}.");
        Comparison {
            user: user.map(UserId::from),
            user_text: user.map(about),
            prompt: Prompt::from("Why?"),
            template: Default::default(),
            chosen: response.into(),
            rejected: String::new(),
            thumb: None,
            source: "p".into(),
            place: Place::default(),
            group: None,
        }
    }

    /// For whom it likes short or long, by length; else what is shown first.
    fn by_length(request: &Request) -> Reply {
        let system = request.body["messages"][0]["content"].as_str().unwrap();
        let question = request.question();
        let length = |name: &str| {
            let (_, rest) = question.split_once(&format!("<{name}>\n")).unwrap();
            rest.find(&format!("\n</{name}>")).unwrap()
        };
        let [a, b] = ["Output (a)", "Output (b)"].map(length);
        let a_wins = match () {
            () if system.contains("like it short") => a < b,
            () if system.contains("like it long") => a > b,
            () => true,
        };
        says(match a_wins {
            true => "Verdict: Output (a)",
            false => "Verdict: Output (b)",
        })
    }

    fn scorer(stub: &Stub, manners: Manners) -> JudgeScorer {
        let config = stub.config();
        JudgeScorer::new(Judge { config, manners }, &[], true).unwrap()
    }

    #[test]
    fn a_response_is_worth_its_share_of_wins_for_its_user() {
        let stub = Stub::start(|request, _| by_length(request));
        let scorer = scorer(&stub, Manners::default());
        let three = |user| ["bbb", "a", "cc"].map(|response| text(user, response));
        let texts = [three(Some("short")), three(Some("long")), three(None)].concat();
        let rewards = scorer.rewards(&texts, Beside::Group(3), &Quiet).unwrap();
        // Wins of two others; whoever is nobody in particular has verdicts that differ between the orders.
        assert_eq!(rewards, [0.0, 1.0, 0.5, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5]);
        // Three pairs of each of three, in two orders.
        let effort = Effort {
            calls: 18,
            cached: 0,
        };
        assert_eq!((stub.count(), scorer.effort()), (18, Some(effort)));
        assert_eq!(scorer.effort(), Some(Effort::default()));
        let base = ["bb", "bb", "cc"].map(String::from);
        let rewards = scorer
            .rewards(&texts[..3], Beside::Base(&base), &Quiet)
            .unwrap();
        // The third is the same text, for which nobody is asked.
        assert_eq!(rewards, [0.0, 1.0, 0.5]);
        assert_eq!(stub.count(), 18 + 4);
    }

    #[test]
    fn what_was_answered_before_is_not_asked_again() {
        let stub = Stub::start(|request, _| by_length(request));
        let folder = tempfile::tempdir().unwrap();
        let texts = ["a", "bb"].map(|response| text(Some("short"), response));
        for (calls, cached) in [(1, 0), (0, 1)] {
            let manners = Manners {
                both_orders: false,
                ..Manners::default()
            };
            let scorer = scorer(&stub, manners);
            let judge = scorer.judge.clone().kept_in(folder.path());
            let scorer = JudgeScorer { judge, ..scorer };
            let rewards = scorer.rewards(&texts, Beside::Group(2), &Quiet).unwrap();
            assert_eq!(rewards, [1.0, 0.0]);
            assert_eq!(scorer.effort(), Some(Effort { calls, cached }));
        }
    }

    #[test]
    fn another_judge_or_another_way_of_asking_has_another_key() {
        let stub = Stub::start(|request, _| by_length(request));
        let key = |manners: Manners| scorer(&stub, manners).key().unwrap();
        let plain = key(Manners::default());
        assert_eq!(plain, key(Manners::default()));
        assert!(
            plain.starts_with(
                "judge stub-model, temperature 0, 1024 tokens, both orders, 4 examples, "
            ),
            "{plain}"
        );
        let coin = Manners {
            both_orders: false,
            ..Manners::default()
        };
        assert_ne!(plain, key(coin));
        let untold = Manners {
            examples: 0,
            ..Manners::default()
        };
        assert_ne!(plain, key(untold));
    }
}
