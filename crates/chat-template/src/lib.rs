//! Chat templates as `transformers` runs them.
//!
//! A template is Jinja with the values of Python: texts with their methods, tuples, `%` and `str.format`, exact integers,
//! `None` and undefined values, in the sandbox that nothing can be changed from. What it gives is, character by character,
//! what `jinja2` gives with the settings of `transformers` (`trim_blocks`, `lstrip_blocks`, loop controls, `{% generation %}`,
//! `tojson`, `raise_exception`, `strftime_now`). A template is data of strangers, so reading and rendering are bounded:
//! the source's size and nesting, the steps of a rendering ([`Limits`]), and the bytes of all that it makes. It can read
//! nothing but what it is given.
//!
//! ```
//! use chat_template::{Limits, Template, Variable};
//! use serde_json::json;
//!
//! let template = Template::new("{% for m in messages %}{{ '%s: %s' % (m.role, m.content) }}\n{% endfor %}")?;
//! let messages = json!([{"role": "user", "content": "Hi"}]);
//! let variables = [("messages", Variable::Json(&messages))];
//! assert_eq!(template.render(&variables, 0, Limits::default())?, "user: Hi\n");
//! # Ok::<(), chat_template::Error>(())
//! ```

mod access;
mod ast;
mod budget;
mod calls;
mod checks;
mod error;
mod escapes;
mod filters;
mod format;
mod functions;
mod html;
mod json;
mod lexer;
mod methods;
mod numbers;
mod objects;
mod operators;
mod parser;
mod repr;
mod runtime;
mod scope;
mod sorting;
mod strftime;
mod value;

pub use budget::Limits;
pub use error::{Error, ErrorKind};

use std::rc::Rc;
use std::sync::Arc;

/// The longest source in bytes; published templates have less than a twentieth of it.
pub const LONGEST_SOURCE: usize = 1 << 20;

/// A template that was read.
#[derive(Debug)]
pub struct Template {
    body: Vec<ast::Statement>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`ErrorKind::Syntax`] where it is none, or is too large or too deeply nested for one.
    pub fn new(source: &str) -> Result<Self, Error> {
        if source.len() > LONGEST_SOURCE {
            let found = source.len();
            let problem =
                format!("{found} bytes, more than the {LONGEST_SOURCE} of the largest template");
            return Err(*error::syntax(1, problem));
        }
        match parser::parse(source) {
            Ok(body) => Ok(Self { body }),
            Err(error) => Err(*error),
        }
    }

    /// The text for these variables, at a time in seconds since 1970 (shown in UTC). What is no variable is undefined; of two
    /// with one name the last counts.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with the template's own words, [`ErrorKind::Failed`] where Python would fail too,
    /// [`ErrorKind::Exhausted`] where it takes too long or too much memory.
    pub fn render(
        &self,
        variables: &[(&str, Variable<'_>)],
        clock: u64,
        limits: Limits,
    ) -> Result<String, Error> {
        let runtime = runtime::Runtime::new(limits, clock);
        let scope = Rc::new(scope::Scope::default());
        let render = || {
            for (name, variable) in variables {
                scope.set(&Arc::from(*name), variable.value(&runtime.budget)?);
            }
            runtime.render(&self.body, &scope)
        };
        render().map_err(|error| *error)
    }
}

/// What a template is given under a name.
#[derive(Clone, Copy, Debug)]
pub enum Variable<'v> {
    /// `none`.
    None,
    /// True or false.
    Bool(bool),
    /// Text.
    Text(&'v str),
    /// A value of any kind.
    Json(&'v serde_json::Value),
    /// A list of objects.
    Objects(&'v [&'v serde_json::Map<String, serde_json::Value>]),
}

impl Variable<'_> {
    fn value(self, budget: &budget::Budget) -> error::Fallible<value::Value> {
        match self {
            Self::None => Ok(value::Value::None),
            Self::Bool(truth) => Ok(value::Value::Bool(truth)),
            Self::Text(text) => budget.text(text),
            Self::Json(value) => json::value(budget, value),
            Self::Objects(objects) => {
                let objects = objects.iter().map(|object| json::object(budget, object));
                budget.list(objects.collect::<error::Fallible<_>>()?)
            }
        }
    }
}
