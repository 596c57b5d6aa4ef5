//! What a line that is no JSON probably is, and what to do about it.

use serde_json::error::Category;

/// The finding in words, with the next step where there is one.
pub(super) fn explain(bytes: &[u8], error: &serde_json::Error) -> String {
    let bytes = bytes.trim_ascii();
    match advice(bytes, error) {
        Some(advice) => format!("invalid JSON ({error}): {advice}"),
        None => format!("invalid JSON ({error})"),
    }
}

fn advice(bytes: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    let spread = |last: &u8| matches!(last, b'{' | b'[' | b',');
    if error.classify() == Category::Eof {
        return Some(match bytes.last() {
            Some(last) if bytes.len() < 3 || spread(last) => {
                "an object spread over several lines; write one object a line (json.dumps without indent, `jq -c .`), or a \
                 list of all"
            }
            _ => "the line ends inside the object; is the file complete?",
        });
    }
    if bytes.starts_with(b"}") || bytes.starts_with(b"\"") && !bytes.ends_with(b"\"") {
        return Some(
            "part of an object spread over several lines; write one object a line (`jq -c .`)",
        );
    }
    let at = error.column().saturating_sub(1).min(bytes.len());
    let near = &bytes[at.saturating_sub(9)..(at + 9).min(bytes.len())];
    let says = |word: &[u8]| near.windows(word.len()).any(|window| window == word);
    if says(b"NaN") || says(b"Infinity") {
        return Some("JSON has no NaN and no Infinity; write null, or leave the field out");
    }
    if bytes.starts_with(b"{'") || says(b"None") || says(b"True") || says(b"False") {
        return Some("a Python dict is no JSON; write it with json.dumps");
    }
    if bytes.ends_with(b",") {
        return Some("a line of JSON Lines has no comma at its end");
    }
    if bytes.starts_with(b"{") && error.to_string().starts_with("trailing characters") {
        return Some("two objects on one line; write each on a line of its own");
    }
    let is_text = bytes
        .iter()
        .all(|byte| !matches!(byte, b'{' | b'}' | 0..32));
    if is_text && bytes.contains(&b',') {
        return Some("a file with cells between commas ends in .csv");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::json::Json;
    use super::*;

    fn explained(text: &str) -> String {
        explain(text.as_bytes(), &Json::parse(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn the_shape_and_the_way_out_are_told() {
        for (text, expected) in [
            ("{", "one object a line"),
            ("{\"a\": 1,", "one object a line"),
            ("\"a\": 1,", "one object a line"),
            ("}", "one object a line"),
            ("{\"a\": \"b", "is the file complete?"),
            ("{\"a\": NaN}", "no NaN"),
            ("{\"a\": -Infinity, \"b\": 2}", "no Infinity"),
            ("{'a': 1}", "json.dumps"),
            ("{\"a\": None}", "json.dumps"),
            ("{\"a\": 1},", "no comma"),
            ("{\"a\": 1}{\"a\": 2}", "two objects"),
            ("prompt,chosen,rejected,user", "ends in .csv"),
        ] {
            let found = explained(text);
            assert!(found.starts_with("invalid JSON ("), "{found}");
            assert!(found.contains(expected), "{text}: {found}");
        }
        assert!(explained("not json").ends_with("column 2)"));
    }
}
