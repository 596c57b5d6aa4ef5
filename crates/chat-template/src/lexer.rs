//! Source to tokens, by the rules of Jinja's lexer with `trim_blocks` and `lstrip_blocks`.

use std::sync::Arc;

use crate::error::{Fallible, syntax};
use crate::escapes::unescape;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Data(Arc<str>),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Arc<str>),
    Text(Arc<str>),
    Integer(i128),
    Float(f64),
    /// One of [`OPERATORS`].
    Operator(&'static str),
    End,
}

/// A token and its line, from 1.
pub(crate) struct Placed {
    pub token: Token,
    pub line: u32,
}

/// Longer ones first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

/// All tokens, with [`Token::End`] last.
pub(crate) fn tokens(source: &str) -> Fallible<Vec<Placed>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer = Lexer {
        rest: &source,
        line: 1,
        line_starting: true,
        tokens: Vec::new(),
    };
    while !lexer.rest.is_empty() {
        lexer.data()?;
    }
    lexer.push(Token::End);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    line: u32,
    /// What was read last ended in a newline.
    line_starting: bool,
    tokens: Vec<Placed>,
}

/// How a tag ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    /// One newline behind a block or comment goes.
    Plain,
    /// `-`: all white space goes.
    Strips,
    /// `+`: nothing goes.
    Keeps,
}

impl Close {
    /// By the character before the end of the tag.
    fn by(sign: Option<char>) -> Self {
        match sign {
            Some('-') => Self::Strips,
            Some('+') => Self::Keeps,
            _ => Self::Plain,
        }
    }
}

/// What ends a stretch of text.
enum Opening {
    Variable,
    Block,
    Comment,
    Raw,
}

impl<'a> Lexer<'a> {
    fn push(&mut self, token: Token) {
        let line = self.line;
        self.tokens.push(Placed { token, line });
    }

