//! An endpoint's address without the secrets that some services put into it.

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "(hidden)";
/// Parts of a path from this length on are taken for keys; names of models and versions are shorter or are words.
const KEY_LENGTH: usize = 20;
/// Values of a query that are no secret.
const PLAIN: [&str; 4] = ["api-version", "version", "v", "model"];

/// The address for files and messages: a user, a password, the values of the query, and parts of the path that look like keys are
/// hidden.
pub fn shown_url(url: &str) -> String {
    let mut shown = String::new();
    for (part, is_secret) in parts(url) {
        shown += if is_secret { HIDDEN } else { part };
    }
    shown
}

/// The parts of an address that nobody else is to see. Shorter ones are left out: they occur in any text.
pub(crate) fn secrets(url: &str) -> impl Iterator<Item = &str> {
    let parts = parts(url).into_iter();
    let secret = parts.filter(|(part, is_secret)| *is_secret && part.len() >= 6);
    secret.map(|(part, _)| part)
}

/// The address in pieces, and whether each is a secret.
fn parts(url: &str) -> Vec<(&str, bool)> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| start + at);
    let mut parts = vec![(&url[..start], false)];
    let host = match url[start..end].rfind('@') {
        Some(at) => {
            parts.push((&url[start..start + at], at > 0));
            start + at
        }
        None => start,
    };
    parts.push((&url[host..end], false));
    let mut in_query = false;
    for piece in pieces(&url[end..]) {
        in_query |= matches!(piece, "?" | "#");
        if matches!(piece, "/" | "?" | "#" | "&" | ";") {
            parts.push((piece, false));
        } else if in_query {
            let (name, value) = piece.split_at(piece.find('=').map_or(0, |at| at + 1));
            let is_plain = PLAIN.contains(&name.trim_end_matches('=').to_lowercase().as_str());
            parts.extend([(name, false), (value, !is_plain && !value.is_empty())]);
        } else {
            parts.push((piece, is_key(piece)));
        }
    }
    parts
}

/// Text between separators, and these.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let is_separator = |c: char| "/?#&;".contains(c);
    text.split_inclusive(is_separator).flat_map(move |piece| {
        let (body, separator) = match piece.strip_suffix(is_separator) {
            Some(body) => piece.split_at(body.len()),
            None => (piece, ""),
        };
        [body, separator]
            .into_iter()
            .filter(|part| !part.is_empty())
    })
}

/// Keys are long and mix letters and digits.
fn is_key(part: &str) -> bool {
    part.len() >= KEY_LENGTH
        && part.contains(|c: char| c.is_ascii_digit())
        && part.contains(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_stays() {
        for (url, shown) in [
            ("http://localhost:8000/v1", "http://localhost:8000/v1"),
            (
                "https://a/v1?api_key=s3cr3t",
                "https://a/v1?api_key=(hidden)",
            ),
            (
                "https://a/v1?api-version=2024-02-01&key=s3cr3t",
                "https://a/v1?api-version=2024-02-01&key=(hidden)",
            ),
            ("https://a?s3cr3t", "https://a?(hidden)"),
            ("https://a/v1?s3cr3t", "https://a/v1?(hidden)"),
            ("https://me:s3cr3t@a/v1", "https://(hidden)@a/v1"),
            ("me:s3cr3t@a/v1", "(hidden)@a/v1"),
            (
                "https://a/sk-0123456789abcdef0123/v1",
                "https://a/(hidden)/v1",
            ),
            ("https://a/v1#s3cr3t", "https://a/v1#(hidden)"),
            (
                "http://127.0.0.1:80/v1?a=1&b=",
                "http://127.0.0.1:80/v1?a=(hidden)&b=",
            ),
            ("", ""),
            (
                "https://a/openai/deployments/gpt-4o/chat/completions",
                "https://a/openai/deployments/gpt-4o/chat/completions",
            ),
        ] {
            assert_eq!(shown_url(url), shown);
        }
        let url = "https://me:s3cr3t@a/sk-0123456789abcdef0123?k=0123456&b=1";
        let found: Vec<_> = secrets(url).collect();
        assert_eq!(found, ["me:s3cr3t", "sk-0123456789abcdef0123", "0123456"]);
    }
}
