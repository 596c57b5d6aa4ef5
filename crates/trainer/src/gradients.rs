//! The gradients of a batch.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use user_model::RowGradients;

use crate::policy::Policy;

/// Gradients of one batch, summed over its micro-batches, before clipping.
pub struct BatchGradients {
    /// Of adapters and shared tensors.
    pub module: GradientsParams,
    /// Of the users' rows.
    pub rows: RowGradients,
}

impl BatchGradients {
    /// The norm over all gradients together.
    pub fn norm(&self, policy: &Policy) -> f64 {
        struct Squares<'a>(&'a GradientsParams, Vec<Tensor<1>>);
        impl ModuleVisitor for Squares<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.0.get::<D>(param.id) {
                    self.1.push(gradient.square().sum());
                }
            }
        }
        let mut squares = Squares(&self.module, Vec::new());
        policy.visit(&mut squares);
        let module = if squares.1.is_empty() {
            0.0
        } else {
            f64::from(Tensor::cat(squares.1, 0).sum().into_scalar::<f32>())
        };
        (module + self.rows.squared_norm()).sqrt()
    }

    /// Multiplies every gradient.
    pub fn scale(&mut self, policy: &Policy, factor: f64) {
        struct Scale<'a>(&'a mut GradientsParams, f64);
        impl ModuleVisitor for Scale<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.0.remove::<D>(param.id) {
                    self.0.register(param.id, gradient.mul_scalar(self.1));
                }
            }
        }
        policy.visit(&mut Scale(&mut self.module, factor));
        self.rows.scale(factor as f32);
    }
}