    /// Takes so many bytes.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.line += u32::try_from(taken.matches('\n').count()).unwrap_or(u32::MAX);
        if !taken.is_empty() {
            self.line_starting = taken.ends_with('\n');
        }
        taken
    }

    /// Text up to the next tag, and that tag.
    fn data(&mut self) -> Fallible<()> {
        let Some((at, opening)) = opening(self.rest) else {
            let text = self.take(self.rest.len());
            self.push(Token::Data(text.into()));
            return Ok(());
        };
        let (text, tag) = self.rest.split_at(at);
        let sign = tag[2..].chars().next().filter(|c| "-+".contains(*c));
        let strips = !matches!(opening, Opening::Variable);
        let kept = kept(text, sign, strips, self.line_starting);
        if !kept.is_empty() {
            self.push(Token::Data(kept.into()));
        }
        self.take(at);
        match opening {
            Opening::Variable => {
                self.take(2 + usize::from(sign.is_some()));
                self.push(Token::VariableBegin);
                self.expression("}}", Token::VariableEnd)
            }
            Opening::Block => {
                self.take(2 + usize::from(sign.is_some()));
                self.push(Token::BlockBegin);
                self.expression("%}", Token::BlockEnd)
            }
            Opening::Comment => self.comment(2 + usize::from(sign.is_some())),
            Opening::Raw => self.raw(),
        }
    }

    fn comment(&mut self, opened: usize) -> Fallible<()> {
        let line = self.line;
        self.take(opened);
        let Some(at) = self.rest.find("#}") else {
            return Err(syntax(line, "a comment that is never closed"));
        };
        let close = Close::by(self.rest[..at].chars().next_back());
        self.take(at + 2);
        self.after_tag(close);
        Ok(())
    }

    /// `{% raw %}` to `{% endraw %}`; the opening tag is known to be complete.
    fn raw(&mut self) -> Fallible<()> {
        let line = self.line;
        let close = self.rest.find("%}").unwrap_or(0);
        let minus = self.rest[..close].ends_with('-');
        self.take(close + 2);
        if minus {
            self.skip_space();
        }
        let mut from = 0;
        while let Some(at) = self.rest[from..].find("{%") {
            let at = from + at;
            if let Some((length, sign, close)) = end_of_raw(&self.rest[at..]) {
                let text = kept(&self.rest[..at], sign, true, self.line_starting);
                if !text.is_empty() {
                    self.push(Token::Data(text.into()));
                }
                self.take(at + length);
                self.after_tag(close);
                return Ok(());
            }
            from = at + 2;
        }
        Err(syntax(line, "`{% raw %}` without `{% endraw %}`"))
    }

    /// Behind a block or comment.
    fn after_tag(&mut self, close: Close) {
        match close {
            Close::Strips => self.skip_space(),
            Close::Plain if self.rest.starts_with('\n') => {
                self.take(1);
            }
            _ => {}
        }
    }

    fn skip_space(&mut self) {
        let kept = self.rest.trim_start_matches(is_space).len();
        self.take(self.rest.len() - kept);
    }

    /// Tokens of an expression up to its closing brackets.
    fn expression(&mut self, close: &str, end: Token) -> Fallible<()> {
        let opened = self.line;
        let mut brackets: Vec<char> = Vec::new();
        loop {
            let space = self.rest.len() - self.rest.trim_start_matches(is_space).len();
            self.take(space);
            if brackets.is_empty()
                && let Some(found) = closing(self.rest, close)
            {
                self.push(end);
                let signed = usize::from(!self.rest.starts_with(close));
                self.take(signed + 2);
                if close == "%}" || found == Close::Strips {
                    self.after_tag(found);
                }
                return Ok(());
            }
            if self.rest.is_empty() {
                return Err(syntax(opened, format!("a tag without its `{close}`")));
            }
            self.token(&mut brackets)?;
        }
    }

    fn token(&mut self, brackets: &mut Vec<char>) -> Fallible<()> {
        let line = self.line;
        let rest = self.rest;
        let Some(first) = rest.chars().next() else {
            return Ok(());
        };
        if first.is_ascii_digit() {
            let after_dot = matches!(
                self.tokens.last(),
                Some(Placed {
                    token: Token::Operator("."),
                    ..
                })
            );
            let (token, length) = number(rest, after_dot)
                .ok_or_else(|| syntax(line, "a number that is too large"))?;
            self.push(token);
            self.take(length);
        } else if first.is_alphanumeric() || first == '_' {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let length = rest.len() - rest.trim_start_matches(is_name).len();
            self.push(Token::Name(rest[..length].into()));
            self.take(length);
        } else if first == '\'' || first == '"' {
            let length = string_length(rest)
                .ok_or_else(|| syntax(line, "a text without its closing quotation mark"))?;
            let text = unescape(&rest[1..length - 1]).map_err(|problem| syntax(line, problem))?;
            self.push(Token::Text(text.into()));
            self.take(length);
        } else {
            let operator = OPERATORS
                .iter()
                .find(|operator| rest.starts_with(**operator));
            let operator =
                *operator.ok_or_else(|| syntax(line, format!("unexpected character {first:?}")))?;
            balance(operator, brackets, line)?;
            self.push(Token::Operator(operator));
            self.take(operator.len());
        }
        Ok(())
    }
}

fn balance(operator: &str, brackets: &mut Vec<char>, line: u32) -> Fallible<()> {
    match operator {
        "(" => brackets.push(')'),
        "[" => brackets.push(']'),
        "{" => brackets.push('}'),
        ")" | "]" | "}"
            if brackets
                .pop()
                .is_none_or(|open| !operator.starts_with(open)) =>
        {
            return Err(syntax(line, format!("unexpected `{operator}`")));
        }
        _ => {}
    }
    Ok(())
}

/// White space as Python's regular expressions know it.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// The next tag: where it begins, and which it is.
fn opening(text: &str) -> Option<(usize, Opening)> {
    let mut from = 0;
    while let Some(at) = text[from..].find('{') {
        let at = from + at;
        let opening = match text.as_bytes().get(at + 1) {
            Some(b'{') => Some(Opening::Variable),
            Some(b'%') if is_raw(&text[at..]) => Some(Opening::Raw),
            Some(b'%') => Some(Opening::Block),
            Some(b'#') => Some(Opening::Comment),
            _ => None,
        };
        if let Some(opening) = opening {
            return Some((at, opening));
        }
        from = at + 1;
    }
    None
}

