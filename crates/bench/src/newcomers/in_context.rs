//! A user's answers in the prompt: each is shown as its prompt with the response that the user preferred, as the model was trained to
//! write, and the prompt to be answered comes last.

use std::time::Instant;

use trainer::TrainError;
use trainer::burn::tensor::Tensor;
use trainer::example::Example;
use trainer::llm_backbone::ModelInput;
use trainer::pack::PackedBatch;
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};

use super::measure::{Tokenised, longer_by};
use super::{How, Scorer, Served};

/// Which answers a test is shown, in the order in which they stand in the prompt.
type Shown = Vec<usize>;

impl Scorer<'_> {
    /// The tests behind the first answers, and behind those of them that are most like each test, as many as fit: prompt and response
    /// take at most `most` tokens. The reference log-probs are those without answers.
    pub(super) fn in_context(
        &self,
        id: &str,
        of: &Tokenised,
        counts: &[usize],
        most: usize,
    ) -> Result<Vec<Served>, TrainError> {
        let plain = of.tests.examples(None);
        let answers: Vec<&TokenizedPair> = of.answers.items.iter().map(|item| &item.pair).collect();
        let shots: Vec<Vec<u32>> = answers.iter().map(|pair| shot(pair)).collect();
        let most = most.min(self.engine.policy().model.config().max_positions());
        let start = Instant::now();
        let likeness = self.likeness(&plain, &answers)?;
        // A test's own prompt would have to be read in any case.
        let each = start.elapsed().as_secs_f64() / (plain.len() + answers.len()) as f64;
        let mut found = Vec::new();
        for how in [How::InContext, How::Retrieved] {
            for &count in counts {
                let of_test = |(at, test): (usize, &Example)| {
                    let room = room(test.pair(), most);
                    match how {
                        How::Retrieved => nearest(&likeness[at][..count], &shots, room),
                        _ => fitting(0..count, &shots, room),
                    }
                };
                let shown: Vec<Shown> = plain.iter().enumerate().map(of_test).collect();
                let seconds = match how {
                    How::Retrieved => each * count as f64,
                    _ => 0.0,
                };
                found.push(self.behind(id, (how, count), (&plain, &shots), &shown, seconds)?);
            }
        }
        Ok(found)
    }

    fn behind(
        &self,
        id: &str,
        way: (How, usize),
        (plain, shots): (&[Example], &[Vec<u32>]),
        shown: &[Shown],
        seconds: f64,
    ) -> Result<Served, TrainError> {
        let pairs = plain.iter().zip(shown);
        let pairs = pairs.map(|(test, shown)| with_shots(test.pair(), shots, shown));
        let examples = self.against_plain(plain, pairs)?;
        let numbers: Vec<f64> = shown.iter().map(|shown| shown.len() as f64).collect();
        Ok(Served {
            tokens: longer_by(&examples, plain),
            shown: statistics::mean(&numbers),
            ..self.served(id, way, self.margins_of(None, &examples)?, seconds)
        })
    }

    /// The cosine between what the model makes of each test's prompt and of each answer's, `[tests][answers]`.
    fn likeness(
        &self,
        tests: &[Example],
        answers: &[&TokenizedPair],
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        let meanings = answers.iter().map(|pair| self.meaning(&pair.prompt));
        let answers: Vec<Vec<f64>> = meanings.collect::<Result<_, _>>()?;
        let of_test = |test: &Example| {
            let test = self.meaning(&test.pair().prompt)?;
            let product = |answer: &Vec<f64>| answer.iter().zip(&test).map(|(a, b)| a * b).sum();
            Ok(answers.iter().map(product).collect())
        };
        tests.iter().map(of_test).collect()
    }

    /// The mean of the model's last hidden states over a prompt's tokens, the leading BOS left out, of length 1: `[d_model]`.
    fn meaning(&self, prompt: &TokenizedPrompt) -> Result<Vec<f64>, TrainError> {
        if self.progress.0.stopped() {
            return Err(TrainError::Stopped);
        }
        let policy = self.engine.policy();
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
        let mean = states.mean_dim(1).try_into_vec_as::<f32>();
        let mean = mean.map_err(|error| TrainError::Device(error.to_string()))?;
        let mean: Vec<f64> = mean.into_iter().map(f64::from).collect();
        let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
        Ok(mean
            .iter()
            .map(|x| x / length.max(f64::MIN_POSITIVE))
            .collect())
    }
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
