//! Runs the statements of a template.

mod call;
mod expression;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::access;
use crate::ast::{Loop, Macro, Statement, StatementKind, Target};
use crate::budget::{Budget, Limits, Writer};
use crate::error::{Fallible, at, failed, limit};
use crate::objects::{LoopState, MacroValue, Object};
use crate::repr::write_text;
use crate::scope::Scope;
use crate::value::Value;

/// Statements and expressions that are being run within one another; macros and recursive loops make it deep. It fits the
/// stack of a thread, whose frames are larger in a build without optimisation.
const DEEPEST: u32 = if cfg!(debug_assertions) { 200 } else { 400 };

/// One rendering.
pub(crate) struct Runtime {
    pub budget: Budget,
    /// Seconds since 1970.
    pub clock: u64,
    depth: Cell<u32>,
    /// All that can refer to itself, to be emptied at the end.
    namespaces: RefCell<Vec<Rc<Object>>>,
    captured: RefCell<Vec<Rc<Scope>>>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Done,
    Break,
    Continue,
}

impl Drop for Runtime {
    fn drop(&mut self) {
        for scope in self.captured.borrow().iter() {
            scope.clear();
        }
        for object in self.namespaces.borrow().iter() {
            if let Object::Namespace(values) = &**object {
                let values = std::mem::take(&mut *values.borrow_mut());
                drop(values);
            }
        }
    }
}

impl Runtime {
    pub fn new(limits: Limits, clock: u64) -> Self {
        Self {
            budget: Budget::new(limits),
            clock,
            depth: Cell::new(0),
            namespaces: RefCell::default(),
            captured: RefCell::default(),
        }
    }

    /// The text of a template with these variables.
    pub fn render(&self, body: &[Statement], variables: &Rc<Scope>) -> Fallible<String> {
        self.captured.borrow_mut().push(Rc::clone(variables));
        let mut out = Writer::new(&self.budget);
        self.run(body, variables, &mut out)?;
        Ok(out.text)
    }

    /// Keeps a namespace until the end.
    pub fn namespace(&self, object: Object) -> Fallible<Value> {
        let value = self.budget.object(object)?;
        if let Value::Object(object) = &value {
            self.namespaces.borrow_mut().push(Rc::clone(object));
        }
        Ok(value)
    }

    /// Counts a level while `inner` runs.
    fn nest<T>(&self, inner: impl FnOnce() -> Fallible<T>) -> Fallible<T> {
        let depth = self.depth.get() + 1;
        if depth > DEEPEST {
            return Err(limit("the template calls itself too deeply"));
        }
        self.depth.set(depth);
        let result = inner();
        self.depth.set(depth - 1);
        result
    }

    /// A body that no `break` leaves.
    fn run(&self, body: &[Statement], scope: &Rc<Scope>, out: &mut Writer<'_>) -> Fallible<()> {
        match self.block(body, scope, out)? {
            Flow::Done => Ok(()),
            Flow::Break | Flow::Continue => Err(failed("`break` or `continue` outside of a loop")),
        }
    }

    /// What a body writes.
    fn captured(&self, body: &[Statement], scope: &Rc<Scope>) -> Fallible<Value> {
        let mut out = Writer::new(&self.budget);
        self.run(body, scope, &mut out)?;
        Ok(out.finish())
    }

