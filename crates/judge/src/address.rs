//! An endpoint's address without the secrets that some services put into it.

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "(hidden)";
/// Words of a path from this length on are looked at: keys mix letters and digits, or small and capital letters, in one word, which
/// names of models and versions do not at that length.
const KEY_LENGTH: usize = 16;
/// What keys begin with that services hand out, however long they are.
const PREFIXES: [&str; 8] = ["sk-", "sk_", "pk-", "hf_", "key-", "gsk_", "AIza", "Bearer"];
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
        } else if in_query || piece.contains('=') {
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

/// True for what looks like a key: words that are long and mixed, or what begins as keys do.
fn is_key(part: &str) -> bool {
    let has = |word: &str, is: fn(&char) -> bool| word.chars().any(|c| is(&c));
    let mixed = |word: &str| {
        let letters = has(word, char::is_ascii_alphabetic);
        let digits = has(word, char::is_ascii_digit);
        // A capital behind a small letter is no beginning of a word.
        let cases = has(word, char::is_ascii_lowercase)
            && word.chars().filter(char::is_ascii_uppercase).count() > 2;
        word.len() >= KEY_LENGTH && (digits || cases || !letters)
    };
    let named = PREFIXES
        .iter()
        .any(|prefix| part.len() > prefix.len() + 4 && part.starts_with(prefix));
    // Names are put together of words: every word is looked at, and the whole where it has no vowels to speak of.
    named || part.split(['-', '_', '.', '~']).any(mixed) || is_hexadecimal(part)
}

/// True for numbers such as those of accounts and keys, with or without hyphens.
fn is_hexadecimal(part: &str) -> bool {
    let digits = part.chars().filter(|c| c.is_ascii_digit()).count();
    let plain = part.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    plain && digits > 3 && part.len() >= KEY_LENGTH
}

/// A command line or a message in which every address is shown as [`shown_url`] shows it.
pub fn shown_urls(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("://") {
        // The scheme stands before it.
        let start = rest[..at]
            .rfind(|c: char| !c.is_ascii_alphanumeric())
            .map_or(0, |before| {
                before + rest[before..].chars().next().map_or(1, char::len_utf8)
            });
        let end = rest[at..]
            .find(is_end)
            .map_or(rest.len(), |length| at + length);
        shown += &rest[..start];
        shown += &shown_url(&rest[start..end]);
        rest = &rest[end..];
    }
    shown + rest
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
            ("https://a/0123456789abcdef/v1", "https://a/(hidden)/v1"),
            ("https://a/AbCdEfGhIjKlMnOpQr/v1", "https://a/(hidden)/v1"),
            ("https://a/sk-abcdef/v1", "https://a/(hidden)/v1"),
            (
                "https://a/12345678-1234-abcd-ef01-123456789abc",
                "https://a/(hidden)",
            ),
            (
                "https://a/proxy-3q9ZkT81mmVb2LxQ/v1",
                "https://a/(hidden)/v1",
            ),
            (
                "https://a/v1/models/Llama-3.1-8B-Instruct-2024",
                "https://a/v1/models/Llama-3.1-8B-Instruct-2024",
            ),
            (
                "https://a/my-production-deployment/v1",
                "https://a/my-production-deployment/v1",
            ),
            (
                "https://a/openai/deployments/gpt-4o/chat/completions",
                "https://a/openai/deployments/gpt-4o/chat/completions",
            ),
        ] {
            assert_eq!(shown_url(url), shown);
        }
        assert_eq!(
            shown_urls(
                "a --judge-url=https://a/v1?key=s3cr3t --set judge.url=\"http://me:p@b/v1\" http://c/v1"
            ),
            "a --judge-url=https://a/v1?key=(hidden) --set judge.url=\"http://(hidden)@b/v1\" http://c/v1"
        );
        assert_eq!(shown_urls("prism --preset tiny"), "prism --preset tiny");
        let url = "https://me:s3cr3t@a/sk-0123456789abcdef0123?k=0123456&b=1";
        let found: Vec<_> = secrets(url).collect();
        assert_eq!(found, ["me:s3cr3t", "sk-0123456789abcdef0123", "0123456"]);
    }
}
