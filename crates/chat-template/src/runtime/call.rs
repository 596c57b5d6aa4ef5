//! Calls of macros, loops, functions and methods.

use std::sync::Arc;

use super::Runtime;
use crate::access;
use crate::budget::Writer;
use crate::calls::Passed;
use crate::error::{Fallible, failed};
use crate::functions;
use crate::methods;
use crate::objects::{LoopState, MacroValue, Object};
use crate::operators::equal;
use crate::scope::Scope;
use crate::value::{Dict, Value};

impl Runtime {
    /// `function(...)`.
    pub(crate) fn call(&self, function: &Value, passed: Passed) -> Fallible<Value> {
        self.budget.step(1)?;
        function.defined()?;
        let Value::Object(object) = function else {
            let kind = function.type_name();
            return Err(failed(format!("'{kind}' object is not callable")));
        };
        match &**object {
            Object::Macro(found) => self.nest(|| self.call_macro(found, passed)),
            Object::Loop(state) => self.nest(|| self.call_loop(state, &passed)),
            Object::Function(name) => functions::call(self, name, &passed),
            Object::Method(value, name) => self.method(value, name, &passed),
            Object::Joiner { separator, used } => {
                passed.none("joiner")?;
                Ok(match used.replace(true) {
                    true => separator.clone(),
                    false => Value::text(""),
                })
            }
            Object::Namespace(_) | Object::Cycler { .. } => {
                let kind = object.type_name();
                Err(failed(format!("'{kind}' object is not callable")))
            }
        }
    }

    fn method(&self, value: &Value, name: &Arc<str>, passed: &Passed) -> Fallible<Value> {
        let Value::Object(object) = value else {
            return methods::call(&self.budget, value, name, passed);
        };
        match (&**object, &**name) {
            (Object::Loop(state), "cycle") => {
                let items = &passed.positional;
                match items.is_empty() {
                    true => Err(failed("no items for cycling given")),
                    false => Ok(items[state.index.get() % items.len()].clone()),
                }
            }
            (Object::Loop(state), _) => self.changed(state, passed),
            (Object::Cycler { items, position }, "next") => {
                let at = position.get();
                position.set((at + 1) % items.items.len());
                Ok(items.items[at].clone())
            }
            (Object::Cycler { position, .. }, _) => {
                position.set(0);
                Ok(Value::None)
            }
            _ => Err(failed(format!("no method `{name}`"))),
        }
    }

    fn changed(&self, state: &LoopState, passed: &Passed) -> Fallible<Value> {
        let now = passed.positional.clone();
        let last = state.last_changed.replace(Some(now.clone()));
        let Some(last) = last else {
            return Ok(Value::Bool(true));
        };
        let mut same = last.len() == now.len();
        for (a, b) in last.iter().zip(&now) {
            same = same && equal(&self.budget, a, b)?;
        }
        Ok(Value::Bool(!same))
    }

    /// `loop(items)` in a recursive loop.
    fn call_loop(&self, state: &LoopState, passed: &Passed) -> Fallible<Value> {
        let Some((statement, scope)) = &state.recursion else {
            return Err(failed("the loop is not marked `recursive`"));
        };
        let items = passed.one("loop", "iterable")?;
        let mut out = Writer::new(&self.budget);
        self.for_loop(statement, items, scope, state.depth + 1, &mut out)?;
        Ok(out.finish())
    }

    fn call_macro(&self, found: &MacroValue, passed: Passed) -> Fallible<Value> {
        let definition = &found.definition;
        let name = &definition.name;
        let inner = Scope::within(&found.scope);
        let mut named = passed.named;
        let given = named.len() as u64;
        let mut take = |wanted: &str| {
            let at = named.iter().position(|(name, _)| &**name == wanted)?;
            Some(named.remove(at).1)
        };
        let first_default = definition.parameters.len() - definition.defaults.len();
        let mut positional = passed.positional.into_iter();
        for (at, parameter) in definition.parameters.iter().enumerate() {
            self.budget.step(1 + given / 16)?;
            let by_name = take(parameter);
            let value = match (positional.next(), by_name) {
                (Some(_), Some(_)) => {
                    let problem = format!("macro '{name}' got '{parameter}' twice");
                    return Err(failed(problem));
                }
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) if at >= first_default => {
                    self.eval(&definition.defaults[at - first_default], &inner)?
                }
                (None, None) => Value::Undefined(Some(
                    format!("parameter '{parameter}' was not provided").into(),
                )),
            };
            inner.set(parameter, value);
        }
        if definition.uses.caller && !definition.parameters.iter().any(|p| &**p == "caller") {
            let caller = take("caller")
                .unwrap_or_else(|| Value::Undefined(Some("No caller defined".into())));
            inner.set(&"caller".into(), caller);
        }
        self.more_arguments(found, positional.collect(), named, &inner)?;
        self.captured(&definition.body, &inner)
    }

    /// Arguments that no parameter takes.
    fn more_arguments(
        &self,
        found: &MacroValue,
        positional: Vec<Value>,
        named: Vec<(Arc<str>, Value)>,
        inner: &Scope,
    ) -> Fallible<()> {
        let definition = &found.definition;
        let name = &definition.name;
        if definition.uses.kwargs {
            let mut kwargs = Dict::default();
            for (name, value) in named {
                kwargs.insert(&self.budget, Value::Text(name), value)?;
            }
            inner.set(&"kwargs".into(), self.budget.dict(kwargs)?);
        } else if let Some((keyword, _)) = named.first() {
            let problem = format!("macro '{name}' takes no keyword argument '{keyword}'");
            return Err(failed(problem));
        }
        if definition.uses.varargs {
            inner.set(&"varargs".into(), self.budget.tuple(positional)?);
        } else if !positional.is_empty() {
            let most = definition.parameters.len();
            let problem = format!("macro '{name}' takes not more than {most} argument(s)");
            return Err(failed(problem));
        }
        Ok(())
    }

    /// The items of a value, as filters go through them.
    pub(crate) fn items(&self, value: &Value) -> Fallible<Vec<Value>> {
        access::items(&self.budget, value)
    }
}
