//! The gated feed-forward layer (arXiv 2002.05202).

use burn::module::Module;
use burn::tensor::Tensor;
use cpu_kernels::Activation;

use crate::fused::gated;
use crate::linear::{Linear, SideBySide};
use crate::loader::Loader;
use crate::parts::parts;
use crate::weights::WeightError;

/// `down(act(gate(x)) * up(x))`.
#[derive(Module, Debug)]
pub(crate) struct GatedMlp {
    /// Gate and up, `[d, inner]` each.
    gate_up: SideBySide,
    /// `[inner, d]`.
    down: Linear,
    #[module(skip)]
    act: Activation,
}

parts!(GatedMlp: gate_up, down);

impl GatedMlp {
    /// Reads the layers of these names: `gate_up` are those of gate and up, or that of both in one.
    pub(crate) fn load(
        weights: &Loader<'_>,
        (gate_up, down): (&[&str], &str),
        [d, inner]: [usize; 2],
        act: Activation,
    ) -> Result<Self, WeightError> {
        Ok(Self {
            gate_up: SideBySide::load(weights, gate_up, d, &[inner, inner], false)?,
            down: weights.linear(down, [inner, d])?,
            act,
        })
    }

    /// `[n, d]` to the same.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [gate, up] = self.gate_up.forward(x);
        self.down.forward(gated(gate, up, self.act))
    }
}
