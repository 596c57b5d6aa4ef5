//! `strftime` in the C locale, in UTC.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// The time in the codes of `strftime`; `None` if the seconds since 1970 are no date. Unknown codes stay as they are.
pub(crate) fn strftime(format: &str, unix_seconds: u64) -> Option<String> {
    let seconds = i64::try_from(unix_seconds).ok()?;
    let time = DateTime::from_timestamp(seconds, 0)?;
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = &rest[at + 1..];
        let flags = code.len() - code.trim_start_matches(['-', '_', '0', '^', '#']).len();
        let digits = code[flags..]
            .bytes()
            .take(3)
            .take_while(u8::is_ascii_digit)
            .count();
        let width = code[flags..flags + digits].parse().ok();
        let before = flags + digits;
        let mut letters = code[before..].chars();
        let modifier = code[before..].starts_with(['E', 'O']);
        if modifier {
            letters.next();
        }
        let letter = letters.next();
        let length = 1 + before + usize::from(modifier) + letter.map_or(0, char::len_utf8);
        let shown = letter.and_then(|letter| field(&time, letter));
        match shown {
            Some(field) => out.push_str(&flagged(field, &code[..flags], width)),
            None => out.push_str(&rest[at..at + length]),
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(out)
}

/// What a code stands for: a text, or a number with its width and what it is padded with.
enum Field {
    Text(String),
    Number(i64, usize, char),
}

fn flagged(field: Field, flags: &str, wanted: Option<usize>) -> String {
    let flag = |c| flags.contains(c);
    match field {
        Field::Number(number, width, pad) => {
            let width = wanted.unwrap_or(width);
            let pad = match (flag('_'), flag('0')) {
                (true, _) => ' ',
                (_, true) => '0',
                _ => pad,
            };
            match (flag('-'), pad) {
                (true, _) => number.to_string(),
                (false, '0') => format!("{number:0width$}"),
                (false, _) => format!("{number:width$}"),
            }
        }
        Field::Text(text) if flag('^') => text.to_uppercase(),
        Field::Text(text) if flag('#') => match text.chars().any(char::is_lowercase) {
            true => text.to_uppercase(),
            false => text.to_lowercase(),
        },
        Field::Text(text) => text,
    }
}

fn field(time: &DateTime<Utc>, code: char) -> Option<Field> {
    let zeros = |number: u32, width| Field::Number(number.into(), width, '0');
    let spaces = |number: u32| Field::Number(number.into(), 2, ' ');
    let text = |format: &str| Field::Text(time.format(format).to_string());
    let twelve = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let week = time.iso_week();
    Some(match code {
        'a' | 'A' | 'b' | 'B' | 'p' => text(&format!("%{code}")),
        'h' => text("%b"),
        'c' => text("%a %b %e %H:%M:%S %Y"),
        'C' => Field::Number(i64::from(time.year()).div_euclid(100), 2, '0'),
        'd' => zeros(time.day(), 2),
        'D' | 'x' => text("%m/%d/%y"),
        'e' => spaces(time.day()),
        'F' => text("%Y-%m-%d"),
        'f' => Field::Text("000000".into()),
        'g' => Field::Number(i64::from(week.year()).rem_euclid(100), 2, '0'),
        'G' => Field::Number(week.year().into(), 4, '0'),
        'H' => zeros(time.hour(), 2),
        'I' => zeros(twelve, 2),
        'j' => zeros(time.ordinal(), 3),
        'k' => spaces(time.hour()),
        'l' => spaces(twelve),
        'm' => zeros(time.month(), 2),
        'M' => zeros(time.minute(), 2),
        'n' => Field::Text("\n".into()),
        'P' => Field::Text(time.format("%p").to_string().to_lowercase()),
        'r' => text("%I:%M:%S %p"),
        'R' => text("%H:%M"),
        's' => Field::Number(time.timestamp(), 1, '0'),
        'S' => zeros(time.second(), 2),
        't' => Field::Text("\t".into()),
        'T' | 'X' => text("%H:%M:%S"),
        'u' => zeros(time.weekday().number_from_monday(), 1),
        'U' => text("%U"),
        'V' => zeros(week.week(), 2),
        'w' => zeros(time.weekday().num_days_from_sunday(), 1),
        'W' => text("%W"),
        'y' => Field::Number(i64::from(time.year()).rem_euclid(100), 2, '0'),
        'Y' => Field::Number(time.year().into(), 1, '0'),
        // A time without a zone, as `datetime.now()` gives it.
        'z' | 'Z' => Field::Text(String::new()),
        '%' => Field::Text("%".into()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::strftime;

    /// Expected values: Python's `datetime.datetime(...).strftime`.
    #[test]
    fn codes_are_those_of_python() {
        for (seconds, expected) in [
            (0, "Thu 01 January 1970 00:00:00"),
            (951_827_696, "Tue 29 February 2000 12:34:56"),
            (1_721_952_000, "Fri 26 July 2024 00:00:00"),
            (4_102_444_799, "Thu 31 December 2099 23:59:59"),
        ] {
            let shown = strftime("%a %d %B %Y %H:%M:%S", seconds);
            assert_eq!(shown.as_deref(), Some(expected));
        }
        for (format, expected) in [
            ("%-d %B %Y", "5 March 2024"),
            ("%I:%M %p", "02:05 PM"),
            ("%-I:%M %P", "2:05 pm"),
            ("%Y-%m-%dT%H:%M:%S%z", "2024-03-05T14:05:09"),
            ("%F %T %D %R", "2024-03-05 14:05:09 03/05/24 14:05"),
            ("%j %U %W %V %G %g %u %w", "065 09 10 10 2024 24 2 2"),
            ("%x %X|%c", "03/05/24 14:05:09|Tue Mar  5 14:05:09 2024"),
            ("%e|%k|%l|%_d|%_m", " 5|14| 2| 5| 3"),
            ("%^a %^B %h %C %y %s", "TUE MARCH Mar 20 24 1709647509"),
            ("100%% %f %n%t|%Z|", "100% 000000 \n\t||"),
            ("%Q %", "%Q %"),
            (
                "%Ey %Od %:z %5Y %05d %#a %#p",
                "24 05 %:z 02024 00005 TUE pm",
            ),
        ] {
            assert_eq!(strftime(format, 1_709_647_509).as_deref(), Some(expected));
        }
        assert_eq!(strftime("%Y", u64::MAX), None);
    }
}
