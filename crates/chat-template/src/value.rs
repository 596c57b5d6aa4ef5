//! Values as Python has them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::budget::Budget;
use crate::error::{Fallible, failed, limit};
use crate::objects::Object;

/// A value. Texts are counted atomically, since constants live in the template; all else belongs to one rendering.
#[derive(Clone)]
pub(crate) enum Value {
    /// With what could not be found.
    Undefined(Option<Arc<str>>),
    None,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Arc<str>),
    /// Text that is HTML already (`|e`).
    Markup(Arc<str>),
    List(Rc<Items>),
    Tuple(Rc<Items>),
    Dict(Rc<Dict>),
    /// Keys, values or items of a dict.
    View(View, Rc<Dict>),
    Range(Range),
    /// What filters such as `map` give: it can be gone through once.
    Generator(Rc<Generator>),
    Object(Rc<Object>),
}

/// What is left of a generator.
pub(crate) struct Generator {
    pub items: RefCell<VecDeque<Value>>,
    /// As of [`Items`].
    pub depth: u32,
}

/// Items of a list or tuple.
pub(crate) struct Items {
    pub items: Vec<Value>,
    /// How deep lists, tuples and dicts are nested in it, itself included.
    pub depth: u32,
    /// It is what `groupby` gives: a tuple whose two items have names.
    pub is_group: bool,
}

/// Keys and values in the order in which they were put in.
#[derive(Default)]
pub(crate) struct Dict {
    pub entries: IndexMap<Key, (Value, Value)>,
    /// As of [`Items`].
    pub depth: u32,
}

/// What of a dict a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Keys,
    Values,
    Items,
}

/// `range(start, stop, step)`; the step is never 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub start: i128,
    pub stop: i128,
    pub step: i128,
}

/// A value as a key: 1, 1.0 and true are the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    None,
    Integer(i128),
    /// Bits of a number that is not whole.
    Float(u64),
    Text(Arc<str>),
    Tuple(Vec<Key>),
    /// The address of what is only equal to itself.
    Object(usize),
}

impl Range {
    pub fn len(&self) -> usize {
        let (span, step) = match self.step > 0 {
            true => (self.stop.saturating_sub(self.start), self.step),
            false => (
                self.start.saturating_sub(self.stop),
                self.step.saturating_neg(),
            ),
        };
        match span > 0 {
            true => usize::try_from((span - 1) / step + 1).unwrap_or(usize::MAX),
            false => 0,
        }
    }

    pub fn get(&self, index: usize) -> Value {
        let index = i128::try_from(index).unwrap_or(i128::MAX);
        Value::Integer(self.start.saturating_add(self.step.saturating_mul(index)))
    }

    pub fn contains(&self, number: i128) -> bool {
        let within = match self.step > 0 {
            true => self.start <= number && number < self.stop,
            false => self.stop < number && number <= self.start,
        };
        let offset = number.checked_sub(self.start);
        within && offset.is_some_and(|offset| offset % self.step == 0)
    }
}

impl Dict {
    /// The value of a key that is a text.
    pub fn get(&self, name: &Arc<str>) -> Option<&Value> {
        let entry = self.entries.get(&Key::Text(Arc::clone(name)));
        entry.map(|(_, value)| value)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn insert(&mut self, budget: &Budget, key: Value, value: Value) -> Fallible<()> {
        let hashed = Key::of(budget, &key)?;
        let inner = depth_of(&key).max(depth_of(&value)) + 1;
        self.depth = self.depth.max(inner);
        match self.entries.get_mut(&hashed) {
            Some(entry) => entry.1 = value,
            None => {
                self.entries.insert(hashed, (key, value));
            }
        }
        Ok(())
    }
}

/// How deep a value is nested.
pub(crate) fn depth_of(value: &Value) -> u32 {
    match value {
        Value::List(list) | Value::Tuple(list) => list.depth,
        Value::Dict(dict) | Value::View(_, dict) => dict.depth,
        Value::Generator(generator) => generator.depth,
        Value::Object(object) => object.depth(),
        _ => 0,
    }
}

impl Key {
    pub fn of(budget: &Budget, value: &Value) -> Fallible<Self> {
        Self::bounded(budget, value, &mut 10_000)
    }

