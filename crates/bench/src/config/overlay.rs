//! Settings laid over others, as TOML tables.

use toml::{Table, Value};

/// Reads `training.learning_rate=1e-4`; a value that is no TOML is a string.
///
/// # Errors
/// A text without `=`, or a key that TOML does not know.
pub fn parse(text: &str) -> Result<Table, String> {
    let expected = || format!("found `{text}`, expected KEY=VALUE");
    let (key, value) = text.split_once('=').ok_or_else(expected)?;
    let quoted = || format!("{key}={}", Value::String(value.trim().into()));
    let table = text.parse().or_else(|_| quoted().parse());
    table.map_err(|_: toml::de::Error| expected())
}

/// A table with one value below the keys of `path`.
pub fn nested(path: &[&str], value: Value) -> Table {
    let one = |key: &str, value| Table::from_iter([(key.to_owned(), value)]);
    match path {
        [] => Table::new(),
        [key] => one(key, value),
        [key, below @ ..] => one(key, nested(below, value).into()),
    }
}

/// Lays `over` over `base`: a table is laid over a table, key by key; any other value takes the place of the old one. In
/// an array of tables, such as `systems`, a key is the `name` of one of them.
///
/// # Errors
/// A name that no table of the array has, with those that there are.
pub fn lay_over(base: &mut Table, over: Table) -> Result<(), String> {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => lay_over(old, new)?,
            (Some(Value::Array(old)), Value::Table(new)) => lay_over_named(old, new, &key)?,
            (_, value) => drop(base.insert(key, value)),
        }
    }
    Ok(())
}

fn lay_over_named(tables: &mut [Value], over: Table, key: &str) -> Result<(), String> {
    for (name, value) in over {
        let found = tables.iter().position(|t| name_of(t) == Some(&name));
        let old = found.and_then(|at| tables[at].as_table_mut());
        match (old, value) {
            (Some(old), Value::Table(new)) => lay_over(old, new)?,
            (Some(_), other) => {
                let found = other.type_str();
                return Err(format!(
                    "`{key}.{name}`: found {found}, expected keys of it"
                ));
            }
            (None, _) => {
                let names: Vec<&str> = tables.iter().filter_map(name_of).collect();
                return Err(missing(key, &name, &names));
            }
        }
    }
    Ok(())
}

/// The `name` of a table.
pub fn name_of(value: &Value) -> Option<&str> {
    value.get("name")?.as_str()
}

/// That a name is not there, and which are.
pub fn missing(key: &str, name: &str, there: &[&str]) -> String {
    let there = there.join(", ");
    format!("`{key}` has no `{name}`; there is {there}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    fn laid(base: &str, over: &str) -> Result<Table, String> {
        let mut base = table(base);
        lay_over(&mut base, parse(over)?).map(|()| base)
    }

    #[test]
    fn a_value_is_toml_or_else_a_string() {
        for (text, meant) in [
            (
                "training.learning_rate=1e-4",
                "training = { learning_rate = 1e-4 }",
            ),
            ("objective.loss=ipo", "objective = { loss = \"ipo\" }"),
            (
                "model.source = C:\\m \"x\"",
                "model = { source = 'C:\\m \"x\"' }",
            ),
            ("data.split_seeds=[0, 1]", "data = { split_seeds = [0, 1] }"),
            ("seed=", "seed = \"\""),
        ] {
            assert_eq!(parse(text), Ok(table(meant)), "{text}");
        }
        for wrong in ["training.epochs", "=3", "a b=1", "a..b=1"] {
            let error = parse(wrong).unwrap_err();
            assert!(
                error.contains(wrong) && error.contains("KEY=VALUE"),
                "{error}"
            );
        }
    }

    #[test]
    fn tables_keep_what_is_not_said_and_lists_do_not() {
        let base = "a = { b = 1, c = [1, 2] }\nd = 4";
        assert_eq!(
            laid(base, "a.b=5"),
            Ok(table("a = { b = 5, c = [1, 2] }\nd = 4"))
        );
        assert_eq!(
            laid(base, "a.c=[3]"),
            Ok(table("a = { b = 1, c = [3] }\nd = 4"))
        );
        assert_eq!(laid(base, "e.f=6").unwrap()["e"]["f"], Value::Integer(6));
        assert_eq!(nested(&["e", "f"], 6.into())["e"]["f"], Value::Integer(6));
    }

    #[test]
    fn a_table_of_an_array_is_found_by_its_name() {
        let base = "systems = [{ name = \"a\" }, { name = \"b\", training = { epochs = 1 } }]";
        let expected = "systems = [{ name = \"a\" }, { name = \"b\", training = { epochs = 2 } }]";
        assert_eq!(
            laid(base, "systems.b.training.epochs=2"),
            Ok(table(expected))
        );
        let unknown = laid(base, "systems.c.training.epochs=2").unwrap_err();
        assert_eq!(unknown, "`systems` has no `c`; there is a, b");
        let whole = laid(base, "systems.a=2").unwrap_err();
        assert_eq!(whole, "`systems.a`: found integer, expected keys of it");
    }
}
