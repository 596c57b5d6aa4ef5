//! Tensors of a file that no part of the model takes: those of another model are an error, all others are told.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hasher};

use super::{WeightError, WeightSource};
use crate::model::HEAD;

/// Heads that do not write: what they belong to classifies, scores or marks passages.
const OTHER_HEADS: [&str; 6] = [
    "score",
    "classifier",
    "qa_outputs",
    "regression_head",
    "reward_head",
    "rm_head",
];

/// Ends of names of what some versions of `transformers` saved, and what follows from the configuration.
const BUFFERS: [&str; 7] = [
    ".rotary_emb.inv_freq",
    ".rotary_emb.cos_cached",
    ".rotary_emb.sin_cached",
    ".attn.bias",
    ".attn.masked_bias",
    ".attn.embed_positions",
    ".attention.masked_bias",
];

/// What helps with a model that does not write.
pub(crate) const WRITERS: &str =
    "a language model writes (…ForCausalLM): use the one that this one was made of";

/// Refuses the weights of a model that classifies or scores.
///
/// # Errors
/// Names the head's tensor.
pub(super) fn refuse_other_heads(source: &dyn WeightSource) -> Result<(), WeightError> {
    if source.contains(&format!("{HEAD}.weight")) {
        return Ok(());
    }
    let names = source.names();
    let is_of_head = |name: &&String| name.split('.').any(|part| OTHER_HEADS.contains(&part));
    match names.iter().find(is_of_head) {
        Some(name) => {
            let found = format!(
                "no language model, for `{name}` is the head of one that classifies or scores"
            );
            Err(WeightError::something_else(source.path(), found, WRITERS))
        }
        None => Ok(()),
    }
}

/// Looks at the tensors that are not among `used`: those of layers that the model does not have are an error, those that carry
/// nothing pass, all others are told, with their number.
///
/// # Errors
/// Names the first tensor of a further layer.
pub(crate) fn warn_of_unread(
    source: &dyn WeightSource,
    used: &HashSet<String>,
    layers: usize,
) -> Result<(), WeightError> {
    for told in unread(source, used, layers)? {
        tracing::warn!("{}: {told}", source.path().display());
    }
    Ok(())
}

fn unread(
    source: &dyn WeightSource,
    used: &HashSet<String>,
    layers: usize,
) -> Result<Vec<String>, WeightError> {
    let mut told = Vec::new();
    let names = source.names().into_iter();
    let (mut left, mut further) = (Vec::new(), BTreeSet::new());
    for name in names.filter(|name| !used.contains(name)) {
        match layer_of(&name, used) {
            Some(layer) => {
                further.insert((layer, name));
            }
            None if BUFFERS.iter().any(|end| name.ends_with(end)) => {}
            None if name == format!("{HEAD}.weight") => told.extend(tied_head(source, used)?),
            None => left.push(name),
        }
    }
    if let Some((layer, name)) = further.first() {
        let found = format!(
            "`{name}` and {} more tensors of layer {layer} and above (counted from 0), where the configuration has {layers} layers",
            further.len() - 1
        );
        let next = "config.json and weights are of two models: get both anew";
        return Err(WeightError::something_else(source.path(), found, next));
    }
    if !left.is_empty() {
        // A bias that is left out changes what the model computes: those of known modules come first.
        left.sort_by_key(|name| !is_of_module(name, used));
        told.push(format!(
            "{} tensor(s) are not read, for this kind of model has no place for them: {}",
            left.len(),
            super::error::some_of(&left)
        ));
    }
    Ok(told)
}

fn is_of_module(name: &str, used: &HashSet<String>) -> bool {
    let module = name.rsplit_once('.').map_or(name, |(module, _)| module);
    used.contains(&format!("{module}.weight"))
}

/// The number of the layer that a tensor belongs to, where the model has the same in its first layer.
fn layer_of(name: &str, used: &HashSet<String>) -> Option<u64> {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |at: usize| parts[at].parse::<u64>().ok();
    (0..parts.len()).find_map(|at| {
        let layer = number(at)?;
        let mut first = parts.clone();
        first[at] = "0";
        used.contains(&first.join(".")).then_some(layer)
    })
}

/// A head beside an embedding that is tied to it is most often a copy; what is to be told where it is not.
fn tied_head(
    source: &dyn WeightSource,
    used: &HashSet<String>,
) -> Result<Option<String>, WeightError> {
    let hash = |name: &str| -> Result<u64, WeightError> {
        let mut hasher = DefaultHasher::new();
        let values = source.read(name)?;
        values
            .iter()
            .for_each(|value| hasher.write_u32(value.to_bits()));
        Ok(hasher.finish())
    };
    let head = format!("{HEAD}.weight");
    let mut embeddings = used.iter().filter(|name| is_embedding(name));
    Ok(match embeddings.next() {
        Some(embedding) if hash(&head)? != hash(embedding)? => Some(format!(
            "`{head}` is not read, though it differs from `{embedding}`: the configuration ties the two (`tie_word_embeddings`)"
        )),
        _ => None,
    })
}

fn is_embedding(name: &str) -> bool {
    [".embed_tokens.weight", ".wte.weight"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests;
