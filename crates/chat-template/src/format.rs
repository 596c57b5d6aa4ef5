//! Python's ways to format: `str % values`, `str.format`, and the format specification both speak.

mod number;
mod percent;
mod template;

pub(crate) use percent::percent;
pub(crate) use template::format;

use crate::budget::{Budget, Writer};
use crate::error::{Fallible, failed};
use crate::numbers::parse_integer;
use crate::repr::{quoted, to_text};
use crate::value::Value;

/// `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub fill: char,
    /// One of `<`, `>`, `^`, `=`.
    pub align: Option<char>,
    pub sign: char,
    pub alternate: bool,
    pub width: usize,
    pub grouping: Option<char>,
    pub precision: Option<usize>,
    pub kind: Option<char>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            fill: ' ',
            align: None,
            sign: '-',
            alternate: false,
            width: 0,
            grouping: None,
            precision: None,
            kind: None,
        }
    }
}

impl Spec {
    fn parse(text: &str) -> Fallible<Self> {
        let mut spec = Self::default();
        let mut rest: Vec<char> = text.chars().collect();
        let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
        if is_align(rest.get(1)) {
            spec.fill = rest[0];
            spec.align = Some(rest[1]);
            rest.drain(..2);
        } else if is_align(rest.first()) {
            spec.align = Some(rest.remove(0));
        }
        let skip = |options: &str, rest: &mut Vec<char>| {
            let found = rest.first().copied().filter(|c| options.contains(*c));
            if found.is_some() {
                rest.remove(0);
            }
            found
        };
        if let Some(sign) = skip("+- ", &mut rest) {
            spec.sign = sign;
        }
        spec.alternate = skip("#", &mut rest).is_some();
        if skip("0", &mut rest).is_some() && spec.align.is_none() {
            (spec.fill, spec.align) = ('0', Some('='));
        }
        spec.width = number(&mut rest)?.unwrap_or(0);
        spec.grouping = skip(",_", &mut rest);
        if skip(".", &mut rest).is_some() {
            let precision = number(&mut rest)?;
            spec.precision =
                Some(precision.ok_or_else(|| failed("Format specifier missing precision"))?);
        }
        spec.kind = (!rest.is_empty()).then(|| rest.remove(0));
        match rest.is_empty() {
            true => Ok(spec),
            false => Err(failed(format!("Invalid format specifier '{text}'"))),
        }
    }

    /// Puts the text into its place; `prefix` is the sign and base in front of the zeros of a number.
    fn pad(&self, budget: &Budget, prefix: &str, text: &str, align: char) -> Fallible<String> {
        let length = prefix.chars().count() + text.chars().count();
        let room = self.width.saturating_sub(length);
        let mut out = Writer::new(budget);
        let align = self.align.unwrap_or(align);
        let left = match align {
            '<' | '=' => 0,
            '^' => room / 2,
            _ => room,
        };
        out.fill(self.fill, left)?;
        out.push(prefix)?;
        if align == '=' {
            out.fill(self.fill, room)?;
        }
        out.push(text)?;
        if align == '<' || align == '^' {
            out.fill(self.fill, room - left)?;
        }
        Ok(out.text)
    }
}

/// Digits at the front.
fn number(rest: &mut Vec<char>) -> Fallible<Option<usize>> {
    let digits: String = rest.iter().take_while(|c| c.is_ascii_digit()).collect();
    if digits.is_empty() {
        return Ok(None);
    }
    rest.drain(..digits.len());
    let number = parse_integer(&digits, 10).and_then(|number| usize::try_from(number).ok());
    number
        .map(Some)
        .ok_or_else(|| failed("Too many decimal digits in format string"))
}

/// `format(value, spec)`.
pub(super) fn with_spec(budget: &Budget, value: &Value, spec: &str) -> Fallible<String> {
    if spec.is_empty() {
        return Ok(to_text(budget, value)?.to_string());
    }
    match value {
        Value::Text(text) | Value::Markup(text) => {
            formatted_text(budget, text, &Spec::parse(spec)?)
        }
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
            number::formatted(budget, value, &Spec::parse(spec)?)
        }
        other => {
            other.defined()?;
            let kind = other.type_name();
            Err(failed(format!(
                "unsupported format string passed to {kind}.__format__"
            )))
        }
    }
}

pub(super) fn formatted_text(budget: &Budget, text: &str, spec: &Spec) -> Fallible<String> {
    if let Some(kind) = spec.kind.filter(|kind| *kind != 's') {
        let problem = format!("Unknown format code '{kind}' for object of type 'str'");
        return Err(failed(problem));
    }
    if spec.grouping.is_some() || spec.alternate || spec.sign != '-' {
        return Err(failed("a text has no sign, base or thousands to format"));
    }
    if spec.align == Some('=') && spec.fill != '0' {
        return Err(failed(
            "'=' alignment not allowed in string format specifier",
        ));
    }
    let short: String;
    let text = match spec.precision {
        Some(most) => {
            short = text.chars().take(most).collect();
            &short
        }
        None => text,
    };
    spec.pad(budget, "", text, '<')
}

/// `ascii(value)` of its `repr`.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii() {
            true => out.push(c),
            false => crate::repr::push_escape(&mut out, u32::from(c)),
        }
    }
    out
}

/// `repr` of a name in an error.
pub(super) fn named(name: &str) -> String {
    quoted(name)
}
