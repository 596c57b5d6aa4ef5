//! An endpoint's address without the secrets that some services put into it.

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "(hidden)";
/// Parts of a path that are no secret, beside versions such as `v1`: the words of the services that there are. Keys look like anything.
const WORDS: [&str; 20] = [
    "api",
    "beta",
    "chat",
    "compat",
    "compatible-mode",
    "completions",
    "deployments",
    "endpoints",
    "engines",
    "gateway",
    "inference",
    "invocations",
    "llm",
    "models",
    "openai",
    "openapi",
    "proxy",
    "serverless",
    "serving-endpoints",
    "v1beta",
];
/// Values of a query that are no secret.
const PLAIN: [&str; 4] = ["api-version", "version", "v", "model"];

/// The address for files and messages: a user, a password, the values of the query, and all parts of the path but the usual words
/// are hidden.
pub fn shown_url(url: &str) -> String {
    let mut shown = String::new();
    for (part, is_secret) in parts(url) {
        shown += if is_secret { HIDDEN } else { part };
    }
    shown
}

/// The parts of an address that nobody else is to see, as they stand and as a server reads them, the longest first. Shorter ones are
/// left out: they occur in any text.
pub(crate) fn secrets(url: &str) -> Vec<String> {
    let parts = parts(url).into_iter();
    let secret = parts.filter(|(_, is_secret)| *is_secret);
    let mut found: Vec<String> = secret
        .flat_map(|(part, _)| [part.to_owned(), decoded(part)])
        .filter(|part| part.len() >= 6)
        .collect();
    found.sort_by_key(|part| std::cmp::Reverse(part.len()));
    found.dedup();
    found
}

/// Text without percent signs for bytes.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
            parts.extend(named(piece));
        } else {
            parts.push((piece, !is_word(piece)));
        }
    }
    parts
}

/// `NAME=VALUE` as its two parts; without a value all of it may be a key, which often ends in `=`.
fn named(piece: &str) -> [(&str, bool); 2] {
    let (name, value) = piece.split_at(piece.find('=').map_or(0, |at| at + 1));
    if value.trim_matches('=').is_empty() {
        return [("", false), (piece, true)];
    }
    let bare = name.trim_end_matches('=').to_lowercase();
    let is_name = !bare.contains(|c: char| c.is_ascii_digit());
    [(name, !is_name), (value, !PLAIN.contains(&bare.as_str()))]
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

/// True for the usual words of a path, and for versions.
fn is_word(part: &str) -> bool {
    let digits = part.strip_prefix('v').unwrap_or_default();
    let is_version = matches!(digits.len(), 1..=2) && digits.bytes().all(|b| b.is_ascii_digit());
    is_version || WORDS.contains(&part)
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
                "http://127.0.0.1:80/v1?a=(hidden)&(hidden)",
            ),
            ("", ""),
            // Keys look like anything, and stand anywhere.
            ("https://a/v1/SeKrEt12", "https://a/v1/(hidden)"),
            ("https://a/hunter/v1", "https://a/(hidden)/v1"),
            (
                "https://a/v1/models/key-1/x",
                "https://a/v1/models/(hidden)/(hidden)",
            ),
            ("https://a/v1/key=s3cr3t", "https://a/v1/key=(hidden)"),
            ("https://a/v1?czNjcjN0==", "https://a/v1?(hidden)"),
            ("https://a/v1?s3cr3t=1", "https://a/v1?(hidden)(hidden)"),
            (
                "https://a/openai/deployments/gpt-4o/chat/completions",
                "https://a/openai/deployments/(hidden)/chat/completions",
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
        let expected = ["sk-0123456789abcdef0123", "me:s3cr3t", "0123456"];
        assert_eq!(secrets(url), expected);
        // A server may repeat what it read.
        let found = secrets("https://a/v1?key=ab%2Fcdef%3D%3D%zz");
        assert_eq!(found, ["ab%2Fcdef%3D%3D%zz", "ab/cdef==%zz"]);
    }
}
