//! Names in a list of targets: each must be that of a module that carries adapters.

use super::{LoraError, Targets, ends_in};
use crate::family::Decoder;
use crate::model::HEAD;

/// Refuses a name in a list of targets that none of the modules that carry adapters has; `why_no_head` says why the head does not.
pub(crate) fn validate_targets(
    targets: &Targets,
    modules: &[&str],
    why_no_head: impl FnOnce() -> String,
) -> Result<(), LoraError> {
    let Targets::Names(names) = targets else {
        return Ok(());
    };
    let is_unknown = |name: &&String| !modules.iter().any(|module| ends_in(module, name));
    let Some(unknown) = names.iter().find(is_unknown) else {
        return Ok(());
    };
    if ends_in(HEAD, unknown) {
        return Err(head_as_target(why_no_head()));
    }
    let mut last = Vec::new();
    for module in modules {
        let name = module.rsplit('.').next().unwrap_or(module);
        if !last.contains(&name) {
            last.push(name);
        }
    }
    Err(LoraError::Target {
        target: unknown.clone(),
        problem: format!(
            "this model has no module of that name; there are {}",
            last.join(", ")
        ),
    })
}

/// The head gets no adapter.
pub(super) fn head_as_target(why: String) -> LoraError {
    LoraError::Target {
        target: HEAD.into(),
        problem: why,
    }
}

/// Why the head gets no adapter.
pub(crate) fn why_no_head_adapter(decoder: &dyn Decoder) -> String {
    let embedding = &decoder.embedding().name;
    match decoder.head() {
        Some(_) => "adapters of the head are not read, nor made: leave it out".into(),
        None => format!(
            "the head of this model is the matrix of its embedding (`tie_word_embeddings`) and has no adapter of its own; leave it out, or name `{embedding}` to adapt the embedding"
        ),
    }
}

#[cfg(test)]
mod tests;
