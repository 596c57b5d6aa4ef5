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
//!
//! Several comparisons of one prefix may share a row (`sharing.rs`): their responses stand behind each other, each once.

mod tokens;

use std::ops::Range;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use llm_backbone::device::is_cpu;

use crate::tokenise::TokenizedPair;

pub(crate) use tokens::Behind;
pub use tokens::{Asked, RowTokens};

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
    /// `[comparisons]`: the scored tokens of the chosen response and those of the rejected one. Comparisons that share a row may share these.
    pub responses: Vec<[Range<usize>; 2]>,
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
    /// `[2 * comparisons, scored]`, 1 where a scored token belongs to a response.
    pub membership: Tensor<2>,
}

/// Lengths of rows on a GPU are multiples of this.
pub(crate) const GPU_LENGTHS: usize = 64;

impl PackedBatch {
    /// Packs comparisons, each in a row of its own with `soft` soft tokens, to the length of the longest.
    pub fn new(pairs: &[&TokenizedPair], soft: usize) -> Self {
        let tokens: Vec<RowTokens<'_>> = pairs.iter().map(|&pair| pair.into()).collect();
        let rows = Rows::of(&tokens, &vec![1; tokens.len()], soft);
        let length = rows.longest();
        rows.pack(length)
    }

    /// Packs comparisons, as many of them in each row as `sizes` says: their prefixes are equal. Rows are as long as the longest on a CPU; on
    /// another device up to the next multiple of 64, because kernels are chosen and memory is kept by shape there.
    pub(crate) fn of_rows(
        tokens: &[RowTokens<'_>],
        sizes: &[usize],
        soft: usize,
        device: &Device,
    ) -> Self {
        let rows = Rows::of(tokens, sizes, soft);
        let length = match is_cpu(device) {
            true => rows.longest(),
            false => rows.longest().next_multiple_of(GPU_LENGTHS),
        };
        rows.pack(length)
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

    /// Fills row `index`, and says of which tokens its responses are scored.
    fn fill<'a>(&mut self, index: usize, row: &PlannedRow<'a>) -> Vec<Range<usize>> {
        let (seq, soft) = (self.seq, self.soft);
        let prefix = soft + row.prompt.len();
        let read = |response: &Behind<'a>| &response.tokens[..response.inputs()];
        let texts = row.responses.iter().flat_map(read);
        let ids = &mut self.ids[index * (seq - soft)..][..row.length - soft];
        for (slot, id) in ids.iter_mut().zip(row.prompt.iter().chain(texts)) {
            *slot = *id as i32;
        }
        let positions = &mut self.positions[index * seq..][..row.length];
        let visible = &mut self.visible[index * seq * seq..][..seq * seq];
        for i in 0..prefix {
            positions[i] = i as i32;
            visible[i * seq..][..=i].fill(true);
        }
        self.tokens += row.length;
        let mut start = prefix;
        let mut scored = Vec::with_capacity(row.responses.len());
        for response in &row.responses {
            let end = start + response.inputs();
            for i in start..end {
                positions[i] = (prefix + i - start) as i32;
                let line = &mut visible[i * seq..][..seq];
                line[..prefix].fill(true);
                line[start..=i].fill(true);
            }
            let from = self.targets.len();
            if response.asked == Asked::WholeText && scored.is_empty() {
                for (i, &target) in row.prompt.iter().enumerate().skip(1) {
                    self.predictors.push((index * seq + i - 1) as i32);
                    self.targets.push(target as i32);
                }
            }
            let behind = |i: usize| match response.asked {
                Asked::Worth => start + i,
                // The first token is predicted by the last one of the prefix, the others by the one before.
                _ if i == 0 => prefix - 1,
                _ => start + i - 1,
            };
            // A response is judged at its last token, which is the target as well.
            let first = match response.asked {
                Asked::Worth => response.tokens.len().saturating_sub(1),
                _ => 0,
            };
            for (i, &target) in response.tokens.iter().enumerate().skip(first) {
                self.predictors.push((index * seq + behind(i)) as i32);
                self.targets.push(target as i32);
            }
            scored.push(from..self.targets.len());
            start = end;
        }
        scored
    }

    /// Scored tokens of each response: chosen of all comparisons, rejected of all comparisons.
    pub fn response_lengths(&self) -> (Vec<f32>, Vec<f32>) {
        let side = |s: usize| self.responses.iter().map(|r| r[s].len() as f32).collect();
        (side(0), side(1))
    }

    /// `[2 * comparisons, scored]`, 1 where a scored token belongs to a response.
    fn membership(&self, device: &Device) -> Tensor<2> {
        self.matrix(|_, _| usize::MAX, device)
    }

    /// The same of the first tokens of both responses of a comparison, as many as the shorter one has.
    pub(crate) fn shared_membership(&self, device: &Device) -> Tensor<2> {
        self.matrix(|chosen, rejected| chosen.min(rejected), device)
    }

    /// `[2 * comparisons, scored]`, 1 where a scored token is among the first of a response, as many as `counts` makes of the lengths of both.
    fn matrix(&self, counts: impl Fn(usize, usize) -> usize, device: &Device) -> Tensor<2> {
        let (segments, scored) = (2 * self.responses.len(), self.targets.len());
        let mut matrix = vec![0f32; segments * scored];
        for (both, lines) in self
            .responses
            .iter()
            .zip(matrix.chunks_mut(2 * scored.max(1)))
        {
            let count = counts(both[0].len(), both[1].len());
            for (range, line) in both.iter().zip(lines.chunks_mut(scored.max(1))) {
                line[range.clone()]
                    .iter_mut()
                    .take(count)
                    .for_each(|one| *one = 1.0);
            }
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

/// What goes into a packed batch.
struct Rows<'a> {
    soft: usize,
    rows: Vec<PlannedRow<'a>>,
    /// Of every comparison its row, and where its responses are among those of the row.
    comparisons: Vec<(usize, [Option<usize>; 2])>,
}

struct PlannedRow<'a> {
    prompt: &'a [u32],
    soft_at: usize,
    responses: Vec<Behind<'a>>,
    length: usize,
}

impl<'a> Rows<'a> {
    fn of(tokens: &[RowTokens<'a>], sizes: &[usize], soft: usize) -> Self {
        let mut rows = Vec::with_capacity(sizes.len());
        let mut comparisons = Vec::with_capacity(tokens.len());
        let mut left = tokens;
        for &size in sizes {
            let (of_row, others) = left.split_at(size.min(left.len()));
            left = others;
            let Some(first) = of_row.first() else {
                continue; // invariant: no row is empty
            };
            let mut responses: Vec<Behind<'a>> = Vec::with_capacity(2 * of_row.len());
            for tokens in of_row {
                let held = responses.len(); // Two equal responses of one comparison stay two.
                debug_assert_eq!(
                    (tokens.prompt, tokens.soft_at),
                    (first.prompt, first.soft_at)
                );
                let places = tokens.both().map(|response| {
                    if response.tokens.is_empty() {
                        return None;
                    }
                    Some(response.place_in(&responses[..held]).unwrap_or_else(|| {
                        responses.push(response);
                        responses.len() - 1
                    }))
                });
                comparisons.push((rows.len(), places));
            }
            let inputs: usize = responses.iter().map(Behind::inputs).sum();
            rows.push(PlannedRow {
                prompt: first.prompt,
                soft_at: first.soft_at,
                length: soft + first.prompt.len() + inputs,
                responses,
            });
        }
        Self {
            soft,
            rows,
            comparisons,
        }
    }

    /// The longest row's length.
    fn longest(&self) -> usize {
        let lengths = self.rows.iter().map(|row| row.length);
        lengths.max().unwrap_or(self.soft)
    }

    /// The rows, each padded to `seq`.
    fn pack(self, seq: usize) -> PackedBatch {
        let (rows, soft) = (self.rows.len(), self.soft);
        let mut batch = PackedBatch {
            rows,
            seq,
            soft,
            prefix: 0,
            ids: vec![0; rows * (seq - soft)],
            soft_at: self.rows.iter().map(|row| row.soft_at).collect(),
            positions: vec![0; rows * seq],
            visible: vec![false; rows * seq * seq],
            predictors: Vec::new(),
            targets: Vec::new(),
            responses: Vec::new(),
            tokens: 0,
        };
        let mut scored = Vec::with_capacity(rows);
        for (index, row) in self.rows.iter().enumerate() {
            scored.push(batch.fill(index, row));
        }
        let of_comparison = |(row, places): (usize, [Option<usize>; 2])| {
            places.map(|place| place.map_or(0..0, |place: usize| scored[row][place].clone()))
        };
        batch.responses = self.comparisons.into_iter().map(of_comparison).collect();
        batch
    }
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
        Rows::of(&[RowTokens::from(&pair())], &[1], 2).pack(length)
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
        assert_eq!(batch.responses, [[0..3, 3..5]]);
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
        let row = RowTokens::from(&pair).asking(Asked::Worth);
        let batch = Rows::of(&[row], &[1], 2).pack(row.length(2));
        assert_eq!(batch.seq, 2 + 3 + 3 + 2);
        assert_eq!(batch.ids, [1, 10, 11, 20, 21, 2, 30, 2]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 4, 5, 6, 7, 5, 6]);
        assert_eq!(
            (&*batch.predictors, &*batch.targets),
            (&[7, 9][..], &[2, 2][..])
        );
        assert_eq!(batch.responses, [[0..1, 1..2]]);
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
        let batch = Rows::of(&[alone], &[1], 2).pack(alone.length(2));
        assert_eq!((batch.seq, batch.tokens), (7, 7));
        assert_eq!(batch.targets, [20, 21, 2]);
        assert_eq!(batch.response_lengths(), (vec![3.0], vec![0.0]));
    }
}
