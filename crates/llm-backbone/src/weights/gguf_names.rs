//! What a family says of its GGUF files: which tensor is which, and whose rows are in another order.

use std::collections::BTreeMap;

use super::WeightError;
use crate::gguf::{GgufFile, TensorInfo};

/// How a GGUF file holds a model of shape `C`. Names are pairs: Hugging Face's and that of the GGUF file, both
/// without `.weight`.
pub(crate) struct GgufNames<C> {
    /// `general.architecture`.
    pub(crate) architecture: &'static str,
    /// The key that tells such a file from those of a family of the same architecture, which comes later in the list.
    pub(crate) known_by: Option<&'static str>,
    /// Reads the shape.
    pub(crate) read: fn(&GgufFile) -> Result<C, WeightError>,
    /// Modules outside of blocks.
    pub(crate) outside: &'static [(&'static str, &'static str)],
    /// What Hugging Face puts in front of a block's number; a GGUF file puts `blk`.
    pub(crate) blocks: &'static str,
    /// Modules of a block, table by table.
    pub(crate) inside: &'static [&'static [(&'static str, &'static str)]],
    /// Those of them that have a bias.
    pub(crate) biased: &'static [&'static str],
    /// Whether the converter adds 1 to the weights of norms, as the model does with those of Hugging Face.
    pub(crate) norms_above_one: bool,
    /// Tensors that are no weights, by their full names.
    pub(crate) no_weights: &'static [&'static str],
    /// The number of heads of a module, by its Hugging Face name inside a block, whose rows the converter reorders for
    /// rotary positions of neighbouring pairs; none for others.
    pub(crate) permuted_heads: fn(&C, &str) -> Option<usize>,
}

/// Where a weight is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The index in the file's list of tensors.
    pub(crate) index: usize,
    /// Heads whose rows are reordered.
    pub(crate) permuted_heads: Option<usize>,
    /// Whether the file's numbers are 1 above those of Hugging Face.
    pub(crate) above_one: bool,
}

/// Hugging Face name to place.
pub(crate) type Places = BTreeMap<String, Place>;

impl<C> GgufNames<C> {
    /// Whether a file is of this family.
    pub(crate) fn names(&self, file: &GgufFile) -> bool {
        let metadata = file.metadata();
        let known = self.known_by.is_none_or(|key| metadata.get(key).is_some());
        known && metadata.string("general.architecture") == Some(self.architecture)
    }

    /// The place of every weight.
    pub(crate) fn places(&self, config: &C, file: &GgufFile) -> Result<Places, WeightError> {
        let mut places = Places::new();
        for (index, tensor) in file.tensors().iter().enumerate() {
            if self.no_weights.contains(&tensor.name.as_str()) {
                continue;
            }
            let Some((name, module)) = self.hugging_face_name(&tensor.name) else {
                return Err(self.unknown(tensor, file));
            };
            let place = Place {
                index,
                permuted_heads: (self.permuted_heads)(config, module),
                above_one: self.norms_above_one && module.ends_with("norm"),
            };
            places.insert(name, place);
        }
        Ok(places)
    }

    /// `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`, of the module `self_attn.q_proj`.
    fn hugging_face_name(&self, name: &str) -> Option<(String, &'static str)> {
        let (path, tensor) = name.rsplit_once('.')?;
        let named = |table: &'static [(&'static str, &'static str)], name: &str| {
            let found = table.iter().find(|(_, gguf)| *gguf == name);
            found.map(|(hf, _)| *hf)
        };
        if let Some(module) = named(self.outside, path) {
            return (tensor == "weight").then(|| (format!("{module}.weight"), module));
        }
        let (block, part) = path.strip_prefix("blk.")?.split_once('.')?;
        let number: usize = block.parse().ok()?;
        let module = self.inside.iter().find_map(|table| named(table, part))?;
        let has = match tensor {
            "weight" => true,
            "bias" => self.biased.contains(&module),
            _ => false,
        };
        // `blk.03` and `blk.3` would be one name: only the plain spelling counts.
        let plain = number.to_string() == block;
        (has && plain).then(|| {
            (
                format!("{}.{number}.{module}.{tensor}", self.blocks),
                module,
            )
        })
    }

    fn unknown(&self, tensor: &TensorInfo, file: &GgufFile) -> WeightError {
        let outside = self
            .outside
            .iter()
            .map(|(_, name)| format!("{name}.weight"));
        let inside = self.inside.iter().copied().flatten();
        let weights = inside
            .clone()
            .map(|(_, name)| format!("blk.N.{name}.weight"));
        let biases = inside
            .filter(|(module, _)| self.biased.contains(module))
            .map(|(_, name)| format!("blk.N.{name}.bias"));
        let known: Vec<_> = outside.chain(weights).chain(biases).collect();
        WeightError::unsupported(
            file.path(),
            format!("tensor `{}`", tensor.name),
            format!(
                "a tensor that is no part of a plain `{}`",
                self.architecture
            ),
            known.join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hugging_face() {
        let names = GgufNames::<()> {
            architecture: "none",
            known_by: None,
            read: |_| Ok(()),
            outside: &[("model.embed", "token_embd"), ("lm_head", "output")],
            blocks: "model.layers",
            inside: &[&[("attn.q", "attn_q")], &[("ln", "ffn_norm")]],
            biased: &["attn.q"],
            norms_above_one: false,
            no_weights: &[],
            permuted_heads: |(), _| None,
        };
        for (gguf, hf) in [
            (
                "token_embd.weight",
                Some(("model.embed.weight", "model.embed")),
            ),
            ("output.weight", Some(("lm_head.weight", "lm_head"))),
            (
                "blk.12.attn_q.weight",
                Some(("model.layers.12.attn.q.weight", "attn.q")),
            ),
            (
                "blk.0.ffn_norm.weight",
                Some(("model.layers.0.ln.weight", "ln")),
            ),
            (
                "blk.0.attn_q.bias",
                Some(("model.layers.0.attn.q.bias", "attn.q")),
            ),
            ("blk.0.ffn_norm.bias", None),
            ("blk.0.attn_q.scale", None),
            ("output.bias", None),
            ("blk.01.attn_q.weight", None),
            ("blk.x.attn_q.weight", None),
            ("blk.0.token_embd.weight", None),
            ("something", None),
        ] {
            let found = names.hugging_face_name(gguf);
            let found = found
                .as_ref()
                .map(|(name, module)| (name.as_str(), *module));
            assert_eq!(found, hf, "{gguf}");
        }
    }
}
