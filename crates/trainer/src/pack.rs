//! Comparisons to packed rows: the shared prefix once, then the chosen response, then the rejected one.
//!
//! ```text
//! ids        BOS  s s s  p p p p  c c c  r r
//! positions   0   1 2 3  4 5 6 7  8 9 10 8 9      (the rejected response restarts after the prefix)
//! sees       prefix: prefix so far | chosen: prefix and chosen so far | rejected: prefix and rejected so far
//! ```
//!
//! The last token of a response is predicted but never read, so it is no input. A reward model reads it: there a response has one
//! scored position, that of its last token, whose state has seen the prefix and the whole response.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use llm_backbone::device::is_cpu;

use crate::tokenise::{TokenizedPair, TokenizedPrompt};

/// What a packed row holds: the shared prefix and one response or two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowTokens<'a> {
    /// Token ids of the prefix, without soft tokens.
    pub prompt: &'a [u32],
    /// Where the soft tokens go.
    pub soft_at: usize,
    /// The preferred response.
    pub chosen: &'a [u32],
    /// The other response; empty: none.
    pub rejected: &'a [u32],
    /// What is asked of the responses.
    pub asked: Asked,
}

/// What is asked of the responses of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// How likely each of their tokens is: the last one is predicted, never read.
    Tokens,
    /// What they are worth, at the state of the last token, which is read.
    Worth,
}

impl<'a> RowTokens<'a> {
    /// The comparison without its other response.
    pub(crate) fn chosen_alone(pair: &'a TokenizedPair) -> Self {
        Self {
            rejected: &[],
            ..Self::from(pair)
        }
    }

    /// A prompt with an empty response, which is its end alone.
    pub(crate) fn ending(prompt: &'a TokenizedPrompt, end: &'a [u32]) -> Self {
        Self {
            prompt: &prompt.ids,
            soft_at: prompt.soft_at,
            chosen: end,
            rejected: &[],
            asked: Asked::Tokens,
        }
    }

    /// A comparison whose responses are read to the end, and judged there.
    pub(crate) fn to_judge(pair: &'a TokenizedPair) -> Self {
        Self {
            asked: Asked::Worth,
            ..Self::from(pair)
        }
    }

    /// Input tokens of each response.
    fn inputs(&self) -> [usize; 2] {
        let unread = match self.asked {
            Asked::Tokens => 1,
            Asked::Worth => 0,
        };
        [self.chosen, self.rejected].map(|response| response.len().saturating_sub(unread))
    }

    fn length(&self, soft: usize) -> usize {
        let [chosen, rejected] = self.inputs();
        soft + self.prompt.len() + chosen + rejected
    }
}

impl<'a> From<&'a TokenizedPair> for RowTokens<'a> {
    fn from(pair: &'a TokenizedPair) -> Self {
        Self {
            prompt: &pair.prompt.ids,
            soft_at: pair.prompt.soft_at,
            chosen: &pair.chosen,
            rejected: &pair.rejected,
            asked: Asked::Tokens,
        }
    }
}

/// Rows of one forward pass on the host. `seq` counts soft tokens, `text` does not.
#[derive(Clone, Debug)]
pub struct PackedBatch {
    /// Rows.
    pub rows: usize,
    /// The length of rows with padding, soft tokens included.
    pub seq: usize,
    /// Soft tokens per row.
    pub soft: usize,
    /// Keys and values in front of every row; no token of it.
    pub prefix: usize,
    /// `[rows, seq - soft]` token ids, padded with 0.
    pub ids: Vec<i32>,
    /// `[rows]`: where the soft tokens go.
    pub soft_at: Vec<usize>,
    /// `[rows, seq]` position ids.
    pub positions: Vec<i32>,
    /// `[rows, seq, seq]`: may the first look at the second?
    pub visible: Vec<bool>,
    /// `[scored]`: index into `rows * seq` of the state that predicts a scored token, or that a response is judged by.
    pub predictors: Vec<i32>,
    /// `[scored]`: the scored token.
    pub targets: Vec<i32>,
    /// `[scored]`: `2 * row` for a chosen token, `2 * row + 1` for a rejected one.
    pub segments: Vec<usize>,
    /// Input tokens without padding.
    pub tokens: usize,
}

