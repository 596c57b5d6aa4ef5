//! Python's notation of lists and dicts, which pandas writes into the cells of CSV files in the place of JSON.

use std::borrow::Cow;

use serde_json::Number;

use crate::records::{Json, repeated_name};

/// Deeper lists are no messages.
const DEEPEST: usize = 32;

/// What a text says in Python's notation; none if it is something else. Between the items of a list the comma may be missing:
/// numpy writes arrays so.
pub(super) fn parse(text: &str) -> Option<Json<'static>> {
    let mut parser = Parser { rest: text };
    let value = parser.value(DEEPEST)?;
    parser.blank();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, mark: &str) -> bool {
        self.blank();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, deepest: usize) -> Option<Json<'static>> {
        let deeper = deepest.checked_sub(1)?;
        self.blank();
        if self.take("array(") {
            let list = self.value(deeper)?;
            if self.take(",") && !self.take("dtype=object") {
                return None;
            }
            return self.take(")").then_some(list);
        }
        match self.rest.chars().next()? {
            '[' => self.list('[', ']', deeper),
            '(' => self.list('(', ')', deeper),
            '{' => self.dict(deeper),
            '\'' | '"' => self.text().map(Json::text),
            _ => self.word(),
        }
    }

    fn list(&mut self, open: char, close: char, deepest: usize) -> Option<Json<'static>> {
        self.rest = self.rest.strip_prefix(open)?;
        let mut items = Vec::new();
        loop {
            self.blank();
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                return Some(Json::List(items));
            }
            if !items.is_empty() && !self.take(",") && !self.rest.starts_with('{') {
                return None;
            }
            self.blank();
            if !self.rest.starts_with(close) {
                items.push(self.value(deepest)?);
            }
        }
    }

    fn dict(&mut self, deepest: usize) -> Option<Json<'static>> {
        self.rest = self.rest.strip_prefix('{')?;
        let mut fields = Vec::new();
        while !self.take("}") {
            if !fields.is_empty() && !self.take(",") {
                return None;
            }
            if self.take("}") {
                break;
            }
            self.blank();
            let name = self.text()?;
            if !self.take(":") {
                return None;
            }
            fields.push((Cow::Owned(name), self.value(deepest)?));
        }
        // Python takes the last one; JSON is refused, too.
        if repeated_name(&fields).is_some() {
            return None;
        }
        Some(Json::Object(fields.into_iter().collect()))
    }

    /// A text between single or double quotes, with Python's escapes.
    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        if !matches!(quote, '\'' | '"') {
            return None;
        }
        let mut characters = self.rest[1..].chars();
        let mut text = String::new();
        loop {
            let character = characters.next()?;
            if character == quote {
                self.rest = characters.as_str();
                return Some(text);
            }
            if character != '\\' {
                text.push(character);
                continue;
            }
            let digits = match characters.next()? {
                'n' => {
                    text.push('\n');
                    continue;
                }
                't' => {
                    text.push('\t');
                    continue;
                }
                'r' => {
                    text.push('\r');
                    continue;
                }
                same @ ('\\' | '\'' | '"') => {
                    text.push(same);
                    continue;
                }
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => return None,
            };
            let digits: String = characters.by_ref().take(digits).collect();
            text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
        }
    }

    fn word(&mut self) -> Option<Json<'static>> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let value = match word {
            "None" | "nan" => Json::Null,
            "True" => Json::Bool(true),
            "False" => Json::Bool(false),
            number => Json::Number(number.parse::<Number>().ok()?),
        };
        self.rest = rest;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<String> {
        parse(text).map(|value| value.to_value().to_string())
    }

    #[test]
    fn literals_are_read() {
        // What Python's json.dumps writes for the same.
        for (python, expected) in [
            ("[{'a': 'b'}]", r#"[{"a":"b"}]"#),
            (
                r#"{"it's": 'x\n\'y\' \xe9 \u20ac'}"#,
                "{\"it's\":\"x\\n'y' é €\"}",
            ),
            (
                "[None, True, False, -3, 2.5, (1, 2,), []]",
                "[null,true,false,-3,2.5,[1,2],[]]",
            ),
            ("[{'a': 1}\n {'a': 2}]", r#"[{"a":1},{"a":2}]"#),
            ("array([{'a': 1}], dtype=object)", r#"[{"a":1}]"#),
        ] {
            assert_eq!(json(python).as_deref(), Some(expected), "{python}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        let deep = "[".repeat(1000);
        for text in [
            "[1 2]",
            "[{'a': 1} ...]",
            "['a",
            "{'a' 1}",
            "[{'a': 1, 'b': 2, 'a': 1}]",
            "hello",
            "[] x",
            "",
            &deep,
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
