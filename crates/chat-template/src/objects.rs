//! Values with attributes of their own: namespaces, macros, loops, cyclers, functions and methods.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::ast;
use crate::scope::Scope;
use crate::value::{Items, Value, depth_of};

pub(crate) enum Object {
    /// `namespace()`: its attributes can be set. The rendering empties it at its end, so that a cycle is no leak.
    Namespace(RefCell<IndexMap<Arc<str>, Value>>),
    Macro(Rc<MacroValue>),
    Loop(Rc<LoopState>),
    /// Its items are a tuple.
    Cycler {
        items: Rc<Items>,
        position: Cell<usize>,
    },
    Joiner {
        separator: Value,
        used: Cell<bool>,
    },
    /// A function of the environment.
    Function(&'static str),
    /// A method and what it belongs to.
    Method(Value, Arc<str>),
}

/// A macro with the variables it can see.
pub(crate) struct MacroValue {
    pub definition: Arc<ast::Macro>,
    pub scope: Rc<Scope>,
}

/// The state of a `for`, `loop` in its body.
pub(crate) struct LoopState {
    pub items: Items,
    pub index: Cell<usize>,
    pub depth: usize,
    /// What `loop.changed` was last called with.
    pub last_changed: RefCell<Option<Vec<Value>>>,
    /// For `loop(...)`, if it is recursive: the statement, and the variables around it.
    pub recursion: Option<(Arc<ast::Loop>, Rc<Scope>)>,
}

impl Object {
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "Namespace",
            Self::Macro(_) => "Macro",
            Self::Loop(_) => "LoopContext",
            Self::Cycler { .. } => "Cycler",
            Self::Joiner { .. } => "Joiner",
            Self::Function(_) => "function",
            Self::Method(..) => "builtin_function_or_method",
        }
    }

    pub fn truth(&self) -> bool {
        match self {
            Self::Loop(state) => !state.items.items.is_empty(),
            _ => true,
        }
    }

    pub fn length(&self) -> Option<usize> {
        match self {
            Self::Loop(state) => Some(state.items.items.len()),
            _ => None,
        }
    }

    pub fn is_callable(&self) -> bool {
        matches!(
            self,
            Self::Macro(_)
                | Self::Function(_)
                | Self::Method(..)
                | Self::Joiner { .. }
                | Self::Loop(_)
        )
    }

    /// As of lists; a namespace may hold anything, for it is emptied before it is dropped.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Method(value, _) => 1 + depth_of(value),
            Self::Cycler { items, .. } => 1 + items.depth,
            Self::Loop(state) => state.items.depth,
            Self::Joiner { separator, .. } => 1 + depth_of(separator),
            _ => 1,
        }
    }
}
