//! The best of several responses by a reward model (best-of-N, one use of P-RM).

use std::path::{Path, PathBuf};

use clap::Args;
use terminal::Bars;
use trainer::TrainError;
use trainer::inference::{self, Job, Response, RewardModel};
use trainer::pref_data::Comparison;
use trainer::scorer::{Beside, Scorer};
use trainer::tokenise::SpecialTokens;
use trainer::user_model::UserRef;

use crate::score;
use crate::trained::TrainedArgs;

/// Flags that ask for the best of several responses.
#[derive(Args, Debug)]
#[command(next_help_heading = "Best of several")]
pub struct BestOfArgs {
    /// Sample so many responses to each prompt, and keep the one that --reward ranks first.
    #[arg(long, value_name = "N", requires = "reward")]
    pub best_of: Option<usize>,
    /// The folder of a reward run, as of `prlhf train --mode reward`.
    #[arg(long, value_name = "DIR", requires = "best_of")]
    pub reward: Option<PathBuf>,
}

/// A reward model, and from among how many responses it chooses.
pub struct BestOf {
    model: RewardModel,
    count: usize,
}

/// The response that was chosen.
pub struct Chosen {
    /// The response.
    pub response: Response,
    /// Rewards of all, in the order in which they were sampled.
    pub rewards: Vec<f32>,
    /// The best of these.
    pub reward: f32,
    /// Its tokens less the mean of all.
    longer: f64,
    /// Whether another text has the same reward.
    tied: bool,
}

impl BestOf {
    /// Opens the reward model; none where nothing was asked for. What was typed is text, if `typed`.
    ///
    /// # Errors
    /// Fewer than two responses to choose from, greedy decoding, which writes one, or adapters that are no reward model's.
    pub fn open(
        args: &BestOfArgs,
        (greedy, typed): (bool, bool),
        device: &str,
    ) -> Result<Option<Self>, TrainError> {
        let (Some(count), Some(reward)) = (args.best_of, &args.reward) else {
            return Ok(None);
        };
        if count < 2 {
            let problem = format!("--best-of is {count}, expected 2 or more");
            return Err(TrainError::Usage(problem));
        }
        if greedy {
            let problem = "--best-of chooses among samples, and greedy decoding has one: leave out --greedy, or sampling.greedy";
            return Err(TrainError::Usage(problem.into()));
        }
        let mut model = open_reward(reward, device)?;
        if typed {
            model = model.with_special_tokens(SpecialTokens::Text);
        }
        Ok(Some(Self { model, count }))
    }

    /// Refuses users whom the reward model does not know; where it knows none, everybody is the generic user to it.
    ///
    /// # Errors
    /// Names the user, with near matches.
    pub fn validate(&self, jobs: &[Job]) -> Result<(), TrainError> {
        let engine = self.model.engine();
        if engine.table().is_none() {
            tracing::warn!("the reward model knows no users: it ranks alike for everybody");
            return Ok(());
        }
        for job in jobs {
            if let UserRef::Id(id) = &job.user {
                engine.user(id)?;
            }
        }
        Ok(())
    }

    /// Every job as often as there are responses to choose from, by seeds that follow each other.
    pub fn samples(&self, jobs: &[Job]) -> Vec<Job> {
        let seeds = 0..self.count as u64;
        let of_job = |job: &Job| {
            let with_seed = |more| {
                let mut job = job.clone();
                job.sampling.seed = job.sampling.seed.wrapping_add(more);
                job
            };
            seeds.clone().map(with_seed).collect::<Vec<_>>()
        };
        jobs.iter().flat_map(of_job).collect()
    }

    /// The best response of each job, of what was written for [`samples`](Self::samples).
    ///
    /// # Errors
    /// As [`Scorer::rewards`].
    pub fn choose(
        &self,
        samples: &[Job],
        responses: Vec<Response>,
    ) -> Result<Vec<Chosen>, TrainError> {
        let texts = samples.iter().zip(&responses);
        let texts: Vec<Comparison> = texts
            .map(|(job, response)| job.text(&response.text))
            .collect();
        let group = Beside::Group(self.count);
        let rewards = self.model.rewards(&texts, group, &Bars::default())?;
        let each = responses.chunks(self.count).zip(rewards.chunks(self.count));
        let chosen: Vec<Chosen> = each.filter_map(|(of, rewards)| best(of, rewards)).collect();
        tell(&chosen);
        Ok(chosen)
    }
}

/// The reward model that `--reward` names, the folder of a run.
///
/// # Errors
/// Files that cannot be read, or adapters that are no reward model's, by the flag.
pub fn open_reward(run: &Path, device: &str) -> Result<RewardModel, TrainError> {
    let of_run = TrainedArgs {
        run: Some(run.into()),
        adapters: None,
        model: None,
        config: None,
        set: Vec::new(),
        device: device.into(),
    };
    let named = |error| TrainError::Usage(format!("--reward {}: {error}", run.display()));
    score::open(&of_run).map_err(named)
}

/// The first of the responses with the highest reward.
fn best(responses: &[Response], rewards: &[f32]) -> Option<Chosen> {
    let at = inference::best(rewards)?;
    let response = responses.get(at)?.clone();
    let all: usize = responses.iter().map(|response| response.tokens.len()).sum();
    let mut others = responses.iter().zip(rewards);
    Some(Chosen {
        longer: response.tokens.len() as f64 - all as f64 / responses.len() as f64,
        tied: others.any(|(other, &reward)| reward == rewards[at] && other.text != response.text),
        reward: rewards[at],
        rewards: rewards.to_vec(),
        response,
    })
}

/// Says how often the choice was open, and whether the chosen responses are longer than what they were chosen from.
fn tell(chosen: &[Chosen]) {
    let tied = chosen.iter().filter(|chosen| chosen.tied).count();
    let longer: f64 = chosen.iter().map(|chosen| chosen.longer).sum();
    let mean = longer / chosen.len().max(1) as f64;
    let (side, by) = match mean < 0.0 {
        true => ("shorter", -mean),
        false => ("longer", mean),
    };
    let ties = match tied {
        0 => "no ties".into(),
        some => format!(
            "{some} of {} prompts with a tie of different texts, of which the first is kept",
            chosen.len()
        ),
    };
    tracing::info!(
        "the chosen responses are {by:.1} tokens {side} than the mean of what they were chosen from; {ties}"
    );
}

#[cfg(test)]
mod tests {
    use trainer::llm_backbone::generate::End;

    use super::*;

    fn responses(texts: &[&str]) -> Vec<Response> {
        let response = |text: &&str| Response {
            text: (*text).into(),
            tokens: vec![3; text.len()],
            log_probs: Vec::new(),
            end: End::Length,
        };
        texts.iter().map(response).collect()
    }

    #[test]
    fn the_first_of_the_best_is_kept() {
        let three = responses(&["a", "bbb", "cc"]);
        let chosen = best(&three, &[0.5, 2.0, 2.0]).unwrap();
        assert_eq!((&*chosen.response.text, chosen.reward), ("bbb", 2.0));
        assert!(chosen.tied);
        // Three tokens, where the mean is two.
        assert_eq!(chosen.longer, 1.0);
        let chosen = best(&three, &[-1.0, -3.0, -2.0]).unwrap();
        assert_eq!((&*chosen.response.text, chosen.longer), ("a", -1.0));
        assert!(!chosen.tied);
    }

    #[test]
    fn equal_texts_are_no_tie() {
        let chosen = best(&responses(&["a", "a", "b"]), &[1.0, 1.0, 0.0]).unwrap();
        assert!(!chosen.tied);
    }
}
