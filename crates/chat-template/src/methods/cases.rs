//! Methods on cases and kinds of letters, and padding.

use crate::budget::{Budget, Writer};
use crate::calls::{Passed, integer, size, text};
use crate::error::{Fallible, failed};
use crate::lexer::is_space;
use crate::numbers::decimal_value;
use crate::repr::is_printable;
use crate::value::Value;

pub(super) fn call(budget: &Budget, found: &str, name: &str, passed: &Passed) -> Fallible<Value> {
    match name {
        "center" | "ljust" | "rjust" => return pad(budget, found, name, passed),
        "zfill" => {
            let width = size(integer(name, passed.one(name, "width")?)?);
            return fill_zeros(budget, found, width);
        }
        "expandtabs" => {
            let [size_] = passed.bind(name, ["tabsize"], 0)?;
            let size_ = size_.map_or(Ok(8), |size| integer(name, size))?;
            return expand_tabs(budget, found, size(size_));
        }
        _ => passed.none(name)?,
    }
    let changed = match name {
        "capitalize" => capitalize(found),
        "casefold" => found.to_lowercase().replace('ß', "ss").replace('ς', "σ"),
        "lower" => found.to_lowercase(),
        "upper" => found.to_uppercase(),
        "swapcase" => swap_case(found),
        "title" => title(found),
        name => {
            if name == "isprintable" {
                budget.step(found.len() as u64 / 8)?; // Each character is looked up.
            }
            return is_kind(found, name).map(Value::Bool);
        }
    };
    budget.text(changed)
}

/// A capital, and all else in lower case.
pub(crate) fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(title_case).unwrap_or_default();
    // The rest is lowered with what is before it, for a sigma at the end of a word is another.
    let rest = text.to_lowercase();
    let lowered: usize = text
        .chars()
        .next()
        .map_or(0, |c| c.to_lowercase().map(char::len_utf8).sum());
    first + &rest[lowered..]
}

/// A letter as the first of a word: the digraphs have a form of their own.
fn title_case(c: char) -> String {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => "ǅ".into(),
        'Ǉ' | 'ǈ' | 'ǉ' => "ǈ".into(),
        'Ǌ' | 'ǋ' | 'ǌ' => "ǋ".into(),
        'Ǳ' | 'ǲ' | 'ǳ' => "ǲ".into(),
        'ß' => "Ss".into(),
        'ﬁ' => "Fi".into(),
        'ﬂ' => "Fl".into(),
        c => c.to_uppercase().collect(),
    }
}

fn is_letter_with_case(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || title_case(c) != c.to_string()
}

/// A capital behind everything that is no letter with cases.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        match inside {
            true => out.extend(c.to_lowercase()),
            false => out.push_str(&title_case(c)),
        }
        inside = is_letter_with_case(c);
    }
    out
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_uppercase() {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
    }
    out
}

/// `islower` or `isupper`: letters with cases are all of this one, and there are some.
pub(crate) fn is_cased(text: &str, upper: bool) -> bool {
    let (mut wanted, mut other) = (false, false);
    for c in text.chars() {
        wanted |= if upper {
            c.is_uppercase()
        } else {
            c.is_lowercase()
        };
        other |= if upper {
            c.is_lowercase()
        } else {
            c.is_uppercase()
        };
    }
    wanted && !other
}

fn is_kind(text: &str, name: &str) -> Fallible<bool> {
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    Ok(match name {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(|c| decimal_value(c).is_some()),
        "isdigit" => all(is_digit),
        "isidentifier" => is_identifier(text),
        "islower" => is_cased(text, false),
        "isnumeric" => all(char::is_numeric),
        "isprintable" => text.chars().all(is_printable),
        "isspace" => all(is_space),
        "istitle" => is_title(text),
        "isupper" => is_cased(text, true),
        name => return Err(failed(format!("'str' object has no method '{name}'"))),
    })
}

/// Decimal digits, and those above and below the line and in circles.
fn is_digit(c: char) -> bool {
    decimal_value(c).is_some()
        || matches!(u32::from(c), 0xb2 | 0xb3 | 0xb9 | 0x2070 | 0x2074..=0x2079 | 0x2080..=0x2089 | 0x2460..=0x2468)
}

fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_')
}

fn is_title(text: &str) -> bool {
    let (mut inside, mut any) = (false, false);
    for c in text.chars() {
        if c.is_uppercase() {
            if inside {
                return false;
            }
            (inside, any) = (true, true);
        } else if c.is_lowercase() {
            if !inside {
                return false;
            }
        } else {
            inside = false;
        }
    }
    any
}

fn pad(budget: &Budget, found: &str, name: &str, passed: &Passed) -> Fallible<Value> {
    let [width, fill] = passed.bind(name, ["width", "fillchar"], 1)?;
    let width = size(integer(name, width.unwrap_or(&Value::None))?);
    let fill = match fill {
        None => ' ',
        Some(fill) => {
            let mut letters = text(name, fill)?.chars();
            match (letters.next(), letters.next()) {
                (Some(fill), None) => fill,
                _ => {
                    return Err(failed(
                        "The fill character must be exactly one character long",
                    ));
                }
            }
        }
    };
    let room = width.saturating_sub(found.chars().count());
    let left = match name {
        "ljust" => 0,
        "rjust" => room,
        // Python puts the odd one to the left of a field of odd width.
        _ => room / 2 + (room & width & 1),
    };
    let mut out = Writer::new(budget);
    out.fill(fill, left)?;
    out.push(found)?;
    out.fill(fill, room - left)?;
    Ok(out.finish())
}

fn fill_zeros(budget: &Budget, found: &str, width: usize) -> Fallible<Value> {
    let room = width.saturating_sub(found.chars().count());
    let signed = usize::from(found.starts_with(['+', '-']));
    let mut out = Writer::new(budget);
    out.push(&found[..signed])?;
    out.fill('0', room)?;
    out.push(&found[signed..])?;
    Ok(out.finish())
}

fn expand_tabs(budget: &Budget, found: &str, size: usize) -> Fallible<Value> {
    let mut out = Writer::new(budget);
    let mut column = 0usize;
    for c in found.chars() {
        match c {
            '\t' => {
                let spaces = if size == 0 { 0 } else { size - column % size };
                out.fill(' ', spaces)?;
                column = column.saturating_add(spaces);
            }
            c => {
                out.push(c.encode_utf8(&mut [0; 4]))?;
                column = if c == '\n' || c == '\r' {
                    0
                } else {
                    column + 1
                };
            }
        }
    }
    Ok(out.finish())
}
