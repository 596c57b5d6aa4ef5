//! What a judge is told of a user and of a prompt.

use std::borrow::Cow;
use std::collections::BTreeMap;

use judge::{PastChoice, Value, past_choices};
use sha2::{Digest, Sha256};
use trainer::pref_data::{Comparison, Prompt};

use super::beginning;

/// What is known of users: their own text, or a few of their comparisons.
#[derive(Debug)]
pub struct Known {
    /// Of every user comparisons of two responses, each to another prompt.
    comparisons: BTreeMap<String, Vec<Example>>,
    most: usize,
    /// Whether texts without a user are the generic user's.
    personal: bool,
}

/// A comparison as it is told: long texts by their beginning.
#[derive(Debug)]
struct Example {
    prompt: Prompt,
    message: String,
    chosen: String,
    rejected: String,
}

impl Example {
    fn of(comparison: &Comparison) -> Self {
        Self {
            prompt: comparison.prompt.clone(),
            message: beginning(&comparison.prompt.last_turn().1),
            chosen: beginning(&comparison.chosen),
            rejected: beginning(&comparison.rejected),
        }
    }
}

impl Known {
    /// Of these comparisons, up to `most` of each user. Where nothing is learnt of users, `personal` is false, and a user's own text counts
    /// whoever is named.
    pub fn new(comparisons: &[Comparison], most: usize, personal: bool) -> Self {
        let mut of_users = BTreeMap::<String, Vec<Example>>::new();
        for comparison in comparisons {
            let Some(user) = &comparison.user else {
                continue;
            };
            if comparison.thumb.is_some() {
                continue;
            }
            let found = of_users.entry(user.as_str().into()).or_default();
            // One more: that of the prompt in question is left out.
            if found.len() <= most && found.iter().all(|e| e.prompt != comparison.prompt) {
                found.push(Example::of(comparison));
            }
        }
        Self {
            comparisons: of_users,
            most,
            personal,
        }
    }

    /// Whether there are comparisons that tell of a user.
    pub fn has_examples(&self, user: &str) -> bool {
        self.most > 0 && self.comparisons.contains_key(user)
    }

    /// A hash of all comparisons that may be told.
    pub fn hash(&self, hash: &mut Sha256) {
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        part(&format!("{} {}", self.most, self.personal));
        for (user, examples) in &self.comparisons {
            part(user);
            for example in examples {
                for text in [&example.message, &example.chosen, &example.rejected] {
                    part(text);
                }
            }
        }
    }

    /// The fields of `configs/judge/online.toml` for a response to the prompt of `text`. Of the generic user nothing is told; else the user's own
    /// text, or else comparisons on other prompts.
    pub fn fields(&self, text: &Comparison) -> BTreeMap<String, Value> {
        let (history, message) = text.prompt.last_turn();
        let message = Value::from(message.into_owned());
        let mut fields = BTreeMap::from([("message".to_owned(), message)]);
        if !history.is_empty() {
            let turn = |role: &str, content: &str| {
                BTreeMap::from([("role", role.to_owned()), ("content", content.to_owned())])
            };
            let turns = history.iter().map(|m| turn(m.role(), &m.content()));
            let turns: Vec<_> = turns.collect();
            fields.insert("history".into(), Value::from_serialize(turns));
        }
        let about = text.user_text.as_deref();
        match (&text.user, about.filter(|about| !about.trim().is_empty())) {
            (None, _) if self.personal => {}
            (_, Some(about)) => {
                fields.insert("about".into(), Value::from(about));
            }
            (Some(user), None) => {
                let examples = self.examples(user.as_str(), text);
                if !examples.is_empty() {
                    fields.insert("examples".into(), past_choices(&examples));
                }
            }
            (None, None) => {}
        }
        fields
    }

    fn examples(&self, user: &str, text: &Comparison) -> Vec<PastChoice<'_>> {
        let all = self.comparisons.get(user).into_iter().flatten();
        all.filter(|example| example.prompt != text.prompt)
            .take(self.most)
            .map(|example| PastChoice {
                message: Cow::from(&example.message),
                chosen: &example.chosen,
                rejected: &example.rejected,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use trainer::pref_data::{Place, Prompt, UserId};

    use super::*;

    fn comparison(user: Option<&str>, prompt: &str) -> Comparison {
        Comparison {
            user: user.map(UserId::from),
            user_text: None,
            prompt: Prompt::from(prompt),
            template: Default::default(),
            chosen: format!("good {prompt}"),
            rejected: "bad".into(),
            thumb: None,
            source: prompt.into(),
            place: Place::default(),
            group: None,
        }
    }

    fn messages(fields: &BTreeMap<String, Value>) -> Vec<String> {
        let examples = fields.get("examples").cloned().unwrap_or_default();
        let examples = examples.try_iter().into_iter().flatten();
        examples
            .map(|example| example.get_attr("message").unwrap().to_string())
            .collect()
    }

    #[test]
    fn a_user_is_told_by_a_text_or_by_comparisons_on_other_prompts() {
        let ada = |prompt| comparison(Some("ada"), prompt);
        let data = [
            ada("a"),
            ada("a"),
            ada("b"),
            comparison(None, "c"),
            ada("d"),
            ada("e"),
        ];
        let known = Known::new(&data, 2, true);
        assert!(known.has_examples("ada") && !known.has_examples("ben"));
        assert_eq!(messages(&known.fields(&ada("x"))), ["a", "b"]);
        assert_eq!(messages(&known.fields(&ada("a"))), ["b", "d"]);
        let mut told = ada("x");
        told.user_text = Some("I like it short.".into());
        let fields = known.fields(&told);
        assert_eq!(fields["about"].as_str(), Some("I like it short."));
        assert!(messages(&fields).is_empty());
        // The generic user, whose place somebody with a text takes.
        told.user = None;
        assert_eq!(known.fields(&told).len(), 1);
        let for_all = Known::new(&data, 2, false);
        assert_eq!(
            for_all.fields(&told)["about"].as_str(),
            Some("I like it short.")
        );
        assert_eq!(known.fields(&comparison(Some("ben"), "x")).len(), 1);
    }

    #[test]
    fn long_examples_are_told_by_their_beginning() {
        let mut long = comparison(Some("ada"), &"é".repeat(2000));
        long.chosen = "x".repeat(1201);
        long.rejected = "y".repeat(1200);
        let known = Known::new(&[long], 2, true);
        let fields = known.fields(&comparison(Some("ada"), "q"));
        let told = fields["examples"].try_iter().unwrap().next().unwrap();
        let text = |key: &str| told.get_attr(key).unwrap().to_string();
        assert_eq!(text("message"), format!("{} [...]", "é".repeat(1200)));
        assert_eq!(text("output_a"), format!("{} [...]", "x".repeat(1200)));
        assert_eq!(text("output_b"), "y".repeat(1200));
    }

    #[test]
    fn what_may_be_told_is_in_the_hash() {
        let hash = |data: &[Comparison], most| {
            let mut hash = Sha256::new();
            Known::new(data, most, true).hash(&mut hash);
            hash.finalize()
        };
        let data = [comparison(Some("ada"), "a")];
        let mut other = data.clone();
        other[0].rejected = "worse".into();
        assert_eq!(hash(&data, 2), hash(&data, 2));
        assert_ne!(hash(&data, 2), hash(&other, 2));
        assert_ne!(hash(&data, 2), hash(&data, 1));
    }
}