/// A packed batch on a device.
#[derive(Debug)]
pub struct DeviceBatch {
    /// `[rows, seq - soft]`.
    pub ids: Tensor<2, Int>,
    /// `[rows, seq]`.
    pub positions: Tensor<2, Int>,
    /// `[rows, 1, seq, seq]`.
    pub visible: Tensor<4, Bool>,
    /// `[scored]`.
    pub predictors: Tensor<1, Int>,
    /// `[scored]`.
    pub targets: Tensor<1, Int>,
    /// `[2 * rows, scored]`, 1 where a scored token belongs to a response.
    pub membership: Tensor<2>,
}

/// Lengths of rows on a GPU are multiples of this.
pub(crate) const GPU_LENGTHS: usize = 64;

impl PackedBatch {
    /// Packs comparisons, each with `soft` soft tokens, to the length of the longest.
    pub fn new(pairs: &[&TokenizedPair], soft: usize) -> Self {
        let rows = rows_of(pairs);
        Self::of_length(&rows, soft, longest(&rows, soft))
    }

    /// As [`PackedBatch::new`] on a CPU; on another device up to the next multiple of 64, because kernels are chosen and memory
    /// is kept by shape there.
    pub(crate) fn for_device(pairs: &[&TokenizedPair], soft: usize, device: &Device) -> Self {
        Self::of_rows(&rows_of(pairs), soft, device)
    }

