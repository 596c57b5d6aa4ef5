//! Our speed against that of TRL on PyTorch: the same model, the same token ids, on this machine, in turns.
//!
//! Two programs make the same things ready and then work in rounds, one at a time: [`worker`] for us,
//! `python/trl_worker.py` for TRL and llama.cpp. [`contest`] starts both and asks for the rounds, [`inputs`] writes what
//! both read, [`summary`] makes ratios of the figures.

pub mod comparisons;
pub mod contest;
pub mod gpu;
pub mod inputs;
pub mod summary;
pub mod worker;

use clap::ValueEnum;
use serde::Serialize;

/// What both sides do in a contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Training steps of plain DPO.
    Vanilla,
    /// Training steps of P-DPO, both branches.
    Pdpo,
    /// Greedy decoding at batch 1 and 8.
    Decode,
    /// Greedy decoding with the weights as a GGUF file stores them, against llama.cpp.
    LlamaCpp,
    /// Matrix products alone.
    Matmul,
}

impl Workload {
    /// As both programs are told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vanilla => "vanilla",
            Self::Pdpo => "pdpo",
            Self::Decode => "decode",
            Self::LlamaCpp => "llama-cpp",
            Self::Matmul => "matmul",
        }
    }
}

/// Tokens of a decoding prompt.
const DECODE_PROMPT: usize = 256;
/// Tokens decoded per sequence.
const DECODE_NEW: usize = 64;
/// The batch sizes of decoding.
const DECODE_BATCHES: [usize; 2] = [1, 8];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_understands_the_name_it_is_told() {
        for workload in Workload::value_variants() {
            assert_eq!(Workload::from_str(workload.name(), false), Ok(*workload));
        }
    }
}
