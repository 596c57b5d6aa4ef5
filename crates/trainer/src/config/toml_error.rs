//! A TOML error in one line, with file, line and key.

/// The error; `text` is the file's, where there is one.
pub(super) fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(" ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        // Of a table that was put together: toml says where, behind the message.
        let told = error.to_string();
        let place = told.lines().find(|line| line.starts_with("in `"));
        return place.map_or(message.clone(), |place| format!("{message} {place}"));
    };
    let line = line_of_key(&message, before.matches('\n').count(), text);
    let quoted = text.lines().nth(line).unwrap_or_default().trim();
    let message = match key_of(line, text) {
        Some(key) if !message.starts_with("unknown field") => {
            let rest = told_key(&message).map_or(&*message, |(_, rest)| rest);
            format!("`{key}`: {rest}")
        }
        _ => message,
    };
    format!("line {} (`{quoted}`): {message}", line + 1)
}

/// The key that a message begins with, and the rest.
fn told_key(message: &str) -> Option<(&str, &str)> {
    message.strip_prefix('`')?.split_once("`: ")
}

/// The key that is set in a line, with its section.
fn key_of(line: usize, text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    let (last, before) = lines.split_last()?;
    let (key, _) = last.split_once('=')?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let key = key.trim();
    if key.is_empty() || !key.chars().all(plain) {
        return None;
    }
    let header = |line: &&&str| line.trim_start().starts_with('[');
    let Some(header) = before.iter().rev().find(header) else {
        return Some(key.into());
    };
    let section = header.trim_start().trim_start_matches('[');
    let (section, _) = section.split_once(']')?;
    match section.chars().all(plain) {
        true => Some(format!("{section}.{key}")),
        false => None, // A list over several lines, perhaps.
    }
}

/// Where an error is told of a whole section, the line of the key that its message begins with.
fn line_of_key(message: &str, section: usize, text: &str) -> usize {
    let Some((key, _)) = told_key(message) else {
        return section;
    };
    let mut lines = text.lines().enumerate().skip(section + 1);
    let is_of_section = |(_, line): &(usize, &str)| !line.trim_start().starts_with('[');
    let names_key = |(_, line): &(usize, &str)| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let found = lines.by_ref().take_while(is_of_section).find(names_key);
    found.map_or(section, |(line, _)| line)
}