    /// As [`PackedBatch::for_device`], of any rows.
    pub(crate) fn of_rows(rows: &[RowTokens<'_>], soft: usize, device: &Device) -> Self {
        let longest = longest(rows, soft);
        let length = match is_cpu(device) {
            true => longest,
            false => longest.next_multiple_of(GPU_LENGTHS),
        };
        Self::of_length(rows, soft, length)
    }

    fn of_length(rows: &[RowTokens<'_>], soft: usize, seq: usize) -> Self {
        let mut batch = Self {
            rows: rows.len(),
            seq,
            soft,
            prefix: 0,
            ids: vec![0; rows.len() * (seq - soft)],
            soft_at: rows.iter().map(|r| r.soft_at).collect(),
            positions: vec![0; rows.len() * seq],
            visible: vec![false; rows.len() * seq * seq],
            predictors: Vec::new(),
            targets: Vec::new(),
            segments: Vec::new(),
            tokens: 0,
        };
        for (index, row) in rows.iter().enumerate() {
            batch.fill(index, row);
        }
        batch
    }

    /// The same behind so many positions, which keys and values in front of the rows have.
    #[must_use]
    pub fn behind(mut self, prefix: usize) -> Self {
        for position in &mut self.positions {
            *position += prefix as i32;
        }
        self.prefix += prefix;
        self
    }

    /// Scores the prompts' tokens too, in the segment of the chosen response: for language modelling, not for
    /// preferences. Rows must have no soft tokens.
    pub(crate) fn score_prompts(&mut self, rows: &[RowTokens<'_>]) {
        for (row, prompt) in rows.iter().map(|r| r.prompt).enumerate() {
            for (i, &target) in prompt.iter().enumerate().skip(1) {
                self.predictors.push((row * self.seq + i - 1) as i32);
                self.targets.push(target as i32);
                self.segments.push(2 * row);
            }
        }
    }

    fn fill(&mut self, row: usize, tokens: &RowTokens<'_>) {
        let (seq, soft) = (self.seq, self.soft);
        let prefix = soft + tokens.prompt.len();
        let [chosen, rejected] = tokens.inputs();
        let length = prefix + chosen + rejected;

        let texts = [
            tokens.prompt,
            &tokens.chosen[..chosen],
            &tokens.rejected[..rejected],
        ];
        let ids = &mut self.ids[row * (seq - soft)..][..length - soft];
        for (slot, id) in ids.iter_mut().zip(texts.into_iter().flatten()) {
            *slot = *id as i32;
        }
        let positions = &mut self.positions[row * seq..][..length];
        for (i, slot) in positions.iter_mut().enumerate() {
            *slot = (if i < prefix + chosen { i } else { i - chosen }) as i32;
        }
        let visible = &mut self.visible[row * seq * seq..][..seq * seq];
        for i in 0..length {
            let own_start = if i < prefix + chosen {
                0
            } else {
                prefix + chosen
            };
            let line = &mut visible[i * seq..][..seq];
            line[..prefix.min(i + 1)].fill(true);
            line[own_start..=i].fill(true);
        }
        self.tokens += length;
        for (start, response, segment) in [
            (prefix, tokens.chosen, 2 * row),
            (prefix + chosen, tokens.rejected, 2 * row + 1),
        ] {
            match tokens.asked {
                Asked::Tokens => self.score(row, prefix, start, response, segment),
                Asked::Worth => self.judge(row, start, response, segment),
            }
        }
    }

    /// A response is judged at its last token, which is the target as well; one without tokens is not.
    fn judge(&mut self, row: usize, start: usize, response: &[u32], segment: usize) {
        if let Some(&last) = response.last() {
            let at = row * self.seq + start + response.len() - 1;
            self.predictors.push(at as i32);
            self.targets.push(last as i32);
            self.segments.push(segment);
        }
    }

    /// The first token of a response is predicted by the last one of the prefix, the others by the one before.
    fn score(&mut self, row: usize, prefix: usize, start: usize, response: &[u32], segment: usize) {
        for (i, &target) in response.iter().enumerate() {
            let predictor = if i == 0 { prefix - 1 } else { start + i - 1 };
            self.predictors.push((row * self.seq + predictor) as i32);
            self.targets.push(target as i32);
            self.segments.push(segment);
        }
    }

    /// Scored tokens of each response: chosen of all rows, rejected of all rows.
    pub fn response_lengths(&self) -> (Vec<f32>, Vec<f32>) {
        let mut counts = vec![0f32; 2 * self.rows];
        for &segment in &self.segments {
            counts[segment] += 1.0;
        }
        let side = |s: usize| counts.iter().skip(s).step_by(2).copied().collect();
        (side(0), side(1))
    }

    /// `[2 * rows, scored]`, 1 where a scored token belongs to a response.
    fn membership(&self, device: &Device) -> Tensor<2> {
        self.matrix(|_, _| true, device)
    }

    /// The same of the first tokens of both responses of a row, as many as the shorter one has.
    pub(crate) fn shared_membership(&self, device: &Device) -> Tensor<2> {
        let (chosen, rejected) = self.response_lengths();
        let shared = |row: usize| chosen[row].min(rejected[row]);
        self.matrix(
            |segment, place| (place as f32) < shared(segment / 2),
            device,
        )
    }

    /// `[2 * rows, scored]`, 1 where `counts` says so of a scored token's segment and its place in it.
    fn matrix(&self, counts: impl Fn(usize, usize) -> bool, device: &Device) -> Tensor<2> {
        let (segments, scored) = (2 * self.rows, self.segments.len());
        let mut matrix = vec![0f32; segments * scored];
        let mut places = vec![0; segments];
        for (token, &segment) in self.segments.iter().enumerate() {
            if counts(segment, places[segment]) {
                matrix[segment * scored + token] = 1.0;
            }
            places[segment] += 1;
        }
        Tensor::from_data(TensorData::new(matrix, [segments, scored]), device)
    }

    /// The share of input tokens that is padding.
    pub fn padding(&self) -> f64 {
        1.0 - self.tokens as f64 / (self.rows * self.seq).max(1) as f64
    }

    /// Moves the batch to a device.
    pub fn to_device(&self, device: &Device) -> DeviceBatch {
        let (rows, seq) = (self.rows, self.seq);
        let int = |values: &[i32]| TensorData::new(values.to_vec(), [values.len()]);
        DeviceBatch {
            ids: Tensor::from_data(
                TensorData::new(self.ids.clone(), [rows, seq - self.soft]),
                device,
            ),
            positions: Tensor::from_data(
                TensorData::new(self.positions.clone(), [rows, seq]),
                device,
            ),
            visible: Tensor::from_data(
                TensorData::new(self.visible.clone(), [rows, 1, seq, seq]),
                device,
            ),
            predictors: Tensor::from_data(int(&self.predictors), device),
            targets: Tensor::from_data(int(&self.targets), device),
            membership: self.membership(device),
        }
    }
}

fn rows_of<'a>(pairs: &[&'a TokenizedPair]) -> Vec<RowTokens<'a>> {
    pairs.iter().map(|&pair| pair.into()).collect()
}

