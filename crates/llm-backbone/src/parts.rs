//! Going through a model's modules with weights, in the order of its fields.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::linear::{Embedding, Head, Linear};
use crate::lora::{Kind, Lora};
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

/// A module with weights, to be changed.
pub(crate) enum PartMut<'a> {
    Embedding(&'a mut Embedding),
    Linear(&'a mut Linear),
    Head(&'a mut Head),
    RmsNorm(&'a mut RmsNorm),
    LayerNorm(&'a mut LayerNorm),
}

/// A tensor of a module.
pub(crate) enum Weight<'a> {
    Matrix(&'a Matrix),
    Vector(&'a Param<Tensor<1>>),
}

/// A tensor of a module, to be changed.
pub(crate) enum WeightMut<'a> {
    Matrix(&'a mut Matrix),
    Vector(&'a mut Param<Tensor<1>>),
}

/// A module whose parts can be gone through.
pub(crate) trait Parts {
    /// Adds every module with weights.
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>);

    /// Adds every module with weights, to be changed.
    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>);

    /// Every module with weights.
    fn all_parts(&self) -> Vec<Part<'_>> {
        let mut all = Vec::new();
        self.parts(&mut all);
        all
    }

    /// Every module with weights, to be changed.
    fn all_parts_mut(&mut self) -> Vec<PartMut<'_>> {
        let mut all = Vec::new();
        self.parts_mut(&mut all);
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

            fn parts_mut<'a>(&'a mut self, to: &mut Vec<$crate::parts::PartMut<'a>>) {
                $($crate::parts::Parts::parts_mut(&mut self.$field, to);)+
            }
        }
    };
}

pub(crate) use parts;

impl<T: Parts> Parts for Vec<T> {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        self.iter().for_each(|part| part.parts(to));
    }

    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>) {
        self.iter_mut().for_each(|part| part.parts_mut(to));
    }
}

impl<T: Parts> Parts for Option<T> {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        self.iter().for_each(|part| part.parts(to));
    }

    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>) {
        self.iter_mut().for_each(|part| part.parts_mut(to));
    }
}

impl Parts for Embedding {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        to.push(Part::Embedding(self));
    }

    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>) {
        to.push(PartMut::Embedding(self));
    }
}

impl Parts for Linear {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        to.push(Part::Linear(self));
    }

    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>) {
        to.push(PartMut::Linear(self));
    }
}

impl Parts for Head {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        to.push(Part::Head(self));
    }

    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>) {
        to.push(PartMut::Head(self));
    }
}

impl Parts for RmsNorm {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        to.push(Part::RmsNorm(self));
    }

    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>) {
        to.push(PartMut::RmsNorm(self));
    }
}

impl Parts for LayerNorm {
    fn parts<'a>(&'a self, to: &mut Vec<Part<'a>>) {
        to.push(Part::LayerNorm(self));
    }

    fn parts_mut<'a>(&'a mut self, to: &mut Vec<PartMut<'a>>) {
        to.push(PartMut::LayerNorm(self));
    }
}

impl<'a> PartMut<'a> {
    /// Its matrix, if it has one.
    pub(crate) fn matrix(self) -> Option<&'a mut Matrix> {
        match self {
            Self::Embedding(part) => Some(&mut part.weight),
            Self::Linear(part) => Some(&mut part.weight),
            Self::Head(part) => part.weight.as_mut(),
            Self::RmsNorm(_) | Self::LayerNorm(_) => None,
        }
    }

    /// The tensor of a Hugging Face name, without those of an adapter.
    pub(crate) fn weight(self, name: &str) -> Option<WeightMut<'a>> {
        let (module, tensor) = name.rsplit_once('.')?;
        let (own, weight, bias) = match self {
            Self::Embedding(part) => (&part.name, Some(WeightMut::Matrix(&mut part.weight)), None),
            Self::Linear(part) => {
                let weight = WeightMut::Matrix(&mut part.weight);
                (&part.name, Some(weight), part.bias.as_mut())
            }
            Self::Head(part) => {
                let weight = part.weight.as_mut().map(WeightMut::Matrix);
                (&part.name, weight, part.bias.as_mut())
            }
            Self::RmsNorm(part) => (&part.name, Some(WeightMut::Vector(&mut part.gamma)), None),
            Self::LayerNorm(part) => {
                let norm = &mut part.norm;
                let gamma = WeightMut::Vector(&mut norm.gamma);
                (&part.name, Some(gamma), norm.beta.as_mut())
            }
        };
        match tensor {
            "weight" if own == module => weight,
            "bias" if own == module => bias.map(WeightMut::Vector),
            _ => None,
        }
    }
}

impl<'a> Part<'a> {
    /// Its Hugging Face name.
    pub(crate) fn name(&self) -> &'a str {
        match *self {
            Self::Embedding(part) => &part.name,
            Self::Linear(part) => &part.name,
            Self::Head(part) => &part.name,
            Self::RmsNorm(part) => &part.name,
            Self::LayerNorm(part) => &part.name,
        }
    }

    /// What it is to adapters, and the one that it carries; none for what carries none.
    pub(crate) fn adapter(&self) -> Option<(Kind, &'a Option<Lora>)> {
        match *self {
            Self::Embedding(part) => Some((Kind::Embedding, &part.lora)),
            Self::Linear(part) => Some((Kind::Linear, &part.lora)),
            Self::Head(part) => Some((Kind::Head, &part.lora)),
            Self::RmsNorm(_) | Self::LayerNorm(_) => None,
        }
    }

    /// Its tensors with their Hugging Face names, without those of an adapter.
    pub(crate) fn weights(&self) -> Vec<(String, Weight<'a>)> {
        let (name, weight, bias) = match *self {
            Self::Embedding(part) => (&part.name, Some(Weight::Matrix(&part.weight)), None),
            Self::Linear(part) => {
                let weight = Weight::Matrix(&part.weight);
                (&part.name, Some(weight), part.bias.as_ref())
            }
            Self::Head(part) => {
                let weight = part.weight.as_ref().map(Weight::Matrix);
                (&part.name, weight, part.bias.as_ref())
            }
            Self::RmsNorm(part) => (&part.name, Some(Weight::Vector(&part.gamma)), None),
            Self::LayerNorm(part) => {
                let norm = &part.norm;
                let gamma = Weight::Vector(&norm.gamma);
                (&part.name, Some(gamma), norm.beta.as_ref())
            }
        };
        let weight = weight.map(|weight| (format!("{name}.weight"), weight));
        let mut weights: Vec<_> = weight.into_iter().collect();
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
