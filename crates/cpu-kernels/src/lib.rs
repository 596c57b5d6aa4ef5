//! What a language model computes on a CPU, with the vector instructions that the processor has.
//!
//! Everything works on slices of numbers, row by row, and knows no tensors. Most loops are plain Rust that is compiled for
//! several processors, one of which is chosen at run time; products with the commonest quantised blocks are written for AVX2
//! beside a portable way (`dequant/avx2.rs`, `dequant/elsewhere.rs`). The feature `portable` leaves the former out.
//!
//! Functions of one name are one operation and its derivative. Lengths that do not fit each other are the caller's
//! mistake: a panic, or numbers left as they were.

mod attention;
mod dequant;
mod gated;
mod memory;
mod panels;
mod product;
mod rows;
mod stored;
mod thin;
mod types;

pub use attention::{
    AttentionShape, KEPT_OF_ROW, MOST_QUERIES, View, attention, attention_backward, attention_kept,
};
pub use dequant::dequantise;
pub use gated::{Activation, gated, gated_backward};
pub use memory::side_by_side;
pub use product::{Side, sum_of_products};
pub use rows::{
    masked_softmax, rms_norm, rms_norm_backward, rotate_halves, softmax, softmax_backward,
};
pub use stored::StoredMatrix;
pub use thin::{MOST_ROWS, Weights, thin_product};
pub use types::TensorType;

#[cfg(test)]
mod test_random;