    /// A tuple may hold one other many times, so its parts are counted.
    fn bounded(budget: &Budget, value: &Value, left: &mut usize) -> Fallible<Self> {
        *left = left
            .checked_sub(1)
            .ok_or_else(|| limit("a tuple that is too large for a key"))?;
        Ok(match value {
            Value::None => Self::None,
            Value::Bool(truth) => Self::Integer(i128::from(*truth)),
            Value::Integer(number) => Self::Integer(*number),
            Value::Float(number) => match crate::numbers::whole(*number) {
                Some(whole) => Self::Integer(whole),
                None => Self::Float(number.to_bits()),
            },
            Value::Text(text) | Value::Markup(text) => {
                budget.look(text.len())?;
                Self::Text(Arc::clone(text))
            }
            Value::Tuple(tuple) => {
                budget.step(tuple.items.len() as u64)?;
                let items = tuple.items.iter();
                Self::Tuple(
                    items
                        .map(|item| Self::bounded(budget, item, left))
                        .collect::<Fallible<_>>()?,
                )
            }
            Value::Range(range) => {
                let parts = [range.start, range.stop, range.step].map(Self::Integer);
                Self::Tuple([&[Self::None][..], &parts].concat())
            }
            Value::Object(object) => Self::Object(Rc::as_ptr(object).addr()),
            Value::Undefined(_) => Self::Object(0),
            other => {
                return Err(failed(format!("unhashable type: '{}'", other.type_name())));
            }
        })
    }
}

impl Value {
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&Arc<str>> {
        match self {
            Self::Text(text) | Self::Markup(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether it counts as true.
    pub fn truth(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(truth) => *truth,
            Self::Integer(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) | Self::Markup(text) => !text.is_empty(),
            Self::List(list) | Self::Tuple(list) => !list.items.is_empty(),
            Self::Dict(dict) | Self::View(_, dict) => dict.len() > 0,
            Self::Range(range) => range.len() > 0,
            Self::Generator(_) => true,
            Self::Object(object) => object.truth(),
        }
    }

    /// The name of its type in Python.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Markup(_) => "Markup",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::View(View::Keys, _) => "dict_keys",
            Self::View(View::Values, _) => "dict_values",
            Self::View(View::Items, _) => "dict_items",
            Self::Range(_) => "range",
            Self::Generator(_) => "generator",
            Self::Object(object) => object.type_name(),
        }
    }

    /// The whole number that it is, where Python takes one (a bool is one).
    pub fn as_integer(&self) -> Option<i128> {
        match self {
            Self::Bool(truth) => Some(i128::from(*truth)),
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The number that it is.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.as_integer().map(|number| number as f64),
        }
    }

    /// What it takes to say that it is undefined.
    pub fn undefined_error(&self) -> Option<Box<crate::Error>> {
        match self {
            Self::Undefined(Some(what)) => Some(failed(&**what)),
            Self::Undefined(None) => Some(failed("a value is undefined")),
            _ => None,
        }
    }

    /// The same, unless it is undefined.
    pub fn defined(&self) -> Fallible<&Self> {
        self.undefined_error().map_or(Ok(self), Err)
    }

    /// Whether Python has a `len` for it.
    pub fn has_length(&self) -> bool {
        self.as_text().is_some() || self.length().is_some()
    }

    /// How many items it has; none where Python has no `len` for it.
    pub fn length(&self) -> Option<usize> {
        Some(match self {
            Self::Undefined(_) => 0,
            Self::Text(text) | Self::Markup(text) => text.chars().count(),
            Self::List(list) | Self::Tuple(list) => list.items.len(),
            Self::Dict(dict) | Self::View(_, dict) => dict.len(),
            Self::Range(range) => range.len(),
            Self::Object(object) => return object.length(),
            _ => return None,
        })
    }
}