    fn block(&self, body: &[Statement], scope: &Rc<Scope>, out: &mut Writer<'_>) -> Fallible<Flow> {
        for statement in body {
            self.budget.step(1)?;
            let flow = self.nest(|| self.statement(statement, scope, out));
            match at(statement.line, flow)? {
                Flow::Done => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Done)
    }

    fn statement(
        &self,
        statement: &Statement,
        scope: &Rc<Scope>,
        out: &mut Writer<'_>,
    ) -> Fallible<Flow> {
        match &statement.kind {
            StatementKind::Data(text) => out.push(text)?,
            StatementKind::Print(expr) => {
                let value = self.eval(expr, scope)?;
                write_text(out, &value)?;
            }
            StatementKind::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.test(test, scope)? {
                        return self.block(body, scope, out);
                    }
                }
                return self.block(otherwise, scope, out);
            }
            StatementKind::For(found) => {
                let items = self.eval(&found.items, scope)?;
                return self.for_loop(found, &items, scope, 0, out);
            }
            StatementKind::Set(target, expr) => {
                let value = self.eval(expr, scope)?;
                self.assign(target, value, scope)?;
            }
            StatementKind::SetBlock(target, filter, body) => {
                let value = self.captured(body, &Scope::within(scope))?;
                let value = match filter {
                    Some(filter) => self.filtered(filter, value, scope)?,
                    None => value,
                };
                self.assign(target, value, scope)?;
            }
            StatementKind::With(values, body) => {
                let inner = Scope::within(scope);
                for (target, expr) in values {
                    let value = self.eval(expr, scope)?;
                    self.assign(target, value, &inner)?;
                }
                return self.block(body, &inner, out);
            }
            StatementKind::Macro(definition) => {
                let value = self.macro_value(definition, scope)?;
                scope.set(&definition.name, value);
            }
            StatementKind::CallBlock(call, definition) => {
                let caller = self.macro_value(definition, scope)?;
                let value = self.eval_call(call, Some(caller), scope)?;
                write_text(out, &value)?;
            }
            StatementKind::FilterBlock(filter, body) => {
                let value = self.captured(body, &Scope::within(scope))?;
                write_text(out, &self.filtered(filter, value, scope)?)?;
            }
            StatementKind::Scope(body) => return self.block(body, &Scope::within(scope), out),
            StatementKind::Break => return Ok(Flow::Break),
            StatementKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Done)
    }

    /// A macro that sees the variables of `scope`.
    fn macro_value(&self, definition: &Arc<Macro>, scope: &Rc<Scope>) -> Fallible<Value> {
        self.captured.borrow_mut().push(Rc::clone(scope));
        let found = MacroValue {
            definition: Arc::clone(definition),
            scope: Rc::clone(scope),
        };
        self.budget.object(Object::Macro(Rc::new(found)))
    }

    fn assign(&self, target: &Target, value: Value, scope: &Rc<Scope>) -> Fallible<()> {
        match target {
            Target::Name(name) => scope.set(name, value),
            Target::Attribute(name, attribute) => {
                let found = scope.get(name);
                let Some(Value::Object(object)) = &found else {
                    return Err(failed("cannot assign attribute on non-namespace object"));
                };
                let Object::Namespace(values) = &**object else {
                    return Err(failed("cannot assign attribute on non-namespace object"));
                };
                self.budget.make(attribute.len() + 64)?;
                let old = values.borrow_mut().insert(Arc::clone(attribute), value);
                drop(old);
            }
            Target::Tuple(targets) => {
                let values = access::items(&self.budget, &value)?;
                if values.len() != targets.len() {
                    let (wanted, found) = (targets.len(), values.len());
                    return Err(failed(format!(
                        "expected {wanted} values to unpack, found {found}"
                    )));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, scope)?;
                }
            }
        }
        Ok(())
    }

    /// The items of a loop that meet its condition.
    fn chosen(&self, found: &Loop, items: Vec<Value>, scope: &Rc<Scope>) -> Fallible<Vec<Value>> {
        let Some(condition) = &found.condition else {
            return Ok(items);
        };
        let mut chosen = Vec::new();
        for item in items {
            let inner = Scope::within(scope);
            self.assign(&found.target, item.clone(), &inner)?;
            if self.test(condition, &inner)? {
                chosen.push(item);
            }
        }
        Ok(chosen)
    }

    fn for_loop(
        &self,
        found: &Arc<Loop>,
        items: &Value,
        scope: &Rc<Scope>,
        depth: usize,
        out: &mut Writer<'_>,
    ) -> Fallible<Flow> {
        let items = access::items(&self.budget, items)?;
        let items = self.budget.items(self.chosen(found, items, scope)?)?;
        if items.items.is_empty() {
            return self.block(&found.otherwise, &Scope::within(scope), out);
        }
        let recursion = found
            .recursive
            .then(|| (Arc::clone(found), Rc::clone(scope)));
        let state = Rc::new(LoopState {
            items,
            index: Cell::new(0),
            depth,
            last_changed: RefCell::default(),
            recursion,
        });
        let shown = self.budget.object(Object::Loop(Rc::clone(&state)))?;
        let name: Arc<str> = "loop".into();
        for (index, item) in state.items.items.iter().enumerate() {
            self.budget.step(1)?;
            state.index.set(index);
            let inner = Scope::within(scope);
            inner.set(&name, shown.clone());
            self.assign(&found.target, item.clone(), &inner)?;
            match self.block(&found.body, &inner, out)? {
                Flow::Break => break,
                Flow::Done | Flow::Continue => {}
            }
        }
        Ok(Flow::Done)
    }
}
