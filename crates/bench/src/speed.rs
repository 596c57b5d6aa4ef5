//! Our speed against that of TRL on PyTorch: the same model, the same token ids, on this machine, in turns.
//!
//! Two programs make the same things ready and then work in rounds, one at a time: [`worker`] for us,
//! `python/trl_worker.py` for TRL and llama.cpp. [`contest`] starts both and asks for the rounds, [`workload`] writes what
//! both read, [`summary`] makes ratios of the figures.

pub mod contest;
pub mod summary;
pub mod worker;
pub mod workload;

use serde::Serialize;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Training steps of plain DPO.
    Vanilla,
    /// Training steps of P-DPO, both branches.
    Pdpo,
    /// Greedy decoding at batch 1 and 8.
    Decode,
    /// Greedy decoding with the weights as a GGUF file stores them, against llama.cpp.
    #[serde(rename = "llama-cpp")]
    LlamaCpp,
    /// Matrix products alone.
    Matmul,
}

impl Kind {
    /// All, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Vanilla,
        Self::Pdpo,
        Self::Decode,
        Self::LlamaCpp,
        Self::Matmul,
    ];

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
pub const DECODE_PROMPT: usize = 256;
/// Tokens decoded per sequence.
pub const DECODE_NEW: usize = 64;
/// The batch sizes of decoding.
pub const DECODE_BATCHES: [usize; 2] = [1, 8];
