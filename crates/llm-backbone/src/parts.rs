//! Going through a model's modules with weights, in the order of its fields.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::linear::{Embedding, Head, Linear};
use crate::matrix::Matrix;
use crate::norm::{LayerNorm, RmsNorm};

/// A module with weights.
pub(crate) enum Part<'a> {
    Embedding(&'a Embedding),
    Linear(&'a Linear),
    Head(&'a Head),
    RmsNorm(&'a RmsNorm),
    LayerNorm(&'a LayerNorm),
}

/// A module that can carry an adapter.
pub(crate) enum Adaptable<'a> {
    Embedding(&'a mut Embedding),
    Linear(&'a mut Linear),
}

/// A tensor of a module.
pub(crate) enum Weight<'a> {
    Matrix(&'a Matrix),
    Vector(&'a Param<Tensor<1>>),
}

/// A module whose parts can be gone through.
pub(crate) trait Parts {
    /// Adds every module with weights.
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>);

    /// Adds every module that can carry an adapter.
    fn adaptable<'a>(&'a mut self, to: &mut Vec<Adaptable<'a>>);

    /// Every module with weights.
    fn all_parts(&self) -> Vec<Part<'_>> {
        let mut all = Vec::new();
        self.parts(&mut all);
        all
    }

    /// Every module that can carry an adapter.
    fn all_adaptable(&mut self) -> Vec<Adaptable<'_>> {
        let mut all = Vec::new();
        self.adaptable(&mut all);
        all
    }
}

/// Says which fields of a module have weights.
macro_rules! parts {
    ($module:ty: $($field:ident),+) => {
        impl $crate::parts::Parts for $module {
            fn parts<'a>(&'a self, to: &mut Vec<$crate::parts::Part<'a>>) {
                $($crate::parts::Parts::parts(&self.$field, to);)+
            }

            fn adaptable<'a>(&'a mut self, to: &mut Vec<$crate::parts::Adaptable<'a>>) {
                $($crate::parts::Parts::adaptable(&mut self.$field, to);)+
            }
        }
    };
}

pub(crate) use parts;

impl<T: Parts> Parts for Vec<T> {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        self.iter().for_each(|part| part.parts(to));
    }

    fn adaptable<'a>(&'a mut self, to: &mut Vec<Adaptable<'a>>) {
        self.iter_mut().for_each(|part| part.adaptable(to));
    }
}

impl<T: Parts> Parts for Option<T> {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        self.iter().for_each(|part| part.parts(to));
    }

    fn adaptable<'a>(&'a mut self, to: &mut Vec<Adaptable<'a>>) {
        self.iter_mut().for_each(|part| part.adaptable(to));
    }
}

impl Parts for Embedding {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        to.push(Part::Embedding(self));
    }

    fn adaptable<'a>(&'a mut self, to: &mut Vec<Adaptable<'a>>) {
        to.push(Adaptable::Embedding(self));
    }
}

impl Parts for Linear {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        to.push(Part::Linear(self));
    }

    fn adaptable<'a>(&'a mut self, to: &mut Vec<Adaptable<'a>>) {
        to.push(Adaptable::Linear(self));
    }
}

/// Modules that carry no adapter.
macro_rules! plain {
    ($($module:ident),+) => {
        $(impl Parts for $module {
            fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
                to.push(Part::$module(self));
            }

            fn adaptable<'a>(&'a mut self, _: &mut Vec<Adaptable<'a>>) {}
        })+
    };
}

plain!(Head, RmsNorm, LayerNorm);

impl<'a> Part<'a> {
    /// Its tensors with their Hugging Face names, without those of an adapter.
    pub(crate) fn weights(&self) -> Vec<(String, Weight<'a>)> {
        let (name, weight, bias) = match *self {
            Self::Embedding(part) => (&part.name, Weight::Matrix(&part.weight), None),
            Self::Linear(part) => (&part.name, Weight::Matrix(&part.weight), part.bias.as_ref()),
            Self::Head(part) => (&part.name, Weight::Matrix(&part.weight), part.bias.as_ref()),
            Self::RmsNorm(part) => (&part.name, Weight::Vector(&part.gamma), None),
            Self::LayerNorm(part) => {
                let norm = &part.norm;
                (&part.name, Weight::Vector(&norm.gamma), norm.beta.as_ref())
            }
        };
        let mut weights = vec![(format!("{name}.weight"), weight)];
        weights.extend(bias.map(|bias| (format!("{name}.bias"), Weight::Vector(bias))));
        weights
    }
}

impl Weight<'_> {
    /// As in the file.
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Self::Matrix(matrix) => matrix.shape().to_vec(),
            Self::Vector(vector) => vector.val().dims().to_vec(),
        }
    }
}
