//! A user's answers in the prompt: each is shown as its prompt with the response that the user preferred, as the model was trained to
//! write, and the prompt to be answered comes last.

use burn::tensor::Tensor;
use llm_backbone::ModelInput;

use super::against_plain;
use crate::error::TrainError;
use crate::example::Example;
use crate::host::host;
use crate::inference::Engine;
use crate::pack::PackedBatch;
use crate::progress::Progress;
use crate::task::Task;
use crate::tokenise::{TokenizedPair, TokenizedPrompt};

/// Which answers a test is shown, in the order in which they stand in the prompt.
pub type Shown = Vec<usize>;

/// A user's tests, and the answers that may stand in their prompts.
#[derive(Debug)]
pub struct InPrompt<'a> {
    tests: &'a [Example],
    answers: Vec<&'a TokenizedPair>,
    shots: Vec<Vec<u32>>,
    most: usize,
}

impl<'a> InPrompt<'a> {
    /// Tests and answers for a policy that reads at most `most` tokens, those of the user, the answers, the prompt and the response
    /// together; or as many as the model's context has. Answers that prefer no response, thumbs down, are not shown.
    pub fn new(engine: &Engine, tests: &'a [Example], answers: &'a [Example], most: usize) -> Self {
        let answers = answers.iter().map(Example::pair);
        let answers: Vec<&TokenizedPair> = answers.filter(|pair| !pair.chosen.is_empty()).collect();
        let policy = engine.policy();
        let most = most.min(policy.model.config().max_positions());
        Self {
            tests,
            shots: answers.iter().map(|pair| shot(pair)).collect(),
            answers,
            most: most.saturating_sub(policy.user_tokens()),
        }
    }

    /// How many answers may be shown.
    pub fn answers(&self) -> usize {
        self.answers.len()
    }

    /// Of each test the first of the first `count` answers, as many as fit.
    pub fn first(&self, count: usize) -> Vec<Shown> {
        let count = count.min(self.answers.len());
        let of_test = |test: &Example| fitting(0..count, &self.shots, self.room(test));
        self.tests.iter().map(of_test).collect()
    }

    /// Of each test those of the first `count` answers that are most alike, as many as fit; the most alike of all stands last.
    /// `likeness` is that of [`likeness`](Self::likeness).
    pub fn nearest(&self, likeness: &[Vec<f64>], count: usize) -> Vec<Shown> {
        let count = count.min(self.answers.len());
        let tests = self.tests.iter().zip(likeness);
        let of_test = |(test, likeness): (&Example, &Vec<f64>)| {
            nearest(&likeness[..count], &self.shots, self.room(test))
        };
        tests.map(of_test).collect()
    }

    /// The tests behind the answers that each is shown; the reference log-probs are those without answers.
    ///
    /// # Errors
    /// As [`against_plain`].
    pub fn examples<T: Task>(
        &self,
        task: &T,
        shown: &[Shown],
        progress: &dyn Progress,
    ) -> Result<Vec<Example>, TrainError> {
        let pairs = self.tests.iter().zip(shown);
        let pairs = pairs.map(|(test, shown)| with_shots(test.pair(), &self.shots, shown));
        against_plain(task, self.tests, pairs, progress)
    }

    /// The cosine between what the model makes of each test's prompt and of each answer's, `[tests][answers]`.
    ///
    /// # Errors
    /// [`TrainError::Stopped`], or a device that fails.
    pub fn likeness(
        &self,
        engine: &Engine,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        const WHAT: &str = "likeness of prompts";
        let all = self.answers.len() + self.tests.len();
        let mut done = 0;
        let mut meaning = |prompt: &TokenizedPrompt| {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            let meaning = meaning(engine, prompt);
            done += 1;
            progress.report(WHAT, done, all);
            meaning
        };
        let answers = self.answers.iter().map(|pair| meaning(&pair.prompt));
        let answers: Vec<Vec<f64>> = answers.collect::<Result<_, _>>()?;
        let of_test = |test: &Example| {
            let test = meaning(&test.pair().prompt)?;
            let product = |answer: &Vec<f64>| answer.iter().zip(&test).map(|(a, b)| a * b).sum();
            Ok(answers.iter().map(product).collect())
        };
        self.tests.iter().map(of_test).collect()
    }

    /// Tokens that are left beside prompt and response.
    fn room(&self, test: &Example) -> usize {
        room(test.pair(), self.most)
    }
}

