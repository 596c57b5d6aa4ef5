//! Sampled texts by system and user, and what is measured of them.

use std::collections::BTreeMap;

use statistics::Cluster;
use text_measures::{EXCLAMATIONS, GRADE, LONG_WORDS, Measure, SECOND_PERSON, SENTENCES, WORDS};

use crate::claims::means_of;
use crate::experiment::{Results, SampledText, SplitResult};
use crate::report::{Estimate, MeasuredText, TextMeasure};

/// What a report shows, in the order they are shown.
pub const MEASURES: [Measure; 6] = [
    WORDS,
    SENTENCES,
    GRADE,
    LONG_WORDS,
    EXCLAMATIONS,
    SECOND_PERSON,
];

/// Who wrote for whom: the system, and the user (none: the generic user, or everyone).
pub type Writer = (String, Option<String>);

/// Texts by writer, each by its prompt: one for every seed.
pub type Texts = BTreeMap<Writer, BTreeMap<String, Vec<String>>>;

/// The texts of all seeds and splits.
pub fn gather(results: &Results<'_>) -> Texts {
    gather_as(results, |_, text| (text.user.clone(), text.source.clone()))
}

/// The same, with a text's user and prompt called as `name` says.
pub fn gather_as(
    results: &Results<'_>,
    name: impl Fn(&SplitResult, &SampledText) -> (Option<String>, String),
) -> Texts {
    let mut texts = Texts::new();
    for (number, split) in results.splits() {
        for system in &split.systems {
            for text in &system.texts {
                let (user, prompt) = name(split, text);
                texts
                    .entry((system.name.clone(), user))
                    .or_default()
                    .entry(format!("{number} {prompt}"))
                    .or_default()
                    .push(text.text.clone());
            }
        }
    }
    texts
}

/// Means over prompts with bootstrap intervals over seeds and prompts.
pub fn measures(texts: &Texts, measures: &[Measure]) -> Vec<TextMeasure> {
    let of = |measure: &Measure| TextMeasure {
        key: measure.key.into(),
        title: measure.title.into(),
        values: texts
            .iter()
            .map(|((system, user), texts)| MeasuredText {
                system: system.clone(),
                user: user.clone(),
                estimate: estimate(texts.values().filter_map(|t| values(*measure, t))),
            })
            .collect(),
    };
    measures.iter().map(of).collect()
}

/// Of every seed's text; `None` where one cannot be measured.
fn values(measure: Measure, texts: &[String]) -> Option<Vec<f64>> {
    texts.iter().map(|text| (measure.value)(text)).collect()
}

fn estimate(prompts: impl Iterator<Item = Vec<f64>>) -> Estimate {
    let prompts: Cluster<f64> = prompts.collect();
    let n = prompts.len() as u64;
    let value = statistics::mean(&prompts.concat());
    let interval = means_of(&[vec![prompts]]).map(|[pooled, _]| pooled.interval);
    Estimate {
        value,
        low: interval.map(|i| i.low),
        high: interval.map(|i| i.high),
        n,
    }
}

/// How much more of a measure the texts of `more` have than those of `less`, over the prompts that both answered.
pub fn difference(texts: &Texts, measure: Measure, (less, more): (&Writer, &Writer)) -> Estimate {
    let (Some(less), Some(more)) = (texts.get(less), texts.get(more)) else {
        return Estimate::default();
    };
    let each = more.iter().filter_map(|(prompt, texts)| {
        let less = values(measure, less.get(prompt)?)?;
        let pairs = values(measure, texts)?.into_iter().zip(less);
        Some(pairs.map(|(more, less)| more - less).collect::<Vec<f64>>())
    });
    estimate(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Texts {
        let of = |user: &str, texts: [&str; 2]| {
            let writer = ("s".to_string(), Some(user.to_string()));
            let prompts = ["p", "q"].map(String::from);
            (
                writer,
                (prompts.into_iter().zip(texts))
                    .map(|(prompt, text)| (prompt, vec![text.to_owned()]))
                    .collect(),
            )
        };
        [of("1", ["one", "one two"]), of("2", ["a b c", "a b c d"])].into()
    }

    #[test]
    fn means_are_over_prompts() {
        let found = measures(&texts(), &[WORDS]);
        let values: Vec<Option<f64>> = found[0].values.iter().map(|v| v.estimate.value).collect();
        assert_eq!(values, [Some(1.5), Some(3.5)]);
    }

    #[test]
    fn differences_pair_texts_by_prompt() {
        let writer = |user: &str| ("s".to_string(), Some(user.to_string()));
        let found = difference(&texts(), WORDS, (&writer("1"), &writer("2")));
        // 3 - 1 and 4 - 2.
        assert_eq!(
            (found.value, found.low, found.high),
            (Some(2.0), Some(2.0), Some(2.0))
        );
        let none = difference(&texts(), WORDS, (&writer("1"), &writer("3")));
        assert_eq!(none, Estimate::default());
    }
}
