//! The gated feed-forward layer (arXiv 2002.05202, SwiGLU).

use burn::module::Module;
use burn::tensor::Tensor;

use crate::fused::swiglu;
use crate::linear::Linear;
use crate::loader::Loader;
use crate::parts::parts;
use crate::weights::WeightError;

/// `down(silu(gate(x)) * up(x))`.
#[derive(Module, Debug)]
pub(crate) struct GatedMlp {
    /// `[d, inner]`.
    gate: Linear,
    /// `[d, inner]`.
    up: Linear,
    /// `[inner, d]`.
    down: Linear,
}

parts!(GatedMlp: gate, up, down);

impl GatedMlp {
    /// Reads the layers of these names.
    pub(crate) fn load(
        weights: &Loader<'_>,
        [gate, up, down]: [&str; 3],
        [d, inner]: [usize; 2],
    ) -> Result<Self, WeightError> {
        Ok(Self {
            gate: weights.linear(gate, [d, inner])?,
            up: weights.linear(up, [d, inner])?,
            down: weights.linear(down, [inner, d])?,
        })
    }

    /// `[n, d]` to the same.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate = self.gate.forward(x.clone());
        let up = self.up.forward(x);
        self.down.forward(swiglu(gate, up))
    }
}