/// The text before a tag without what the tag strips of it.
fn kept(text: &str, sign: Option<char>, strips: bool, line_starting: bool) -> &str {
    if sign == Some('-') {
        return text.trim_end_matches(is_space);
    }
    if sign != Some('+') && strips {
        let line = text.rfind('\n').map_or(0, |at| at + 1);
        if (line > 0 || line_starting) && text[line..].chars().all(is_space) {
            return &text[..line];
        }
    }
    text
}

fn is_raw(tag: &str) -> bool {
    let inner = tag[2..].strip_prefix(['-', '+']).unwrap_or(&tag[2..]);
    let after = inner.trim_start_matches(is_space).strip_prefix("raw");
    after.is_some_and(|after| {
        let after = after.trim_start_matches(is_space);
        after.starts_with("%}") || after.starts_with("-%}")
    })
}

/// The length of an `{% endraw %}`, its sign, and how it ends.
fn end_of_raw(tag: &str) -> Option<(usize, Option<char>, Close)> {
    let sign = tag[2..].chars().next().filter(|c| "-+".contains(*c));
    let inner = &tag[2 + usize::from(sign.is_some())..];
    let after = inner.trim_start_matches(is_space).strip_prefix("endraw")?;
    let after = after.trim_start_matches(is_space);
    let close = closing(after, "%}")?;
    let signed = usize::from(!after.starts_with("%}"));
    Some((tag.len() - after.len() + 2 + signed, sign, close))
}

/// How the tag ends, if it ends here.
fn closing(rest: &str, close: &str) -> Option<Close> {
    if rest.starts_with(close) {
        return Some(Close::Plain);
    }
    let sign = rest
        .chars()
        .next()
        .filter(|sign| *sign == '-' || *sign == '+' && close == "%}")?;
    rest[1..].starts_with(close).then(|| Close::by(Some(sign)))
}

/// The length of a text with its quotation marks.
fn string_length(rest: &str) -> Option<usize> {
    let quote = rest.chars().next()?;
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

/// A number and its length; none if it is out of range. After a dot it is an index, never a fraction.
fn number(rest: &str, after_dot: bool) -> Option<(Token, usize)> {
    let bytes = rest.as_bytes();
    let radix = match bytes.get(1).map(u8::to_ascii_lowercase) {
        Some(b'b') if bytes[0] == b'0' => 2,
        Some(b'o') if bytes[0] == b'0' => 8,
        Some(b'x') if bytes[0] == b'0' => 16,
        _ => 10,
    };
    if radix != 10 {
        let length = 2 + digits(&bytes[2..], |b| char::from(b).is_digit(radix));
        if length > 2 {
            let clean = rest[2..length].replace('_', "");
            return Some((
                Token::Integer(i128::from_str_radix(&clean, radix).ok()?),
                length,
            ));
        }
    }
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let whole = digits(bytes, is_digit);
    let mut length = whole;
    if !after_dot {
        if bytes.get(length) == Some(&b'.') {
            let fraction = digits(&bytes[length + 1..], is_digit);
            if fraction > 0 {
                length += 1 + fraction;
            }
        }
        if matches!(bytes.get(length), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits(&bytes[length + 1 + sign..], is_digit);
            if exponent > 0 {
                length += 1 + sign + exponent;
            }
        }
    }
    let clean = rest[..length].replace('_', "");
    if length > whole {
        return Some((Token::Float(clean.parse().ok()?), length));
    }
    // A leading zero stands alone.
    if clean.len() > 1 && clean.starts_with('0') && clean.bytes().any(|b| b != b'0') {
        return Some((Token::Integer(0), 1));
    }
    Some((Token::Integer(clean.parse().ok()?), length))
}

/// How many bytes are digits, with single underscores between them.
fn digits(bytes: &[u8], is_digit: impl Fn(u8) -> bool) -> usize {
    let mut length = 0;
    loop {
        match bytes.get(length) {
            Some(&byte) if is_digit(byte) => length += 1,
            Some(b'_') if length > 0 && bytes.get(length + 1).is_some_and(|&b| is_digit(b)) => {
                length += 2;
            }
            _ => return length,
        }
    }
}
