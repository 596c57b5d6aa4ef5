//! What `transformers` adds to Jinja: `raise_exception`, `strftime_now`, and `tojson` as Python writes JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use chrono::format::StrftimeItems;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::python_json;

/// Marks an error as the template's own.
pub(super) const REFUSAL: &str = "raise_exception: ";

pub(super) fn add(environment: &mut Environment<'static>, unix_seconds: u64) {
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", move |format: &str| {
        strftime(format, unix_seconds)
    });
    environment.add_filter("tojson", tojson);
}

/// Seconds since 1970; 0 on a machine whose clock is before that.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn raise_exception(message: &str) -> Result<Value, Error> {
    Err(Error::new(
        ErrorKind::InvalidOperation,
        format!("{REFUSAL}{message}"),
    ))
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn tojson(value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    // Accepted and without meaning here: text is never escaped, keys keep their order.
    for ignored in ["ensure_ascii", "sort_keys", "separators"] {
        let _: Option<Value> = kwargs.get(ignored)?;
    }
    kwargs.assert_all_used()?;
    python_json::to_string(value, indent)
        .map(Value::from_safe_string)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// A time in UTC, in the codes of `strftime`.
fn strftime(format: &str, unix_seconds: u64) -> Result<String, Error> {
    let refused = |message: String| Error::new(ErrorKind::InvalidOperation, message);
    let codes = StrftimeItems::new(format)
        .parse()
        .map_err(|_| refused(format!("strftime_now: no codes of strftime: `{format}`")))?;
    i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map(|time| time.format_with_items(codes.iter()).to_string())
        .ok_or_else(|| refused(format!("strftime_now: {unix_seconds} s is no date")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "Thu 01 January 1970 00:00:00"),
            (951_827_696, "Tue 29 February 2000 12:34:56"),
            (1_721_952_000, "Fri 26 July 2024 00:00:00"),
            (4_102_444_799, "Thu 31 December 2099 23:59:59"),
        ] {
            assert_eq!(
                strftime("%a %d %B %Y %H:%M:%S", seconds).expect("known codes"),
                expected
            );
        }
        assert_eq!(
            strftime("%d %b %y 100%%", 0).expect("known codes"),
            "01 Jan 70 100%"
        );
        for (format, seconds) in [("%!", 0), ("%", 0), ("%Y", u64::MAX)] {
            assert!(strftime(format, seconds).is_err(), "{format} {seconds}");
        }
    }
}
