//! What must not be torn apart: comparisons that share a source or a pair.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::comparison::Comparison;
use crate::hash::text_key;

/// A name for prompt and unordered pair of responses: swapped pairs have the same one.
pub(crate) fn pair_key(comparison: &Comparison) -> u128 {
    let Comparison {
        chosen, rejected, ..
    } = comparison;
    let (a, b) = if chosen <= rejected {
        (chosen, rejected)
    } else {
        (rejected, chosen)
    };
    let mut parts: Vec<Cow<'_, str>> = vec![a.into(), b.into()];
    parts.extend(comparison.thumb.map(|_| "thumb".into()));
    parts.extend(comparison.prompt.texts());
    text_key(&parts)
}

/// For every comparison its unit's name: the alphabetically first source among those connected by a shared pair. It
/// does not depend on the order of the comparisons.
pub(crate) fn unit_names(comparisons: &[Comparison]) -> Vec<String> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut sources: Vec<&str> = Vec::new();
    let mut parents: Vec<usize> = Vec::new();
    let mut pairs: HashMap<u128, usize> = HashMap::new();
    let mut own = Vec::with_capacity(comparisons.len());
    for comparison in comparisons {
        let number = *numbers.entry(&comparison.source).or_insert_with(|| {
            sources.push(&comparison.source);
            parents.push(parents.len());
            parents.len() - 1
        });
        own.push(number);
        let other = *pairs.entry(pair_key(comparison)).or_insert(number);
        join(&mut parents, number, other);
    }
    let mut names: HashMap<usize, &str> = HashMap::new();
    for (number, source) in sources.iter().enumerate() {
        let name = names.entry(root(&mut parents, number)).or_insert(source);
        *name = (*name).min(source);
    }
    own.into_iter()
        .map(|number| names[&root(&mut parents, number)].to_owned())
        .collect()
}

fn root(parents: &mut [usize], mut number: usize) -> usize {
    while parents[number] != number {
        parents[number] = parents[parents[number]];
        number = parents[number];
    }
    number
}

fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a] = b;
}
