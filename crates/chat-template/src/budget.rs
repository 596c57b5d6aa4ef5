//! How much a rendering may do: steps, and bytes of what it makes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Fallible, exhausted, limit};
use crate::objects::Object;
use crate::value::{Dict, Generator, Items, Value, depth_of};

/// What a rendering may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Evaluations of expressions and statements.
    pub steps: u64,
    /// Bytes of all texts and lists that are made on the way, also of those given up again.
    pub bytes: u64,
}

impl Default for Limits {
    /// Some seconds, and a quarter of a GiB.
    fn default() -> Self {
        Self {
            steps: 20_000_000,
            bytes: 256 << 20,
        }
    }
}

/// Lists in lists.
const DEEPEST: u32 = 200;
/// Of an item in a list.
const ITEM_BYTES: u64 = 48;
/// Of an entry in a dict.
const ENTRY_BYTES: u64 = 160;

/// Of a namespace, a macro and its scope, a loop.
const OBJECT_BYTES: u64 = 500;

/// What is left.
pub(crate) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

fn spend(left: &Cell<u64>, cost: u64) -> bool {
    let rest = left.get().checked_sub(cost);
    left.set(rest.unwrap_or(0));
    rest.is_some()
}

impl Budget {
    pub fn new(limits: Limits) -> Self {
        Self {
            steps: Cell::new(limits.steps),
            bytes: Cell::new(limits.bytes),
        }
    }

    /// Something is done that takes so long.
    pub fn step(&self, cost: u64) -> Fallible<()> {
        match spend(&self.steps, cost) {
            true => Ok(()),
            false => Err(exhausted("the template takes too many steps")),
        }
    }

    /// So many bytes are looked at in one sweep, as comparing and searching do.
    pub fn look(&self, bytes: usize) -> Fallible<()> {
        self.step(bytes as u64 / 64)
    }

    /// So many bytes are read character by character.
    pub fn read(&self, bytes: usize) -> Fallible<()> {
        self.step(bytes as u64 / 16)
    }

    /// So many bytes are about to be made.
    pub fn make(&self, bytes: usize) -> Fallible<()> {
        self.spend_bytes(bytes as u64)
    }

    /// So many entries of a dict are about to be made.
    pub fn make_entries(&self, entries: usize) -> Fallible<()> {
        self.spend_bytes((entries as u64).saturating_mul(ENTRY_BYTES))
    }

    /// So many items are about to be made.
    pub fn make_items(&self, items: usize) -> Fallible<()> {
        self.spend_bytes((items as u64).saturating_mul(ITEM_BYTES))
    }

    fn spend_bytes(&self, bytes: u64) -> Fallible<()> {
        match spend(&self.bytes, bytes) {
            true => self.step(bytes / 256),
            false => Err(exhausted("the template takes too much memory")),
        }
    }

    /// A text that was just made.
    pub fn text(&self, text: impl Into<Arc<str>>) -> Fallible<Value> {
        let text = text.into();
        self.make(text.len())?;
        Ok(Value::Text(text))
    }

    pub fn list(&self, items: Vec<Value>) -> Fallible<Value> {
        Ok(Value::List(Rc::new(self.items(items)?)))
    }

    pub fn tuple(&self, items: Vec<Value>) -> Fallible<Value> {
        Ok(Value::Tuple(Rc::new(self.items(items)?)))
    }

    /// What `groupby` gives.
    pub fn group(&self, grouper: Value, list: Vec<Value>) -> Fallible<Value> {
        let mut group = self.items(vec![grouper, self.list(list)?])?;
        group.is_group = true;
        Ok(Value::Tuple(Rc::new(group)))
    }

    pub fn items(&self, items: Vec<Value>) -> Fallible<Items> {
        self.make_items(items.len())?;
        let depth = 1 + items.iter().map(depth_of).max().unwrap_or(0);
        check_depth(depth)?;
        Ok(Items {
            items,
            depth,
            is_group: false,
        })
    }

    pub fn dict(&self, dict: Dict) -> Fallible<Value> {
        self.make_entries(dict.len())?;
        check_depth(dict.depth)?;
        Ok(Value::Dict(Rc::new(dict)))
    }

    pub fn generator(&self, items: Vec<Value>) -> Fallible<Value> {
        let Items { items, depth, .. } = self.items(items)?;
        Ok(Value::Generator(Rc::new(Generator {
            items: RefCell::new(items.into()),
            depth,
        })))
    }

    /// An object of its own; what it holds may not be too deep.
    pub fn object(&self, object: Object) -> Fallible<Value> {
        self.spend_bytes(OBJECT_BYTES)?;
        check_depth(object.depth())?;
        Ok(Value::Object(Rc::new(object)))
    }
}

/// Refuses what would be too deep to be compared, shown or dropped.
pub(crate) fn check_depth(depth: u32) -> Fallible<()> {
    match depth > DEEPEST {
        true => Err(limit(format!(
            "values nested more than {DEEPEST} levels deep"
        ))),
        false => Ok(()),
    }
}

/// A text in the making, of bounded size.
pub(crate) struct Writer<'b> {
    pub text: String,
    budget: &'b Budget,
    /// Namespaces within one another that are being shown.
    namespaces: u32,
}

/// Namespaces that are shown within one another.
const MOST_NAMESPACES: u32 = 20;

impl<'b> Writer<'b> {
    pub fn new(budget: &'b Budget) -> Self {
        Self {
            text: String::new(),
            budget,
            namespaces: 0,
        }
    }

    pub fn push(&mut self, text: &str) -> Fallible<()> {
        self.budget.step(1)?;
        self.budget.make(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    /// A text of so many bytes is about to be written in quotation marks: each character is looked up.
    pub fn quote(&self, bytes: usize) -> Fallible<()> {
        self.budget.step(bytes as u64 / 8)
    }

    /// The same character so many times.
    pub fn fill(&mut self, c: char, times: usize) -> Fallible<()> {
        self.budget.make(times.saturating_mul(c.len_utf8()))?;
        self.text.extend(std::iter::repeat_n(c, times));
        Ok(())
    }

    /// Counts a namespace while `inner` shows what it holds, which may be itself.
    pub fn namespace(&mut self, inner: impl FnOnce(&mut Self) -> Fallible<()>) -> Fallible<()> {
        self.namespaces += 1;
        if self.namespaces > MOST_NAMESPACES {
            return Err(limit("a namespace that holds itself cannot be shown"));
        }
        inner(self)?;
        self.namespaces -= 1;
        Ok(())
    }

    /// Its bytes are paid for already.
    pub fn finish(self) -> Value {
        Value::Text(self.text.into())
    }
}
