//! What `jinja2` gives in the sandbox of `transformers`, and what it costs nobody.

use chat_template::{ErrorKind, Limits, Template, Variable};
use serde::Deserialize;
use serde_json::{Value, json};

/// The time of the fixture.
const CLOCK: u64 = 1_709_647_509;

#[derive(Deserialize)]
struct Case {
    template: String,
    text: Option<String>,
    /// Python's exception.
    error: Option<String>,
}

fn messages() -> Value {
    json!([
        {"role": "user", "content": "Name a colour."},
        {"role": "assistant", "content": "it's"},
    ])
}

fn render(source: &str) -> Result<String, chat_template::Error> {
    let messages = messages();
    let variables = [
        ("messages", Variable::Json(&messages)),
        ("tools", Variable::None),
    ];
    Template::new(source)?.render(&variables, CLOCK, Limits::default())
}

/// Expected values: `xtask/fixtures/chat_templates.py`.
#[test]
fn templates_give_what_jinja2_gives() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/snippets.json")).unwrap();
    assert!(cases.len() > 900);
    let mut wrong = Vec::new();
    for case in cases {
        match (render(&case.template), case.text, case.error) {
            (Ok(found), Some(expected), None) if found == expected => {}
            (Err(_), None, Some(_)) => {}
            (found, text, error) => {
                let expected = text.or(error);
                wrong.push(format!(
                    "{:?}: {found:?}, expected {expected:?}",
                    case.template
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_name_line_and_cause() {
    for (source, line, kind, message) in [
        (
            "a\n{% if %}",
            2,
            ErrorKind::Syntax,
            "found the end of the tag, expected an expression",
        ),
        (
            "\n\n{% for %}",
            3,
            ErrorKind::Syntax,
            "found the end of the tag, expected a name to assign to",
        ),
        (
            "{% if x %}\n",
            1,
            ErrorKind::Syntax,
            "found the end of the template, expected `elif` or `else` or `endif` for the tag in line 1",
        ),
        ("{% foo %}", 1, ErrorKind::Syntax, "unknown tag `foo`"),
        (
            "{{ 'a' }}\n{{ x.y }}",
            2,
            ErrorKind::Failed,
            "'x' is undefined",
        ),
        (
            "{{ messages[0].z.y }}",
            1,
            ErrorKind::Failed,
            "'dict object' has no attribute 'z'",
        ),
        (
            "\n{{ raise_exception('No ' + 'way') }}",
            2,
            ErrorKind::Refused,
            "No way",
        ),
        (
            "{{ messages.append(1) }}",
            1,
            ErrorKind::Failed,
            "access to attribute 'append' of 'list' object is unsafe",
        ),
        (
            "{{ 1 < 'a' }}",
            1,
            ErrorKind::Failed,
            "'<' not supported between instances of 'int' and 'str'",
        ),
        (
            "{% include 'a' %}",
            1,
            ErrorKind::Syntax,
            "`include`: a chat template cannot read other templates",
        ),
    ] {
        let error = render(source).unwrap_err();
        assert_eq!(
            (error.line, error.kind, error.message.as_str()),
            (line, kind, message),
            "{source}"
        );
    }
}

/// On a thread of a usual stack, as it is rendered where comparisons are made ready in parallel.
fn refused(source: String) -> chat_template::Error {
    let run = move || render(&source);
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(run).unwrap().join().unwrap().unwrap_err()
}

#[test]
fn what_is_nested_or_chained_too_deeply_is_an_error() {
    const TIMES: usize = 100_000;
    for part in [
        "-", "+1", "(", "[", "{1:", ".a", "[0]", "()", "|upper", " if 1", " and 1", " ~ 1", "*2",
        " == 1", " in 1",
    ] {
        let error = refused(format!("{{{{ 1{} }}}}", part.repeat(TIMES)));
        assert_eq!(error.kind, ErrorKind::Syntax, "{part}");
    }
    for part in ["-", "not ", "("] {
        let error = refused(format!("{{{{ {}1 }}}}", part.repeat(TIMES)));
        assert_eq!(error.kind, ErrorKind::Syntax, "{part}");
    }
    for tag in [
        "if 1",
        "for i in [1]",
        "set x",
        "macro a()",
        "call a()",
        "filter upper",
        "with",
        "generation",
    ] {
        let error = refused(format!("{{% {tag} %}}").repeat(20_000));
        assert_eq!(error.kind, ErrorKind::Syntax, "{tag}");
    }
    assert_eq!(refused(" ".repeat(2 << 20)).kind, ErrorKind::Syntax);
}

#[test]
fn what_takes_too_long_or_too_much_memory_is_an_error() {
    for source in [
        "{{ 'a' | indent(10000000000) }}",
        "{{ [1] | batch(10000000000, 'x') | list }}",
        "{{ [1] | slice(10000000000) | list }}",
        "{{ 'x' * 10000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '{:10000000000}'.format(1) }}",
        "{{ 'a'.center(10000000000) }}",
        "{{ [1] | tojson(indent=10000000000) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(90000) %}{% set n.x = [n.x] %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{% set x = 'ab' * 1000000 %}{% for i in range(99999) %}{% if 'zz' in x %}{% endif %}{% endfor %}",
    ] {
        let error = refused(source.into());
        assert!(
            matches!(error.kind, ErrorKind::Limit | ErrorKind::Exhausted),
            "{source}"
        );
    }
}

#[test]
fn what_refers_to_itself_is_dropped_all_the_same() {
    for source in [
        "{% set n = namespace() %}{% set n.x = n %}{{ n.x.x.x is defined }}",
        "{% set n = namespace() %}{% for i in range(90000) %}{% set n.x = namespace(x=n.x) %}{% endfor %}True",
        "{% set n = namespace() %}{% for i in range(20000) %}{% set p = n.m %}{% macro m() %}{{ p }}{% endmacro %}\
         {% set n.m = m %}{% endfor %}True",
    ] {
        assert_eq!(render(source).unwrap(), "True", "{source}");
    }
}
