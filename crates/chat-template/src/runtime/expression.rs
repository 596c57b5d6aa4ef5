//! Values of expressions.

use std::rc::Rc;
use std::sync::Arc;

use super::Runtime;
use crate::access;
use crate::ast::{Arguments, Comparator, Expr, ExprKind};
use crate::budget::Writer;
use crate::calls::Passed;
use crate::checks;
use crate::error::{Fallible, at, failed};
use crate::filters;
use crate::functions;
use crate::operators::{binary, compare, signed};
use crate::repr::write_text;
use crate::scope::Scope;
use crate::value::{Dict, Value};

impl Runtime {
    /// Whether an expression is true.
    pub(super) fn test(&self, expr: &Expr, scope: &Rc<Scope>) -> Fallible<bool> {
        Ok(self.eval(expr, scope)?.truth())
    }

    pub(super) fn eval(&self, expr: &Expr, scope: &Rc<Scope>) -> Fallible<Value> {
        self.budget.step(1)?;
        // What has no parts needs no level.
        match &*expr.kind {
            ExprKind::None => return Ok(Value::None),
            ExprKind::Bool(truth) => return Ok(Value::Bool(*truth)),
            ExprKind::Integer(number) => return Ok(Value::Integer(*number)),
            ExprKind::Float(number) => return Ok(Value::Float(*number)),
            ExprKind::Text(text) => return Ok(Value::Text(Arc::clone(text))),
            ExprKind::Name(name) => return self.variable(name, scope),
            _ => {}
        }
        let value = self.nest(|| self.compound(&expr.kind, scope));
        at(expr.line, value)
    }

    fn compound(&self, kind: &ExprKind, scope: &Rc<Scope>) -> Fallible<Value> {
        match kind {
            ExprKind::List(items) => self.budget.list(self.all(items, scope)?),
            ExprKind::Tuple(items) => self.budget.tuple(self.all(items, scope)?),
            ExprKind::Dict(items) => self.dict(items, scope),
            ExprKind::Attribute(value, name) => {
                access::attribute(&self.budget, &self.eval(value, scope)?, name)
            }
            ExprKind::Item(value, index) => {
                let value = self.eval(value, scope)?;
                access::item(&self.budget, &value, &self.eval(index, scope)?)
            }
            ExprKind::Slice(value, parts) => self.slice(value, parts, scope),
            ExprKind::Call(function, arguments) => {
                let function = self.eval(function, scope)?;
                let passed = self.passed(arguments, scope)?;
                self.call(&function, passed)
            }
            ExprKind::Filter(Some(value), name, arguments) => {
                let value = self.eval(value, scope)?;
                let passed = self.passed(arguments, scope)?;
                filters::apply(self, name, &value, &passed)
            }
            ExprKind::Filter(None, ..) => Err(failed("a filter without a value")),
            ExprKind::Test(value, name, arguments) => {
                let value = self.eval(value, scope)?;
                let passed = self.passed(arguments, scope)?;
                checks::holds(&self.budget, name, &value, &passed).map(Value::Bool)
            }
            ExprKind::Not(value) => Ok(Value::Bool(!self.test(value, scope)?)),
            ExprKind::Negative(value) => signed(&self.eval(value, scope)?, true),
            ExprKind::Positive(value) => signed(&self.eval(value, scope)?, false),
            ExprKind::Binary(first, others) => {
                let mut left = self.eval(first, scope)?;
                for (operator, right) in others {
                    let right = self.eval(right, scope)?;
                    left = binary(&self.budget, *operator, &left, &right)?;
                }
                Ok(left)
            }
            ExprKind::And(operands) => self.first(operands, false, scope),
            ExprKind::Or(operands) => self.first(operands, true, scope),
            ExprKind::Concat(operands) => self.concat(operands, scope),
            ExprKind::Compare(first, others) => self.compared(first, others, scope),
            ExprKind::Conditional(condition, value, otherwise) => {
                match (self.test(condition, scope)?, otherwise) {
                    (true, _) => self.eval(value, scope),
                    (false, Some(otherwise)) => self.eval(otherwise, scope),
                    (false, None) => Ok(Value::Undefined(Some(
                        "an `if` without `else` that was false".into(),
                    ))),
                }
            }
            // Handled by `eval`.
            ExprKind::None
            | ExprKind::Bool(_)
            | ExprKind::Integer(_)
            | ExprKind::Float(_)
            | ExprKind::Text(_)
            | ExprKind::Name(_) => Ok(Value::None),
        }
    }

