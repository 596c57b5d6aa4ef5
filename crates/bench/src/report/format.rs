//! Numbers as a reader sees them. What was not measured, or is not finite, is a dash.

use super::system::{Estimate, MeanSe};

/// Shown for a measurement that was not made.
pub const MISSING: &str = "–";

/// An accuracy or a loss with three decimals.
pub fn decimal(value: Option<f64>) -> String {
    finite(value).map_or(MISSING.into(), |v| format!("{v:.3}"))
}

/// A length or a speed with one decimal.
pub fn one_decimal(value: Option<f64>) -> String {
    finite(value).map_or(MISSING.into(), |v| format!("{v:.1}"))
}

/// A share as a whole percentage.
pub fn percent(value: Option<f64>) -> String {
    finite(value).map_or(MISSING.into(), |v| format!("{:.0} %", v * 100.0))
}

/// Mean and standard error: `0.950 ± 0.012`.
pub fn mean_se(value: MeanSe) -> String {
    match (finite(value.mean), finite(value.se)) {
        (Some(mean), Some(se)) => format!("{mean:.3} ± {se:.3}"),
        (mean, _) => decimal(mean),
    }
}

/// Value and interval: `0.61 [0.55, 0.67]`.
pub fn estimate(value: Estimate) -> String {
    match (finite(value.value), finite(value.low), finite(value.high)) {
        (Some(mean), Some(low), Some(high)) => format!("{mean:.2} [{low:.2}, {high:.2}]"),
        (Some(mean), ..) => format!("{mean:.2}"),
        _ => MISSING.into(),
    }
}

/// [`estimate`] with one decimal: `12.3 [10.9, 14.0]`.
pub fn short_estimate(value: Estimate) -> String {
    match (finite(value.value), finite(value.low), finite(value.high)) {
        (Some(mean), Some(low), Some(high)) => format!("{mean:.1} [{low:.1}, {high:.1}]"),
        (Some(mean), ..) => format!("{mean:.1}"),
        _ => MISSING.into(),
    }
}

/// A count with thousands separated: `23,299`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// [`count`] of what may be missing.
pub fn maybe_count(value: Option<u64>) -> String {
    value.map_or(MISSING.into(), count)
}

/// Memory in binary units: `412 MiB`, `5.3 GiB`.
pub fn bytes(value: Option<u64>) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    match value {
        None => MISSING.into(),
        Some(v) if (v as f64) < 1024.0 * MIB => format!("{:.0} MiB", v as f64 / MIB),
        Some(v) => format!("{:.1} GiB", v as f64 / MIB / 1024.0),
    }
}

/// A time: `42 s`, `2 min 51 s`, `1 h 30 min`.
pub fn seconds(value: Option<f64>) -> String {
    let Some(value) = finite(value).filter(|v| *v >= 0.0) else {
        return MISSING.into();
    };
    if value < 10.0 {
        return format!("{value:.1} s");
    }
    let whole = value.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// Number of words of a response.
pub fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// `text` cut to `limit` characters, the last one a `…` where something is missing.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Sort key that puts user `2` before user `10`, and numbers before names.
pub fn natural_key(id: &str) -> (bool, u64, &str) {
    match id.parse() {
        Ok(number) => (false, number, id),
        Err(_) => (true, 0, id),
    }
}

/// `None` for what is not finite.
pub fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_not_finite_are_a_dash() {
        assert_eq!(decimal(None), MISSING);
        assert_eq!(decimal(Some(f64::NAN)), MISSING);
        assert_eq!(percent(None), MISSING);
        assert_eq!(bytes(None), MISSING);
        assert_eq!(seconds(Some(f64::INFINITY)), MISSING);
        assert_eq!(mean_se(MeanSe::default()), MISSING);
        assert_eq!(estimate(Estimate::default()), MISSING);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(134_515_008), "134,515,008");
        assert_eq!(bytes(Some(432_013_312)), "412 MiB");
        assert_eq!(bytes(Some(5_690_831_667)), "5.3 GiB");
        assert_eq!(seconds(Some(171.4)), "2 min 51 s");
        assert_eq!(seconds(Some(5400.0)), "1 h 30 min");
        assert_eq!(seconds(Some(0.25)), "0.2 s");
        assert_eq!(
            mean_se(MeanSe {
                mean: Some(0.95),
                se: None
            }),
            "0.950"
        );
        assert_eq!(shorten("abcdef", 4), "abc…");
    }

    #[test]
    fn users_sort_as_people_count() {
        let mut ids = ["10", "2", "ann", "1"];
        ids.sort_by(|a, b| natural_key(a).cmp(&natural_key(b)));
        assert_eq!(ids, ["1", "2", "10", "ann"]);
    }
}
