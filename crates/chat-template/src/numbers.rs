//! Numbers as Python reads and writes them.

/// The whole number that a float is, if it is one.
pub(crate) fn whole(number: f64) -> Option<i128> {
    // Beyond this a cast would saturate.
    let fits = number.fract() == 0.0 && number.abs() < 1e38;
    fits.then_some(number as i128)
}

/// `repr(number)`: the shortest digits that are read back as it, with an exponent where Python writes one.
pub(crate) fn float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return match plain.contains('.') {
            true => plain,
            false => plain + ".0",
        };
    }
    exponential(digits, exponent)
}

/// Digits with an exponent of at least two digits and its sign.
pub(crate) fn exponential(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// `int(text, base)`.
pub(crate) fn parse_integer(text: &str, base: u32) -> Option<i128> {
    let text = text.trim_matches(crate::lexer::is_space);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let stated = prefixes
        .iter()
        .find_map(|(prefix, radix)| Some((lower.strip_prefix(prefix)?, *radix)));
    let (digits, base) = match (stated, base) {
        (Some((rest, radix)), 0) => (rest.strip_prefix('_').unwrap_or(rest), radix),
        (Some((rest, radix)), base) if radix == base => {
            (rest.strip_prefix('_').unwrap_or(rest), radix)
        }
        (_, 0) => (lower.as_str(), 10),
        (_, base) => (lower.as_str(), base),
    };
    if !(2..=36).contains(&base) {
        return None;
    }
    let clean = without_underscores(digits)?;
    let ascii: String = clean
        .chars()
        .map(|c| decimal_value(c).map_or(c, |value| char::from(b'0' + value)))
        .collect();
    if ascii.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(&ascii, base).ok()?;
    Some(if negative { -number } else { number })
}

/// `float(text)`.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(crate::lexer::is_space);
    let clean = without_underscores(text)?;
    let lower = clean.to_ascii_lowercase();
    let name = lower.trim_start_matches(['+', '-']);
    let named = ["inf", "infinity", "nan"].contains(&name);
    let numeric = !name.is_empty()
        && lower
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | '+' | '-'));
    (named || numeric).then(|| lower.parse().ok())?
}

/// Digits without the single underscores between them.
fn without_underscores(digits: &str) -> Option<String> {
    let bad = digits.is_empty()
        || digits.starts_with('_')
        || digits.ends_with('_')
        || digits.contains("__");
    (!bad).then(|| digits.replace('_', ""))
}

/// The value of a decimal digit of any script.
pub(crate) fn decimal_value(c: char) -> Option<u8> {
    /// Where the ten digits of a script begin (Unicode's category Nd, the scripts in use).
    const ZEROS: [u32; 37] = [
        0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
        0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
        0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
        0xff10,
    ];
    let code = u32::from(c);
    let zero = ZEROS.iter().rev().find(|zero| **zero <= code)?;
    u8::try_from(code - zero).ok().filter(|value| *value < 10)
}

/// `round(number, digits)`: half to even, by what the number exactly is.
pub(crate) fn round(number: f64, digits: i32) -> f64 {
    if !number.is_finite() || digits > 300 {
        return number;
    }
    if digits >= 0 {
        let places = usize::try_from(digits).unwrap_or(0);
        return format!("{number:.places$}").parse().unwrap_or(number);
    }
    let unit = 10f64.powi(-digits);
    (number / unit).round_ties_even() * unit
}