    fn variable(&self, name: &Arc<str>, scope: &Rc<Scope>) -> Fallible<Value> {
        let (found, scopes) = scope.find(name);
        self.budget.step(scopes / 4)?;
        let found = found.or_else(|| functions::named(name));
        Ok(
            found
                .unwrap_or_else(|| Value::Undefined(Some(format!("'{name}' is undefined").into()))),
        )
    }

    fn all(&self, items: &[Expr], scope: &Rc<Scope>) -> Fallible<Vec<Value>> {
        items.iter().map(|item| self.eval(item, scope)).collect()
    }

    fn dict(&self, items: &[(Expr, Expr)], scope: &Rc<Scope>) -> Fallible<Value> {
        let mut dict = Dict::default();
        for (key, value) in items {
            let key = self.eval(key, scope)?;
            let value = self.eval(value, scope)?;
            dict.insert(&self.budget, key, value)?;
        }
        self.budget.dict(dict)
    }

    fn slice(&self, value: &Expr, parts: &[Option<Expr>; 3], scope: &Rc<Scope>) -> Fallible<Value> {
        let value = self.eval(value, scope)?;
        let mut found = [Value::None, Value::None, Value::None];
        for (place, part) in found.iter_mut().zip(parts) {
            if let Some(part) = part {
                *place = self.eval(part, scope)?;
            }
        }
        access::slice(&self.budget, &value, found.each_ref())
    }

    /// The first operand whose truth is `wanted`, or the last.
    fn first(&self, operands: &[Expr], wanted: bool, scope: &Rc<Scope>) -> Fallible<Value> {
        let mut value = Value::None;
        for operand in operands {
            value = self.eval(operand, scope)?;
            if value.truth() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn concat(&self, operands: &[Expr], scope: &Rc<Scope>) -> Fallible<Value> {
        let mut out = Writer::new(&self.budget);
        for operand in operands {
            write_text(&mut out, &self.eval(operand, scope)?)?;
        }
        Ok(out.finish())
    }

    fn compared(
        &self,
        first: &Expr,
        others: &[(Comparator, Expr)],
        scope: &Rc<Scope>,
    ) -> Fallible<Value> {
        let mut left = self.eval(first, scope)?;
        for (comparator, right) in others {
            let right = self.eval(right, scope)?;
            if !compare(&self.budget, *comparator, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// The filters of a `{% filter %}` or `{% set %}` block on what the block has written.
    pub(super) fn filtered(&self, expr: &Expr, value: Value, scope: &Rc<Scope>) -> Fallible<Value> {
        let ExprKind::Filter(inner, name, arguments) = &*expr.kind else {
            return Err(failed("a block with something else than filters"));
        };
        let value = match inner {
            Some(inner) => self.nest(|| self.filtered(inner, value, scope))?,
            None => value,
        };
        let passed = self.passed(arguments, scope)?;
        filters::apply(self, name, &value, &passed)
    }

    /// A call with a `caller`.
    pub(super) fn eval_call(
        &self,
        expr: &Expr,
        caller: Option<Value>,
        scope: &Rc<Scope>,
    ) -> Fallible<Value> {
        let ExprKind::Call(function, arguments) = &*expr.kind else {
            return self.eval(expr, scope);
        };
        let function = self.eval(function, scope)?;
        let mut passed = self.passed(arguments, scope)?;
        passed
            .named
            .extend(caller.map(|caller| (Arc::from("caller"), caller)));
        self.call(&function, passed)
    }

    fn passed(&self, arguments: &Arguments, scope: &Rc<Scope>) -> Fallible<Passed> {
        let mut passed = Passed {
            positional: self.all(&arguments.positional, scope)?,
            named: Vec::with_capacity(arguments.named.len()),
        };
        for (name, value) in &arguments.named {
            passed
                .named
                .push((Arc::clone(name), self.eval(value, scope)?));
        }
        if let Some(more) = &arguments.more {
            let more = self.eval(more, scope)?;
            more.defined()?;
            passed
                .positional
                .extend(access::items(&self.budget, &more)?);
        }
        if let Some(more) = &arguments.more_named {
            let more = self.eval(more, scope)?;
            let Value::Dict(dict) = &more else {
                return Err(failed("the argument after ** must be a mapping"));
            };
            self.budget.make_items(dict.len())?;
            for (key, value) in dict.entries.values() {
                let name = crate::calls::text("a keyword", key)?;
                passed.named.push((Arc::clone(name), value.clone()));
            }
        }
        Ok(passed)
    }
}
