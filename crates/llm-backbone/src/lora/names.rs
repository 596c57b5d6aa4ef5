//! Which modules get an adapter, and why others do not.

use super::{LoraError, Matcher, Rules, Shape, Targets, ends_in};
use crate::family::Decoder;
use crate::model::HEAD;

/// The slots that get a new adapter, each with what it is like. `named` says a slot's module and whether it is an embedding.
///
/// # Errors
/// Targets that match nothing, or one of several names that no module has.
pub(crate) fn wanted_anew<S>(
    rules: &Rules,
    slots: Vec<S>,
    named: impl Fn(&S) -> (&str, bool),
    why_no_head: &str,
) -> Result<Vec<(S, Shape)>, LoraError> {
    let modules: Vec<&str> = slots.iter().map(|slot| named(slot).0).collect();
    validate_names(rules.targets(), &modules, why_no_head)?;
    wanted(rules, slots, named, why_no_head)
}

/// The same of adapters that are there already, whose lists may have names for other models, too.
pub(super) fn wanted<S>(
    rules: &Rules,
    slots: Vec<S>,
    named: impl Fn(&S) -> (&str, bool),
    why_no_head: &str,
) -> Result<Vec<(S, Shape)>, LoraError> {
    let (mut wanted, mut example) = (Vec::new(), String::new());
    for slot in slots {
        let (module, is_embedding) = named(&slot);
        match rules.shape(module, is_embedding)? {
            Some(shape) => wanted.push((slot, shape)),
            None => example = module.to_owned(),
        }
    }
    if !wanted.is_empty() {
        return Ok(wanted);
    }
    if !matches!(rules.targets, Matcher::AllLinear) && rules.targets.matches(HEAD, false)? {
        return Err(head_as_target(why_no_head));
    }
    let targets = rules.targets().clone();
    Err(LoraError::NoTarget { targets, example })
}

/// Refuses a name in a list of targets that none of the modules that carry adapters has.
fn validate_names(targets: &Targets, modules: &[&str], why_no_head: &str) -> Result<(), LoraError> {
    let Targets::Names(names) = targets else {
        return Ok(());
    };
    let is_unknown = |name: &&String| !modules.iter().any(|module| ends_in(module, name));
    let Some(unknown) = names.iter().find(is_unknown) else {
        return Ok(());
    };
    if ends_in(HEAD, unknown) {
        return Err(head_as_target(why_no_head));
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
fn head_as_target(why: &str) -> LoraError {
    LoraError::Target {
        target: HEAD.into(),
        problem: why.to_owned(),
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