fn longest(rows: &[RowTokens<'_>], soft: usize) -> usize {
    let lengths = rows.iter().map(|row| row.length(soft));
    lengths.max().unwrap_or(soft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenise::TokenizedPrompt;

    fn pair() -> TokenizedPair {
        TokenizedPair {
            prompt: TokenizedPrompt {
                ids: vec![1, 10, 11],
                soft_at: 1,
                cut: false,
                user_text_cut: false,
            },
            chosen: vec![20, 21, 2],
            rejected: vec![30, 2],
            response_cut: false,
        }
    }

    fn packed_to(length: usize) -> PackedBatch {
        PackedBatch::of_length(&[RowTokens::from(&pair())], 2, length)
    }

    fn packed() -> PackedBatch {
        packed_to(pair().row_length(2))
    }

    #[test]
    fn a_longer_row_is_the_same_row_with_padding_behind_it() {
        let (tight, long) = (packed(), packed_to(64));
        assert_eq!((tight.seq, long.seq), (8, 64));
        assert_eq!(long.tokens, tight.tokens);
        assert_eq!(long.ids[..6], tight.ids);
        assert_eq!(long.positions[..8], tight.positions);
        assert_eq!(
            (&long.predictors, &long.targets),
            (&tight.predictors, &tight.targets)
        );
        for (long, tight) in long.visible.chunks(64).zip(tight.visible.chunks(8)) {
            assert_eq!(long[..8], *tight);
        }
        let beyond = long.visible.iter().filter(|&&seen| seen).count();
        assert_eq!(beyond, tight.visible.iter().filter(|&&seen| seen).count());
    }

    #[test]
    fn a_row_holds_the_prefix_once_and_no_final_tokens() {
        let batch = packed();
        assert_eq!(batch.seq, 2 + 3 + 2 + 1);
        assert_eq!(batch.ids, [1, 10, 11, 20, 21, 30]);
        assert_eq!(batch.soft_at, [1]);
    }

    #[test]
    fn positions_restart_after_the_prefix() {
        assert_eq!(packed().positions, [0, 1, 2, 3, 4, 5, 6, 5]);
    }

    #[test]
    fn positions_go_on_behind_a_prefix() {
        let pair = pair();
        let batch = PackedBatch::new(&[&pair], 0).behind(4);
        assert_eq!((batch.soft, batch.prefix, batch.seq), (0, 4, 6));
        assert_eq!(batch.positions, [4, 5, 6, 7, 8, 7]);
    }

    #[test]
    fn the_rejected_response_sees_the_prefix_and_itself_only() {
        let batch = packed();
        let line = |i: usize| -> Vec<usize> {
            let seen = &batch.visible[i * 8..][..8];
            (0..8).filter(|&j| seen[j]).collect()
        };
        assert_eq!(line(0), [0]);
        assert_eq!(line(4), [0, 1, 2, 3, 4]);
        assert_eq!(line(6), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(line(7), [0, 1, 2, 3, 4, 7]);
    }

    #[test]
    fn every_response_token_and_its_eos_is_scored_by_the_state_before_it() {
        let batch = packed();
        assert_eq!(batch.targets, [20, 21, 2, 30, 2]);
        assert_eq!(batch.predictors, [4, 5, 6, 4, 7]);
        assert_eq!(batch.segments, [0, 0, 0, 1, 1]);
        assert_eq!(batch.response_lengths(), (vec![3.0], vec![2.0]));
    }

    #[test]
    fn the_shared_length_is_that_of_the_shorter_response() {
        let shared = packed().shared_membership(&Device::flex());
        let expected = [[1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0]];
        let found = shared.try_into_vec_as::<f32>().expect("f32");
        assert_eq!(found, expected.concat());
    }

    #[test]
    fn a_response_to_judge_is_read_to_its_end_and_judged_there() {
        let pair = pair();
        let row = RowTokens::to_judge(&pair);
        let batch = PackedBatch::of_length(&[row], 2, row.length(2));
        assert_eq!(batch.seq, 2 + 3 + 3 + 2);
        assert_eq!(batch.ids, [1, 10, 11, 20, 21, 2, 30, 2]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 4, 5, 6, 7, 5, 6]);
        assert_eq!(
            (&*batch.predictors, &*batch.targets),
            (&[7, 9][..], &[2, 2][..])
        );
        assert_eq!(batch.segments, [0, 1]);
        let seen = |i: usize| -> Vec<usize> {
            let line = &batch.visible[i * 10..][..10];
            (0..10).filter(|&j| line[j]).collect()
        };
        assert_eq!(seen(7), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(seen(9), [0, 1, 2, 3, 4, 8, 9]);
    }

    #[test]
    fn a_response_alone_takes_no_room_for_the_other() {
        let pair = pair();
        let alone = RowTokens::chosen_alone(&pair);
        let batch = PackedBatch::of_length(&[alone], 2, alone.length(2));
        assert_eq!((batch.seq, batch.tokens), (7, 7));
        assert_eq!(batch.targets, [20, 21, 2]);
        assert_eq!(batch.response_lengths(), (vec![3.0], vec![0.0]));
    }
}
