//! Variables, and where they can be seen.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::value::Value;

/// The variables of a body, and the scope around it.
#[derive(Default)]
pub(crate) struct Scope {
    variables: RefCell<HashMap<Arc<str>, Value>>,
    around: Option<Rc<Scope>>,
}

impl Scope {
    pub fn within(around: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self {
            variables: RefCell::default(),
            around: Some(Rc::clone(around)),
        })
    }

    pub fn set(&self, name: &Arc<str>, value: Value) {
        self.variables.borrow_mut().insert(Arc::clone(name), value);
    }

    pub fn get(&self, name: &str) -> Option<Value> {
        self.find(name).0
    }

    /// The variable, and how many scopes were looked into.
    pub fn find(&self, name: &str) -> (Option<Value>, u64) {
        let (mut scope, mut looked) = (Some(self), 0);
        while let Some(here) = scope {
            looked += 1;
            if let Some(value) = here.variables.borrow().get(name) {
                return (Some(value.clone()), looked);
            }
            scope = here.around.as_deref();
        }
        (None, looked)
    }

    /// Forgets all, so that what refers back to it is no leak.
    pub fn clear(&self) {
        let variables = std::mem::take(&mut *self.variables.borrow_mut());
        drop(variables);
    }
}
