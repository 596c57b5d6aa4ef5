//! `text % values`.

use std::sync::Arc;

use super::{Spec, ascii, number};
use crate::budget::{Budget, Writer};
use crate::error::{Fallible, failed};
use crate::repr::{to_repr, to_text};
use crate::value::Value;

/// `text % values`: a tuple holds several, a dict those with names.
pub(crate) fn percent(budget: &Budget, text: &Value, values: &Value) -> Fallible<Value> {
    let format = text.as_text().map_or("", |text| &**text);
    let one = [values.clone()];
    let values_list: &[Value] = match values {
        Value::Tuple(tuple) => &tuple.items,
        _ => &one,
    };
    let mut state = State {
        budget,
        rest: format,
        values: values_list,
        used: 0,
        named: values,
        by_name: false,
    };
    let mut out = Writer::new(budget);
    while let Some(at) = state.rest.find('%') {
        out.push(&state.rest[..at])?;
        state.rest = &state.rest[at + 1..];
        let text = state.conversion()?;
        out.push(&text)?;
    }
    out.push(state.rest)?;
    let may_remain = state.by_name
        || matches!(
            values,
            Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_)
        );
    if state.used < values_list.len() && !may_remain {
        return Err(failed(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(out.finish())
}

struct State<'a> {
    budget: &'a Budget,
    rest: &'a str,
    values: &'a [Value],
    used: usize,
    named: &'a Value,
    by_name: bool,
}

impl State<'_> {
    fn next_char(&mut self) -> Fallible<char> {
        let c = self.rest.chars().next();
        let c = c.ok_or_else(|| failed("incomplete format"))?;
        self.rest = &self.rest[c.len_utf8()..];
        Ok(c)
    }

    fn take(&mut self) -> Fallible<Value> {
        let value = self.values.get(self.used).cloned();
        self.used += 1;
        value.ok_or_else(|| failed("not enough arguments for format string"))
    }

    /// What stands behind a `%`.
    fn conversion(&mut self) -> Fallible<String> {
        let value = self.name()?;
        let mut spec = Spec::default();
        let mut zeros = false;
        let mut left = false;
        while let Some(flag) = self.rest.chars().next().filter(|c| "#0- +".contains(*c)) {
            match flag {
                '#' => spec.alternate = true,
                '0' => zeros = true,
                '-' => left = true,
                '+' => spec.sign = '+',
                _ if spec.sign == '-' => spec.sign = ' ',
                _ => {}
            }
            self.next_char()?;
        }
        let (width, negative) = self.size()?.unwrap_or((0, false));
        (spec.width, left) = (width, left || negative);
        if self.rest.starts_with('.') {
            self.next_char()?;
            let precision = self.size()?.unwrap_or((0, false));
            spec.precision = Some(if precision.1 { 0 } else { precision.0 });
        }
        let mut kind = self.next_char()?;
        while "hlL".contains(kind) {
            kind = self.next_char()?;
        }
        if kind == '%' {
            return Ok("%".into());
        }
        spec.align = Some(if left { '<' } else { '>' });
        if zeros && !left && !"srac".contains(kind) {
            (spec.fill, spec.align) = ('0', Some('='));
        }
        let value = match value {
            Some(value) => value,
            None => self.take()?,
        };
        self.shown(&value, kind, spec)
    }

    /// The value of `%(name)s`.
    fn name(&mut self) -> Fallible<Option<Value>> {
        if !self.rest.starts_with('(') {
            return Ok(None);
        }
        let Value::Dict(dict) = self.named else {
            return Err(failed("format requires a mapping"));
        };
        let end = self.rest.find(')');
        let end = end.ok_or_else(|| failed("incomplete format key"))?;
        let name = &self.rest[1..end];
        self.budget.look(name.len())?;
        let value = dict.get(&name.into()).cloned();
        let value = value.ok_or_else(|| failed(format!("no key {}", super::named(name))))?;
        self.rest = &self.rest[end + 1..];
        self.by_name = true;
        Ok(Some(value))
    }

    /// A width or precision, and whether it is negative; `*` takes it from the values.
    fn size(&mut self) -> Fallible<Option<(usize, bool)>> {
        if self.rest.starts_with('*') {
            self.next_char()?;
            let size = self.take()?.as_integer();
            let size = size.ok_or_else(|| failed("* wants int"))?;
            let amount = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
            return Ok(Some((amount, size < 0)));
        }
        let mut digits: Vec<char> = self.rest.chars().take_while(char::is_ascii_digit).collect();
        self.rest = &self.rest[digits.len()..];
        Ok(super::number(&mut digits)?.map(|size| (size, false)))
    }

    fn shown(&self, value: &Value, kind: char, mut spec: Spec) -> Fallible<String> {
        // A text has no sign and no base, whatever the flags say.
        let bare = Spec {
            sign: '-',
            alternate: false,
            ..spec.clone()
        };
        let text = |text: Arc<str>| super::formatted_text(self.budget, &text, &bare);
        match kind {
            's' => text(to_text(self.budget, value)?),
            'r' => text(to_repr(self.budget, value)?),
            'a' => text(ascii(&to_repr(self.budget, value)?).into()),
            'c' => match (value.as_text(), value.as_integer()) {
                (Some(one), _) if one.chars().count() == 1 => text(Arc::clone(one)),
                (None, Some(_)) => {
                    spec.kind = Some('c');
                    number::integer(self.budget, value.as_integer().unwrap_or(0), &spec)
                }
                _ => Err(failed("%c requires int or char")),
            },
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' => self.integer(value, kind, spec),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = value.as_float().ok_or_else(|| {
                    let kind = value.type_name();
                    failed(format!("must be real number, not {kind}"))
                })?;
                spec.kind = Some(kind);
                number::float(self.budget, number, &spec)
            }
            kind => {
                let problem = format!(
                    "unsupported format character {}",
                    super::named(&kind.to_string())
                );
                Err(failed(problem))
            }
        }
    }

    fn integer(&self, value: &Value, kind: char, mut spec: Spec) -> Fallible<String> {
        let is_decimal = "diu".contains(kind);
        let whole = match value {
            Value::Float(number) if is_decimal => crate::numbers::whole(number.trunc()),
            other => other.as_integer(),
        };
        let whole = whole.ok_or_else(|| {
            let (wanted, found) = match is_decimal {
                true => ("a real number", value.type_name()),
                false => ("an integer", value.type_name()),
            };
            failed(format!("%{kind} format: {wanted} is required, not {found}"))
        })?;
        spec.kind = Some(if is_decimal { 'd' } else { kind });
        let Some(digits) = spec.precision.take() else {
            return number::integer(self.budget, whole, &spec);
        };
        // A precision is a number of digits.
        let bare = Spec {
            kind: spec.kind,
            sign: spec.sign,
            alternate: spec.alternate,
            width: digits + usize::from(whole < 0 || spec.sign != '-'),
            fill: '0',
            align: Some('='),
            ..Spec::default()
        };
        let text = number::integer(self.budget, whole, &bare)?;
        let outer = Spec {
            width: spec.width,
            align: spec
                .align
                .map(|align| if align == '=' { '>' } else { align }),
            ..Spec::default()
        };
        outer.pad(self.budget, "", &text, '>')
    }
}
