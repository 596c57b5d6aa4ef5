//! How a difference is written.

/// A number with its sign and so many decimals. What rounds to nothing has a plus, whichever side it is on.
pub fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| matches!(c, '0' | '.')) => format!("+{digits}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_minus() {
        for (value, decimals, expected) in [
            (-0.04, 1, "+0.0"),
            (-0.0, 1, "+0.0"),
            (0.04, 1, "+0.0"),
            (-0.06, 1, "-0.1"),
            (-0.4, 0, "+0"),
            (1.25, 2, "+1.25"),
            (-1.0, 3, "-1.000"),
            (f64::NEG_INFINITY, 1, "-inf"),
        ] {
            assert_eq!(signed(value, decimals), expected);
        }
    }
}
