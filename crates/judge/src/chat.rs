//! The words of the chat completions protocol that are used here.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::JudgeConfig;

/// One message to the judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system` or `user`.
    pub role: String,
    /// Its text.
    pub content: String,
}

impl Message {
    /// A message of that role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }
}

/// The body of a request.
pub(crate) fn request(config: &JudgeConfig, messages: &[Message]) -> String {
    let mut body = json!({ "model": config.model, "messages": messages });
    if let Some(temperature) = config.temperature {
        body["temperature"] = json!(temperature);
    }
    body[config.tokens_key.name()] = json!(config.max_tokens);
    body.to_string()
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Reply,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Reply {
    /// Null where a model spent its tokens on thinking.
    #[serde(default)]
    content: Option<String>,
}

/// The text of a response's first choice, and whether it was cut at the limit of tokens.
pub(crate) fn response(body: &str) -> Result<(String, bool), String> {
    let completion: Completion =
        serde_json::from_str(body).map_err(|error| format!("malformed answer: {error}"))?;
    let choice = completion.choices.into_iter().next();
    let choice = choice.ok_or("malformed answer: found no choice, expected one")?;
    let cut = choice.finish_reason.as_deref() == Some("length");
    Ok((choice.message.content.unwrap_or_default(), cut))
}

/// The most characters of a server's own words that an error quotes.
const QUOTED: usize = 300;

/// What a server says of a failure: `error.message`, or the body's beginning.
pub(crate) fn complaint(body: &str) -> String {
    // What is no JSON is quoted as it is.
    let value = serde_json::from_str(body).unwrap_or(Value::Null);
    let error = &value["error"];
    let words = error["message"].as_str().or(error.as_str()).unwrap_or(body);
    let words: String = words.trim().chars().take(QUOTED).collect();
    if words.is_empty() {
        "(no words)".into()
    } else {
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_was_set_and_nothing_else() {
        let mut config = JudgeConfig::new("http://a", "m");
        let messages = [Message::new("user", "hi")];
        assert_eq!(
            request(&config, &messages),
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.0,"max_tokens":1024}"#
        );
        config.temperature = None;
        config.tokens_key = crate::TokensKey::MaxCompletionTokens;
        assert_eq!(
            request(&config, &messages),
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":1024}"#
        );
    }

    #[test]
    fn a_response_is_its_first_choice() {
        let body = |inside: &str| format!(r#"{{"id":"x","choices":[{inside}],"usage":{{}}}}"#);
        let stopped =
            body(r#"{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}"#);
        assert_eq!(response(&stopped), Ok(("a".into(), false)));
        let cut = body(r#"{"message":{"content":null},"finish_reason":"length"}"#);
        assert_eq!(response(&cut), Ok((String::new(), true)));
        for bad in ["", "{", "[]", &body(""), r#"{"error":"x"}"#] {
            assert!(response(bad).unwrap_err().starts_with("malformed answer"));
        }
    }

    #[test]
    fn a_complaint_is_the_message_or_the_beginning_of_the_body() {
        assert_eq!(complaint(r#"{"error":{"message":"too long"}}"#), "too long");
        assert_eq!(complaint(r#"{"error":"no such model"}"#), "no such model");
        assert_eq!(complaint("Bad gateway\n"), "Bad gateway");
        assert_eq!(complaint(""), "(no words)");
        assert_eq!(complaint(&"é".repeat(900)), "é".repeat(300));
    }
}