/// The mean of the model's last hidden states over a prompt's tokens, the leading BOS left out, of length 1: `[d_model]`. Whose the prompt
/// is does not matter.
fn meaning(engine: &Engine, prompt: &TokenizedPrompt) -> Result<Vec<f64>, TrainError> {
    let policy = engine.policy();
    let device = policy.model.device();
    let end = prompt.ids.last().copied().into_iter().collect();
    let alone = TokenizedPair {
        prompt: prompt.clone(),
        chosen: end, // Predicted, never read.
        rejected: Vec::new(),
        response_cut: false,
    };
    let packed = PackedBatch::new(&[&alone], 0);
    let batch = packed.to_device(&device);
    let states = policy.model.forward(ModelInput {
        embeddings: policy.embeddings(&packed, &batch, None),
        positions: batch.positions.clone(),
        visible: batch.visible.clone(),
        prefix: None,
        cache: None,
    });
    let from = prompt.soft_at.min(prompt.ids.len() - 1);
    let states: Tensor<3> = states.narrow(1, from, prompt.ids.len() - from);
    let mean = host(states.mean_dim(1))?;
    let mean: Vec<f64> = mean.into_iter().map(f64::from).collect();
    let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
    let of_length_1 = mean.iter().map(|x| x / length.max(f64::MIN_POSITIVE));
    Ok(of_length_1.collect())
}

/// An answer as it is shown: its prompt without BOS, and the preferred response with its end.
fn shot(pair: &TokenizedPair) -> Vec<u32> {
    let prompt = &pair.prompt.ids[pair.prompt.soft_at..];
    [prompt, &pair.chosen].concat()
}

/// Tokens that are left beside prompt and response.
fn room(test: &TokenizedPair, most: usize) -> usize {
    let response = test.chosen.len().max(test.rejected.len());
    most.saturating_sub(test.prompt.ids.len() + response)
}

/// The first of these that fit.
fn fitting(order: impl Iterator<Item = usize>, shots: &[Vec<u32>], mut room: usize) -> Shown {
    order
        .map_while(|at| {
            room = room.checked_sub(shots[at].len())?;
            Some(at)
        })
        .collect()
}

/// The most alike that fit, the most alike of all last, where it is nearest to the prompt.
fn nearest(likeness: &[f64], shots: &[Vec<u32>], room: usize) -> Shown {
    let mut order: Vec<usize> = (0..likeness.len()).collect();
    order.sort_by(|&a, &b| likeness[b].total_cmp(&likeness[a]));
    let mut shown = fitting(order.into_iter(), shots, room);
    shown.reverse();
    shown
}

/// A comparison with answers in front of its prompt.
fn with_shots(test: &TokenizedPair, shots: &[Vec<u32>], shown: &[usize]) -> TokenizedPair {
    let mut pair = test.clone();
    let (bos, prompt) = test.prompt.ids.split_at(test.prompt.soft_at);
    let shots = shown.iter().flat_map(|&at| &shots[at]);
    pair.prompt.ids = bos.iter().chain(shots).chain(prompt).copied().collect();
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(prompt: &[u32], chosen: &[u32]) -> TokenizedPair {
        TokenizedPair {
            prompt: TokenizedPrompt {
                ids: prompt.to_vec(),
                soft_at: 1,
                cut: false,
                user_text_cut: false,
            },
            chosen: chosen.to_vec(),
            rejected: vec![9],
            response_cut: false,
        }
    }

    #[test]
    fn answers_stand_between_bos_and_prompt_with_what_was_preferred() {
        // 0 is BOS, 8 ends a response.
        let answers = [pair(&[0, 1, 2], &[3, 8]), pair(&[0, 4], &[5, 8])];
        let shots = answers.map(|answer| shot(&answer)).to_vec();
        let test = pair(&[0, 6, 7], &[3, 8]);
        let with = with_shots(&test, &shots, &[1, 0]);
        assert_eq!(with.prompt.ids, [0, 4, 5, 8, 1, 2, 3, 8, 6, 7]);
        assert_eq!((with.prompt.soft_at, &with.chosen), (1, &test.chosen));
        assert_eq!(with_shots(&test, &shots, &[]), test);
    }

    #[test]
    fn as_many_as_fit_are_shown_and_the_most_alike_stands_last() {
        let shots = [vec![1; 4], vec![2; 3], vec![3; 2]];
        assert_eq!(fitting(0..3, &shots, 9), [0, 1, 2]);
        assert_eq!(fitting(0..3, &shots, 8), [0, 1]);
        // What does not fit ends it, whatever comes behind.
        assert_eq!(fitting(0..3, &shots, 3), [0; 0]);
        assert_eq!(nearest(&[0.1, 0.3, 0.2], &shots, 5), [2, 1]);
        let test = pair(&[0, 6, 7], &[3, 8]);
        assert_eq!((room(&test, 20), room(&test, 4)), (15, 0));
    }
}
