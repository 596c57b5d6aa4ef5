//! Escapes in the texts of a template, as in Python.

/// The text that stands between quotation marks. Unknown escapes stay as they are.
pub(crate) fn unescape(text: &str) -> Result<String, String> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            return Err("a `\\` at the end of a text".into());
        };
        let taken = match c {
            'x' => hexadecimal(rest, 2, &mut out)?,
            'u' => hexadecimal(rest, 4, &mut out)?,
            'U' => hexadecimal(rest, 8, &mut out)?,
            '0'..='7' => octal(rest, &mut out)?,
            'N' => return Err("characters by name, `\\N{...}`, are not supported".into()),
            _ => {
                match simple(c) {
                    Some(one) => out.push_str(one),
                    None => {
                        out.push('\\');
                        out.push(c);
                    }
                }
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    Ok(out)
}

fn simple(c: char) -> Option<&'static str> {
    Some(match c {
        '\n' => "",
        '\\' => "\\",
        '\'' => "'",
        '"' => "\"",
        'a' => "\x07",
        'b' => "\x08",
        'f' => "\x0c",
        'n' => "\n",
        'r' => "\r",
        't' => "\t",
        'v' => "\x0b",
        _ => return None,
    })
}

/// `xHH`, `uHHHH`, `UHHHHHHHH`: how many bytes it takes.
fn hexadecimal(rest: &str, digits: usize, out: &mut String) -> Result<usize, String> {
    let code = |text: &str| {
        let found = text.get(1..=digits)?;
        let hexadecimal = found.bytes().all(|byte| byte.is_ascii_hexdigit());
        hexadecimal.then(|| u32::from_str_radix(found, 16).ok())?
    };
    let number = code(rest).ok_or_else(|| format!("a `\\` escape without {digits} digits"))?;
    // Two halves of a character, as JSON writes them.
    if (0xd800..0xdc00).contains(&number)
        && let Some(next) = rest[1 + digits..].strip_prefix('\\')
        && let Some(low) = code(next)
        && (0xdc00..0xe000).contains(&low)
    {
        let joined = 0x10000 + ((number - 0xd800) << 10) + (low - 0xdc00);
        out.extend(char::from_u32(joined));
        return Ok(2 * (1 + digits) + 1);
    }
    let c = char::from_u32(number).ok_or("an escape that is no character")?;
    out.push(c);
    Ok(1 + digits)
}

fn octal(rest: &str, out: &mut String) -> Result<usize, String> {
    let is_octal = |byte: &u8| (b'0'..=b'7').contains(byte);
    let length = rest.bytes().take(3).take_while(is_octal).count();
    let number = u32::from_str_radix(&rest[..length], 8).map_err(|error| error.to_string())?;
    out.extend(char::from_u32(number));
    Ok(length)
}
