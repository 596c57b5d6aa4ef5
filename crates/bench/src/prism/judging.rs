//! What a judge is told of a PRISM user and a turn. The feedback at the end of a dialogue is left out on purpose: it was
//! written about the chosen responses.

use std::collections::BTreeMap;

use judge::Value;
use trainer::pref_data::prism::{Preference, UserProfile};
use trainer::pref_data::{Message, Prompt};

/// The fields of `configs/judge/prism.toml`.
pub fn fields(profile: Option<&UserProfile>, prompt: &Prompt) -> BTreeMap<String, Value> {
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
    let (history, message) = parts(prompt);
    let mut fields: BTreeMap<String, Value> = [
        ("facts", Value::from(facts)),
        (
            "expectation",
            Value::from(expectation.unwrap_or("(not known)")),
        ),
        ("preferences", Value::from(preferences)),
        ("message", Value::from(message)),
    ]
    .map(|(key, value)| (key.to_string(), value))
    .into();
    if !history.is_empty() {
        fields.insert("history".into(), Value::from_serialize(history));
    }
    fields
}

fn parts(prompt: &Prompt) -> (&[Message], &str) {
    match prompt {
        Prompt::Text(text) => (&[], text),
        Prompt::Chat(messages) => match messages.split_last() {
            Some((last, history)) => (history, &last.content),
            None => (&[], ""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_stands_apart_from_the_history() {
        let said = |role: &str, content: &str| Message {
            role: role.into(),
            content: content.into(),
        };
        let prompt = Prompt::Chat(vec![
            said("user", "Hi."),
            said("assistant", "Hello."),
            said("user", "Why?"),
        ]);
        let found = fields(None, &prompt);
        assert_eq!(found["message"], Value::from("Why?"));
        assert_eq!(found["history"].len(), Some(2));
        let alone = fields(None, &Prompt::Text("Why?".into()));
        assert!(!alone.contains_key("history"));
    }
}
