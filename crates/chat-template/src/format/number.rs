//! Numbers by a format specification.

use super::Spec;
use crate::budget::Budget;
use crate::error::{Fallible, failed};
use crate::numbers::{exponential, float_repr};
use crate::value::Value;

/// More digits than any float has.
const MOST_DIGITS: usize = 1_100;

pub(super) fn formatted(budget: &Budget, value: &Value, spec: &Spec) -> Fallible<String> {
    let kind = spec.kind;
    match (value, kind) {
        (Value::Float(number), _) => float(budget, *number, spec),
        (other, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) => {
            float(budget, other.as_float().unwrap_or(0.0), spec)
        }
        (other, _) => integer(budget, other.as_integer().unwrap_or(0), spec),
    }
}

fn sign(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, '+') => "+",
        (false, ' ') => " ",
        _ => "",
    }
}

pub(super) fn integer(budget: &Budget, number: i128, spec: &Spec) -> Fallible<String> {
    let size = number.unsigned_abs();
    let (digits, base) = match spec.kind {
        None | Some('d' | 'n') => (size.to_string(), ""),
        Some('b') => (format!("{size:b}"), "0b"),
        Some('o') => (format!("{size:o}"), "0o"),
        Some('x') => (format!("{size:x}"), "0x"),
        Some('X') => (format!("{size:X}"), "0X"),
        Some('c') => {
            let c = u32::try_from(size).ok().and_then(char::from_u32);
            let c = c.ok_or_else(|| failed("%c arg not in range(0x110000)"))?;
            return spec.pad(budget, "", &c.to_string(), '<');
        }
        Some(kind) => {
            let problem = format!("Unknown format code '{kind}' for object of type 'int'");
            return Err(failed(problem));
        }
    };
    if spec.precision.is_some() {
        return Err(failed("Precision not allowed in integer format specifier"));
    }
    let every = if base.is_empty() { 3 } else { 4 };
    let prefix = match spec.alternate {
        true => format!("{}{base}", sign(number < 0, spec)),
        false => sign(number < 0, spec).to_owned(),
    };
    padded(budget, spec, &prefix, &grouped(&digits, spec, every), every)
}

/// Pads with zeros between which separators stand too.
fn padded(
    budget: &Budget,
    spec: &Spec,
    prefix: &str,
    digits: &str,
    every: usize,
) -> Fallible<String> {
    let Some(separator) = spec
        .grouping
        .filter(|_| spec.fill == '0' && spec.align == Some('='))
    else {
        return spec.pad(budget, prefix, digits, '>');
    };
    budget.make(spec.width)?;
    let (whole, rest) = match digits.find(|c: char| !c.is_ascii_hexdigit() && c != separator) {
        Some(at) => digits.split_at(at),
        None => (digits, ""),
    };
    let mut whole: Vec<char> = whole.chars().collect();
    let others = prefix.len() + rest.len();
    let mut run = whole.iter().take_while(|c| **c != separator).count();
    let mut front = Vec::new();
    while whole.len() + front.len() + others < spec.width {
        if run == every {
            front.push(separator);
            run = 0;
            if whole.len() + front.len() + others >= spec.width {
                front.push('0');
                break;
            }
        }
        front.push('0');
        run += 1;
    }
    front.reverse();
    front.append(&mut whole);
    let whole: String = front.into_iter().collect();
    Ok(format!("{prefix}{whole}{rest}"))
}

/// Digits with a separator at every third (or fourth) place before the point.
fn grouped(digits: &str, spec: &Spec, every: usize) -> String {
    let Some(separator) = spec.grouping else {
        return digits.to_owned();
    };
    let end = digits
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(digits.len());
    let end = match every {
        3 => digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len()),
        _ => end,
    };
    let mut out = String::new();
    for (at, c) in digits[..end].chars().enumerate() {
        if at > 0 && (end - at) % every == 0 {
            out.push(separator);
        }
        out.push(c);
    }
    out + &digits[end..]
}

pub(super) fn float(budget: &Budget, number: f64, spec: &Spec) -> Fallible<String> {
    let size = number.abs();
    let negative = number.is_sign_negative() && !number.is_nan();
    let precision = spec.precision.unwrap_or(6).min(MOST_DIGITS);
    let text = match spec.kind {
        _ if !size.is_finite() => if size.is_nan() { "nan" } else { "inf" }.to_owned(),
        Some('f' | 'F') => format!("{size:.precision$}"),
        Some('e' | 'E') => scientific(size, precision),
        Some('g' | 'G') => general(size, precision.max(1), spec.alternate),
        Some('%') => format!("{:.precision$}%", size * 100.0),
        None | Some('n') => match spec.precision {
            None => float_repr(size),
            Some(precision) => {
                let text = general(size, precision.max(1), false);
                match text.contains(['.', 'e']) {
                    true => text,
                    false => text + ".0",
                }
            }
        },
        Some(kind) => {
            let problem = format!("Unknown format code '{kind}' for object of type 'float'");
            return Err(failed(problem));
        }
    };
    let text = match spec.kind {
        Some('E' | 'G' | 'F') => text.to_uppercase(),
        _ => text,
    };
    let prefix = sign(negative, spec);
    padded(budget, spec, prefix, &grouped(&text, spec, 3), 3)
}

fn scientific(size: f64, precision: usize) -> String {
    let text = format!("{size:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    exponential(digits, exponent.parse().unwrap_or(0))
}

/// `%g`: significant digits, with an exponent where it is shorter.
fn general(size: f64, precision: usize, keep_zeros: bool) -> String {
    let text = format!("{size:.*e}", precision - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let most = i32::try_from(precision).unwrap_or(i32::MAX);
    let trim = |text: &str| match text.contains('.') && !keep_zeros {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= most {
        return exponential(&trim(digits), exponent);
    }
    let places = usize::try_from(most - 1 - exponent).unwrap_or(0);
    trim(&format!("{size:.places$}"))
}
