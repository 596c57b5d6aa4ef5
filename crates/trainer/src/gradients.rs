//! The gradients of a batch, their norms, and clipping.
//!
//! Adapters and user model are two groups. Soft tokens stand before a whole text, so now and then a step's gradient of theirs is
//! ten or a hundred times as long as usual; clipped by the norm over both groups, the adapters then learn next to nothing from
//! that step. So each group has a bound to itself, unless [`Clip::Together`] is asked for.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use user_model::RowGradients;

use crate::config::Clip;
use crate::policy::Policy;

/// Gradients of one batch, summed over its micro-batches, before clipping.
pub struct BatchGradients {
    /// Of adapters and shared tensors.
    pub module: GradientsParams,
    /// Of the users' rows.
    pub rows: RowGradients,
}

/// The norms of a batch's gradients, before clipping.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GradNorms {
    /// Over the adapters, or all weights of a model that is trained whole, with the head of a reward model.
    pub model: f64,
    /// Over the shared tensors of the user model and the users' rows; none without a user model.
    pub users: Option<f64>,
}

impl GradNorms {
    /// The norm over all gradients together.
    pub fn together(&self) -> f64 {
        self.model.hypot(self.users.unwrap_or(0.0))
    }

    /// What the gradients of the model and of the users are multiplied by.
    fn factors(&self, clip: Clip, bound: f64) -> [f64; 2] {
        let factor = |norm: f64| match bound > 0.0 && norm > bound {
            true => bound / norm,
            false => 1.0,
        };
        match clip {
            Clip::Groups => [self.model, self.users.unwrap_or(0.0)].map(factor),
            Clip::Together => [factor(self.together()); 2],
        }
    }
}

impl BatchGradients {
    /// The norm of each group; the device is read once.
    pub fn norms(&self, policy: &Policy) -> GradNorms {
        let users = policy.users.as_ref();
        let shared = users.and_then(|users| self.squares(users));
        let model = self.squares(&policy.model);
        let head = policy.head.as_ref().and_then(|head| self.squares(head));
        let model = match (model, head) {
            (Some(model), Some(head)) => Some(model + head),
            (model, head) => model.or(head),
        };
        let [model, shared] = read([model, shared]);
        GradNorms {
            model: model.sqrt(),
            users: users.map(|_| (shared + self.rows.squared_norm()).sqrt()),
        }
    }

    /// The sum of squares of a module's gradients; none without any.
    fn squares(&self, module: &impl Module) -> Option<Tensor<1>> {
        struct Squares<'a>(&'a GradientsParams, Vec<Tensor<1>>);
        impl ModuleVisitor for Squares<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.0.get::<D>(param.id) {
                    self.1.push(gradient.square().sum());
                }
            }
        }
        let mut squares = Squares(&self.module, Vec::new());
        module.visit(&mut squares);
        (!squares.1.is_empty()).then(|| Tensor::cat(squares.1, 0).sum())
    }

    /// Shortens what is longer than `bound`, if that is above 0: each group by itself, or both by their norm together.
    pub fn clip(&mut self, policy: &Policy, norms: &GradNorms, clip: Clip, bound: f64) {
        let [model, users] = norms.factors(clip, bound);
        if model != 1.0 {
            self.scale(&policy.model, model);
            self.scale(&policy.head, model);
        }
        if users != 1.0 {
            self.scale(&policy.users, users);
            self.rows.scale(users as f32);
        }
    }

    /// Multiplies a module's gradients.
    fn scale(&mut self, module: &impl Module, factor: f64) {
        struct Scale<'a>(&'a mut GradientsParams, f64);
        impl ModuleVisitor for Scale<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.0.remove::<D>(param.id) {
                    self.0.register(param.id, gradient.mul_scalar(self.1));
                }
            }
        }
        module.visit(&mut Scale(&mut self.module, factor));
    }
}

/// Two sums from the device; 0 for one that is not there.
fn read(sums: [Option<Tensor<1>>; 2]) -> [f64; 2] {
    let there: Vec<Tensor<1>> = sums.iter().flatten().cloned().collect();
    if there.is_empty() {
        return [0.0; 2];
    }
    let data = Tensor::cat(there, 0).into_data();
    let mut values = data.iter::<f32>().map(f64::from);
    sums.map(|sum| sum.and_then(|_| values.next()).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Norms 3 and 4 are 5 together.
    const NORMS: GradNorms = GradNorms {
        model: 3.0,
        users: Some(4.0),
    };

    #[test]
    fn each_group_is_clipped_by_its_own_norm() {
        assert_eq!(NORMS.factors(Clip::Groups, 2.0), [2.0 / 3.0, 0.5]);
        assert_eq!(NORMS.factors(Clip::Groups, 3.5), [1.0, 0.875]);
        assert_eq!(NORMS.factors(Clip::Groups, 4.5), [1.0, 1.0]);
    }

    #[test]
    fn groups_together_are_clipped_by_one_norm() {
        assert_eq!(NORMS.factors(Clip::Together, 2.0), [0.4, 0.4]);
        assert_eq!(NORMS.factors(Clip::Together, 4.5), [0.9, 0.9]);
        assert_eq!(NORMS.factors(Clip::Together, 5.0), [1.0, 1.0]);
    }

    #[test]
    fn one_group_alone_is_clipped_alike_either_way() {
        let alone = GradNorms {
            model: 8.0,
            users: None,
        };
        for clip in [Clip::Groups, Clip::Together] {
            assert_eq!(alone.factors(clip, 2.0)[0], 0.25);
        }
    }

    #[test]
    fn a_bound_of_zero_clips_nothing() {
        for clip in [Clip::Groups, Clip::Together] {
            assert_eq!(NORMS.factors(clip, 0.0), [1.0, 1.0]);
        }
    }
}
