//! What a judge is told of a PRISM user and a turn. The feedback at the end of a dialogue is left out on purpose: it was
//! written about the chosen responses.

use std::collections::BTreeMap;

use judge::{PastChoice, Value, past_choices};
use trainer::pref_data::prism::{Preference, UserProfile};
use trainer::pref_data::{Comparison, Prompt};

/// Choices as examples.
fn examples(earlier: &[&Comparison]) -> Value {
    let choices = earlier.iter().map(|comparison| PastChoice {
        message: comparison.prompt.last_turn().1,
        chosen: &comparison.chosen,
        rejected: &comparison.rejected,
    });
    past_choices(&choices.collect::<Vec<_>>())
}

/// The fields of `configs/judge/prism.toml`. `earlier` are the user's choices in earlier turns of the same dialogue; later
/// ones would tell the answer.
pub fn fields(
    profile: Option<&UserProfile>,
    prompt: &Prompt,
    earlier: &[&Comparison],
) -> BTreeMap<String, Value> {
    let facts: Vec<String> = profile
        .iter()
        .flat_map(|p| &p.demographics)
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    let expectation = profile.and_then(|p| p.system_string.as_deref());
    let preferences: Vec<&str> = profile
        .iter()
        .flat_map(|p| p.preferences)
        .map(Preference::name)
        .collect();
    let (history, message) = prompt.last_turn();
    let mut fields: BTreeMap<String, Value> = [
        ("facts", Value::from(facts)),
        (
            "expectation",
            Value::from(expectation.unwrap_or("(not known)")),
        ),
        ("preferences", Value::from(preferences)),
        ("message", Value::from(message.into_owned())),
    ]
    .map(|(key, value)| (key.to_string(), value))
    .into();
    if !history.is_empty() {
        fields.insert("history".into(), Value::from_serialize(history));
    }
    if !earlier.is_empty() {
        fields.insert("examples".into(), examples(earlier));
    }
    fields
}

#[cfg(test)]
mod tests {
    use trainer::pref_data::Message;

    use super::*;

    #[test]
    fn the_last_message_stands_apart_from_the_history() {
        let said = |role: &str, content: &str| Message::new(role, content);
        let prompt = Prompt::Chat(vec![
            said("user", "Hi."),
            said("assistant", "Hello."),
            said("user", "Why?"),
        ]);
        let found = fields(None, &prompt, &[]);
        assert_eq!(found["message"], Value::from("Why?"));
        assert_eq!(found["history"].len(), Some(2));
        let alone = fields(None, &Prompt::Text("Why?".into()), &[]);
        assert!(!alone.contains_key("history") && !alone.contains_key("examples"));
    }

    #[test]
    fn earlier_choices_are_examples_in_changing_order() {
        let comparison = Comparison {
            user: None,
            user_text: None,
            prompt: Prompt::Text("Hi.".into()),
            chosen: "good".into(),
            rejected: "bad".into(),
            source: "c1".into(),
            template: Default::default(),
            place: Default::default(),
            group: None,
            thumb: None,
        };
        let found = fields(None, &comparison.prompt, &[&comparison, &comparison]);
        let example = |at: usize, key: &str| {
            let item = found["examples"].get_item_by_index(at).unwrap();
            item.get_attr(key).unwrap().to_string()
        };
        assert_eq!(example(0, "message"), "Hi.");
        assert_eq!(
            [example(0, "output_a"), example(0, "choice")],
            ["good", "first"]
        );
        assert_eq!(
            [example(1, "output_a"), example(1, "choice")],
            ["bad", "second"]
        );
    }
}
