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

/// What costs time without being long: each uses up the steps in seconds.
const SLOW: [&str; 25] = [
    "{% if x is sequence %}{% endif %}",
    "{% if x is lower %}{% endif %}",
    "{% if x is sameas y %}{% endif %}",
    "{% if x == y %}{% endif %}",
    "{% if x < y %}{% endif %}",
    "{% if d[x] %}{% endif %}",
    "{% if d.get(x) %}{% endif %}",
    "{% if x in d %}{% endif %}",
    "{% if x | truncate(9000000) %}{% endif %}",
    "{% if x | int %}{% endif %}",
    "{% if x | float %}{% endif %}",
    "{% if x | wordcount %}{% endif %}",
    "{% if u.isprintable() %}{% endif %}",
    "{% if x.translate(removed) %}{% endif %}",
    "{% if x.maketrans(x, x) %}{% endif %}",
    "{% if x.count('b') %}{% endif %}",
    "{% if x.startswith((y, y, y, y, y, y, y, y)) %}{% endif %}",
    "{% if u[::-1] == '' %}{% endif %}",
    "{% if u[5:6] == '' %}{% endif %}",
    "{% if [x, y] | max %}{% endif %}",
    "{% if ([x] * 50) | sort | first %}{% endif %}",
    "{% if ([x] * 50) | unique | list %}{% endif %}",
    "{% if (x, x, x, x, x, x, x, x) in d %}{% endif %}",
    "{% if [1] | sum(attribute=x) %}{% endif %}",
    "{% if x | striptags == '' %}{% endif %}",
];

#[test]
fn no_template_within_the_steps_takes_long() {
    let start = "{% set x = 'a' * 1000000 %}{% set y = x ~ 'b' %}{% set u = 'äb' * 400000 %}{% set d = {'a': 1} %}\
                 {% set removed = x.maketrans('a', 'b', 'a') %}";
    let steps = Limits::default().steps / 20;
    for slow in SLOW {
        let source = format!(
            "{start}{{% for i in range(99999) %}}{{% for j in range(99) %}}{slow}{{% endfor %}}{{% endfor %}}"
        );
        let template = Template::new(&source).unwrap();
        let begun = std::time::Instant::now();
        let limits = Limits {
            steps,
            ..Limits::default()
        };
        let error = template.render(&[], CLOCK, limits);
        let took = begun.elapsed().as_secs_f64();
        let kind = error.unwrap_err().kind;
        assert!(
            matches!(kind, ErrorKind::Exhausted | ErrorKind::Failed),
            "{slow}: {kind:?}"
        );
        // All steps take twenty times as long; a build without optimisation is slower.
        let most = if cfg!(debug_assertions) { 30.0 } else { 1.5 };
        assert!(took < most, "{slow}: {took:.2} s");
    }
}

#[test]
fn numbers_without_an_order_are_sorted_without_a_panic() {
    let source = "{% set n = 'nan' | float %}{{ ([n, 3, 1, n, 2] * 20) | sort | length }}";
    assert_eq!(render(source).unwrap(), "100");
}

#[test]
fn a_long_word_is_wrapped_in_linear_time_and_bounded_memory() {
    let source = "{{ ('a' * 500000) | wordwrap(1) | length }}";
    assert_eq!(render(source).unwrap(), "999999");
    let source = "{{ ('a' * 500000) | wordwrap(1, true, 'b' * 1000000) | length }}";
    assert_eq!(render(source).unwrap_err().kind, ErrorKind::Exhausted);
}
