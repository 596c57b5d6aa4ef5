//! Filters: `value|name(...)`.

mod attributes;
mod choose;
mod convert;
mod lists;
mod text;
mod wrap;

use crate::calls::Passed;
use crate::error::{Fallible, failed};
use crate::repr::to_text;
use crate::runtime::Runtime;
use crate::value::Value;

const NAMES: [&str; 54] = [
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr",
];

/// Whether there is a filter of this name.
pub(crate) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// `value|name(passed)`.
pub(crate) fn apply(
    runtime: &Runtime,
    name: &str,
    value: &Value,
    passed: &Passed,
) -> Fallible<Value> {
    match name {
        "capitalize" | "center" | "e" | "escape" | "forceescape" | "format" | "indent"
        | "lower" | "replace" | "safe" | "string" | "striptags" | "title" | "trim" | "truncate"
        | "upper" | "urlencode" | "wordcount" | "xmlattr" => {
            text::apply(&runtime.budget, name, value, passed)
        }
        "wordwrap" => wrap::word_wrap(&runtime.budget, value, passed),
        "batch" | "count" | "length" | "first" | "last" | "list" | "reverse" | "slice" | "join"
        | "items" => lists::apply(runtime, name, value, passed),
        "dictsort" | "groupby" | "max" | "min" | "sort" | "sum" | "unique" => {
            attributes::apply(runtime, name, value, passed)
        }
        "map" | "select" | "reject" | "selectattr" | "rejectattr" => {
            choose::apply(runtime, name, value, passed)
        }
        "abs" | "attr" | "d" | "default" | "filesizeformat" | "float" | "int" | "pprint"
        | "round" | "tojson" => convert::apply(&runtime.budget, name, value, passed),
        "random" | "urlize" => Err(failed(format!("the filter '{name}' is not supported"))),
        name => Err(failed(format!("No filter named '{name}'."))),
    }
}

/// `soft_str(value)`.
fn soft(budget: &crate::budget::Budget, value: &Value) -> Fallible<std::sync::Arc<str>> {
    to_text(budget, value)
}
