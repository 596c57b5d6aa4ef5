//! Sampled texts by system and user, and what is measured of them.

use std::collections::BTreeMap;

use super::Measure;
use crate::experiment::SplitResult;
use crate::report::{Estimate, MeasuredText, TextMeasure};

/// Draws of a bootstrap interval.
const RESAMPLES: usize = 2000;

/// Who wrote for whom: the system, and the user (none: the generic user, or everyone).
pub type Writer = (String, Option<String>);

/// Texts by writer, each by its prompt.
pub type Texts = BTreeMap<Writer, BTreeMap<String, String>>;

/// The texts of all splits.
pub fn gather(splits: &[SplitResult]) -> Texts {
    let mut texts = Texts::new();
    for (number, split) in splits.iter().enumerate() {
        for system in &split.systems {
            for text in &system.texts {
                texts
                    .entry((system.name.clone(), text.user.clone()))
                    .or_default()
                    .insert(format!("{number} {}", text.source), text.text.clone());
            }
        }
    }
    texts
}

/// Means over prompts with bootstrap intervals over prompts.
pub fn measures(texts: &Texts, measures: &[Measure], seed: u64) -> Vec<TextMeasure> {
    let of = |measure: &Measure| TextMeasure {
        key: measure.key.into(),
        title: measure.title.into(),
        values: texts
            .iter()
            .map(|((system, user), texts)| MeasuredText {
                system: system.clone(),
                user: user.clone(),
                estimate: estimate(texts.values().filter_map(|t| (measure.value)(t)), seed),
            })
            .collect(),
    };
    measures.iter().map(of).collect()
}

fn estimate(values: impl Iterator<Item = f64>, seed: u64) -> Estimate {
    let values: Vec<f64> = values.collect();
    let interval =
        statistics::bootstrap_mean(&values, RESAMPLES, seed).filter(|_| values.len() > 1);
    Estimate {
        value: statistics::mean(&values),
        low: interval.map(|i| i.low),
        high: interval.map(|i| i.high),
        n: values.len() as u64,
    }
}

/// How much more of a measure the texts of `more` have than those of `less`, over the prompts that both answered.
pub fn difference(
    texts: &Texts,
    measure: Measure,
    (less, more): (&Writer, &Writer),
    seed: u64,
) -> Estimate {
    let (Some(less), Some(more)) = (texts.get(less), texts.get(more)) else {
        return Estimate::default();
    };
    let each = more.iter().filter_map(|(prompt, text)| {
        let other = (measure.value)(less.get(prompt)?)?;
        Some((measure.value)(text)? - other)
    });
    estimate(each, seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::WORDS;

    fn texts() -> Texts {
        let of = |user: &str, texts: [&str; 2]| {
            let writer = ("s".to_string(), Some(user.to_string()));
            let prompts = ["p", "q"].map(String::from);
            (
                writer,
                prompts.into_iter().zip(texts.map(String::from)).collect(),
            )
        };
        [of("1", ["one", "one two"]), of("2", ["a b c", "a b c d"])].into()
    }

    #[test]
    fn means_are_over_prompts() {
        let found = measures(&texts(), &[WORDS], 0);
        let values: Vec<Option<f64>> = found[0].values.iter().map(|v| v.estimate.value).collect();
        assert_eq!(values, [Some(1.5), Some(3.5)]);
    }

    #[test]
    fn differences_pair_texts_by_prompt() {
        let writer = |user: &str| ("s".to_string(), Some(user.to_string()));
        let found = difference(&texts(), WORDS, (&writer("1"), &writer("2")), 0);
        // 3 - 1 and 4 - 2.
        assert_eq!(
            (found.value, found.low, found.high),
            (Some(2.0), Some(2.0), Some(2.0))
        );
        let none = difference(&texts(), WORDS, (&writer("1"), &writer("3")), 0);
        assert_eq!(none, Estimate::default());
    }
}
