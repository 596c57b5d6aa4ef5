//! Messages of a chat with all their fields, and what else a chat template is given.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One turn of a chat: a role, what is said, and whatever else its record holds (`tool_calls`, `name`, ...), in the order
/// of the record. A chat template sees it as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Message(Map<String, Value>);

/// A field of a message that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` of a message: expected {expected}")]
pub struct MessageError {
    /// Which.
    pub field: &'static str,
    /// What it should be.
    pub expected: &'static str,
}

const ROLE: &str = "role";
const CONTENT: &str = "content";

impl Message {
    /// A message of a role and a text alone.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert(ROLE.into(), Value::String(role.into()));
        fields.insert(CONTENT.into(), Value::String(content.into()));
        Self(fields)
    }

    /// A message of these fields. Its content is text, a list of parts of text, or, beside `tool_calls`, null.
    ///
    /// # Errors
    /// A role that is no text, or another content.
    pub fn from_fields(fields: Map<String, Value>) -> Result<Self, MessageError> {
        let wrong = |field, expected| Err(MessageError { field, expected });
        if !fields.get(ROLE).is_some_and(Value::is_string) {
            return wrong(ROLE, "text");
        }
        match fields.get(CONTENT) {
            Some(Value::String(_)) => {}
            Some(Value::Array(parts)) if parts.iter().all(|part| part_text(part).is_some()) => {}
            Some(Value::Array(_)) => {
                return wrong(
                    CONTENT,
                    "text, or a list of parts of text (no images, no sound)",
                );
            }
            None | Some(Value::Null) if calls_tools(&fields) => {}
            _ => return wrong(CONTENT, "text"),
        }
        Ok(Self(fields))
    }

    /// Who speaks: `system`, `user`, `assistant` or what the chat template knows.
    pub fn role(&self) -> &str {
        // invariant: every constructor puts a text there.
        self.0.get(ROLE).and_then(Value::as_str).unwrap_or_default()
    }

    /// What is said: the text, the texts of its parts together, or nothing.
    pub fn content(&self) -> Cow<'_, str> {
        match self.0.get(CONTENT) {
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(Value::Array(parts)) => parts.iter().filter_map(part_text).collect(),
            _ => Cow::Borrowed(""),
        }
    }

    /// Says something else; a content in parts becomes one part.
    pub fn set_content(&mut self, content: impl Into<String>) {
        let text = Value::String(content.into());
        let content = match self.0.get(CONTENT) {
            Some(Value::Array(_)) => serde_json::json!([{"type": "text", "text": text}]),
            _ => text,
        };
        self.0.insert(CONTENT.into(), content);
    }

    /// Every text in it: its role, its content, names and texts of its other fields.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        collect_fields(&self.0, &mut texts);
        texts
    }

    /// The same message with other texts.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn map_texts<E>(
        &self,
        change: &mut impl FnMut(&str) -> Result<String, E>,
    ) -> Result<Self, E> {
        Ok(Self(map_values(&self.0, change)?))
    }

    /// All fields in their order.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// The text of a part of a content: `{"type": "text", "text": ...}`, or a text alone.
fn part_text(part: &Value) -> Option<&str> {
    match part {
        Value::String(text) => Some(text),
        Value::Object(part) if part.get("type").is_none_or(|kind| kind == "text") => {
            part.get("text")?.as_str()
        }
        _ => None,
    }
}

fn calls_tools(fields: &Map<String, Value>) -> bool {
    let calls = fields.get("tool_calls").and_then(Value::as_array);
    calls.is_some_and(|calls| !calls.is_empty())
}

impl TryFrom<Map<String, Value>> for Message {
    type Error = MessageError;

    fn try_from(fields: Map<String, Value>) -> Result<Self, MessageError> {
        Self::from_fields(fields)
    }
}

impl From<Message> for Map<String, Value> {
    fn from(message: Message) -> Self {
        message.0
    }
}

/// What a chat template is given beside the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateInputs {
    /// The functions that the assistant may call, usually as JSON schemas.
    pub tools: Option<Value>,
    /// Further variables, such as `enable_thinking`.
    pub chat_template_kwargs: Map<String, Value>,
}

impl TemplateInputs {
    /// Every text in it, names of fields included.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        if let Some(tools) = &self.tools {
            collect(tools, &mut texts);
        }
        collect_fields(&self.chat_template_kwargs, &mut texts);
        texts
    }

    /// The same with other texts.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn map_texts<E>(
        &self,
        change: &mut impl FnMut(&str) -> Result<String, E>,
    ) -> Result<Self, E> {
        let tools = self.tools.as_ref().map(|tools| map_value(tools, change));
        // Names of variables are the template's own words.
        let mut chat_template_kwargs = Map::new();
        for (name, value) in &self.chat_template_kwargs {
            chat_template_kwargs.insert(name.clone(), map_value(value, change)?);
        }
        Ok(Self {
            tools: tools.transpose()?,
            chat_template_kwargs,
        })
    }
}

fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => collect_fields(fields, texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn collect_fields<'v>(fields: &'v Map<String, Value>, texts: &mut Vec<&'v str>) {
    for (name, value) in fields {
        texts.push(name);
        collect(value, texts);
    }
}

fn map_value<E>(
    value: &Value,
    change: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<Value, E> {
    Ok(match value {
        Value::String(text) => Value::String(change(text)?),
        Value::Array(values) => {
            let values = values.iter().map(|value| map_value(value, change));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => Value::Object(map_values(fields, change)?),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

fn map_values<E>(
    fields: &Map<String, Value>,
    change: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<Map<String, Value>, E> {
    let mut mapped = Map::new();
    for (name, value) in fields {
        mapped.insert(change(name)?, map_value(value, change)?);
    }
    Ok(mapped)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(value: Value) -> Result<Message, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_keep_their_order_and_their_values() {
        let record = r#"{"content":"Hi","name":"ada","role":"user","n":[1,{"b":null,"a":2}]}"#;
        let message: Message = serde_json::from_str(record).unwrap();
        assert_eq!((message.role(), &*message.content()), ("user", "Hi"));
        assert_eq!(serde_json::to_string(&message).unwrap(), record);
    }

    #[test]
    fn all_texts_are_told_and_changed_where_they_stand() {
        let record = json!({"role": "user", "content": [{"type": "text", "text": "a"}], "n": [1, {"b": "c"}]});
        let message = message(record).unwrap();
        let texts = [
            "role", "user", "content", "type", "text", "text", "a", "n", "b", "c",
        ];
        assert_eq!(message.texts(), texts);
        let louder = message.map_texts(&mut |text| Ok::<_, ()>(text.replace('c', "C!")));
        let expected = json!({"role": "user", "C!ontent": [{"type": "text", "text": "a"}], "n": [1, {"b": "C!"}]});
        assert_eq!(Value::Object(louder.unwrap().0), expected);
    }

    #[test]
    fn content_may_be_parts_or_null_beside_calls() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let mut parts = message(json!({"role": "user", "content": parts})).unwrap();
        assert_eq!(parts.content(), "ab");
        parts.set_content("c");
        assert_eq!(
            parts.fields()["content"],
            json!([{"type": "text", "text": "c"}])
        );
        let call = json!({"role": "assistant", "content": null, "tool_calls": [{}]});
        assert_eq!(message(call).unwrap().content(), "");
        for wrong in [
            json!({"role": "assistant", "content": null}),
            json!({"role": "user", "content": [{"type": "image"}]}),
            json!({"role": "user", "content": 3}),
            json!({"role": 1, "content": "x"}),
            json!({"content": "x"}),
        ] {
            assert!(message(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
