//! Which modules get an adapter, and why others do not.

use super::rules::Shape;
use super::{Kind, LoraError, Rules, Targets, ends_in};

/// The slots that get a new adapter, each with what it is like. `named` says a slot's module and what it is.
///
/// # Errors
/// Targets that match nothing, or one of several names that no module has.
pub(crate) fn wanted_anew<S>(
    rules: &Rules,
    slots: Vec<S>,
    named: impl Fn(&S) -> (&str, Kind),
) -> Result<Vec<(S, Shape)>, LoraError> {
    let modules: Vec<&str> = slots.iter().map(|slot| named(slot).0).collect();
    validate_names(rules.targets(), &modules)?;
    wanted(rules, slots, named)
}

/// The same of adapters that are there already, whose lists may have names for other models, too.
pub(super) fn wanted<S>(
    rules: &Rules,
    slots: Vec<S>,
    named: impl Fn(&S) -> (&str, Kind),
) -> Result<Vec<(S, Shape)>, LoraError> {
    let (mut wanted, mut example) = (Vec::new(), String::new());
    for slot in slots {
        let (module, kind) = named(&slot);
        match rules.shape(module, kind)? {
            Some(shape) => wanted.push((slot, shape)),
            None => example = module.to_owned(),
        }
    }
    if !wanted.is_empty() {
        return Ok(wanted);
    }
    let targets = rules.targets().clone();
    Err(LoraError::NoTarget { targets, example })
}

/// Refuses a name in a list of targets that none of the modules that carry adapters has.
fn validate_names(targets: &Targets, modules: &[&str]) -> Result<(), LoraError> {
    let Targets::Names(names) = targets else {
        return Ok(());
    };
    let is_unknown = |name: &&String| !modules.iter().any(|module| ends_in(module, name));
    let Some(unknown) = names.iter().find(is_unknown) else {
        return Ok(());
    };
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

#[cfg(test)]
mod tests;
