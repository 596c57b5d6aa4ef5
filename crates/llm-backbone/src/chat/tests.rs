use serde_json::json;

use super::*;

/// SmolLM2-135M-Instruct, as published.
const SMOLLM2: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
    {{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}\
    {% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// In the manner of Llama 3.2: whitespace control, loop variables, `strftime_now`, string methods.
const LLAMA3: &str = r#"{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}
    {{- raise_exception("No tools here") }}
{%- endif %}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Roles must alternate') }}
    {%- endif %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'].strip() + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"#;

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, Some("<s>"), Some("</s>"))
}

fn render(source: &str, messages: &[(&str, &str)]) -> String {
    template(source)
        .render(messages, false)
        .expect("a rendering")
}

#[test]
fn smollm2_adds_its_system_message() {
    let text = template(SMOLLM2)
        .render(&[("user", "Hi")], true)
        .expect("a rendering");
    assert_eq!(
        text,
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
         <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn smollm2_keeps_a_given_system_message() {
    let messages = [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello"),
    ];
    assert_eq!(
        render(SMOLLM2, &messages),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
         <|im_start|>assistant\nHello<|im_end|>\n"
    );
}

#[test]
fn llama_3_style_renders_with_a_fixed_date() {
    let text = template(LLAMA3)
        .with_clock(1_721_952_000)
        .render(&[("system", " Be brief. "), ("user", "Hi\n")], true)
        .expect("a rendering");
    assert_eq!(
        text,
        "<s><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>\
         <|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    );
}

#[test]
fn a_refusal_carries_the_words_of_the_template() {
    let error = template(LLAMA3)
        .render(&[("assistant", "Hi")], false)
        .expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "chat template: the messages were refused: Roles must alternate"
    );
}

#[test]
fn blocks_leave_no_blank_lines() {
    let source =
        "{% for m in messages %}\n  {% if true %}\n{{ m.content }}\n  {% endif %}\n{% endfor %}\n";
    assert_eq!(render(source, &[("user", "a"), ("user", "b")]), "a\nb\n");
}

#[test]
fn text_is_not_escaped_and_json_has_the_spaces_of_python() {
    assert_eq!(
        render("{{ messages[0].content }}", &[("user", "<a> & 'b'")]),
        "<a> & 'b'"
    );
    assert_eq!(
        render("{{ messages | tojson }}", &[("user", "<é>")]),
        r#"[{"role": "user", "content": "<é>"}]"#
    );
    assert_eq!(
        render("{{ {'a': [1]} | tojson(indent=2) }}", &[]),
        "{\n  \"a\": [\n    1\n  ]\n}"
    );
}

#[test]
fn a_missing_token_is_empty() {
    let template = ChatTemplate::new("[{{ bos_token }}]{{ bos_token is defined }}", None, None);
    let none: [(&str, &str); 0] = [];
    let text = template.render(&none, false);
    assert_eq!(text.expect("a rendering"), "[]False");
}

#[test]
fn a_broken_template_names_its_line() {
    let template = ChatTemplate::new("a\n{% if %}", None, None);
    let error = template.check().expect_err("broken");
    assert_eq!(
        error.to_string(),
        "chat template: line 2: found the end of the tag, expected an expression"
    );
    let error = template.render(&[("user", "Hi")], false);
    assert!(!error.expect_err("broken").is_of_messages());
}

#[test]
fn a_template_sees_every_field_of_a_message_and_what_is_given_beside_them() {
    let messages = [
        json!({"content": null, "role": "assistant", "tool_calls": [{"function": {"name": "w", "arguments": {"b": 1, "a": "é"}}}]}),
        json!({"role": "tool", "name": "w", "content": "rain"}),
    ];
    let messages: Vec<_> = messages.iter().filter_map(Value::as_object).collect();
    let source = "{{ bos_token }}{% for m in messages %}{{ m.role }}{{ m.tool_calls | tojson if m.tool_calls else m.name }}\
        {% endfor %}{{ tools[0].name }}{{ enable_thinking }}{{ messages[0].keys() | list }}";
    let (tools, variables) = (
        json!([{"name": "w"}]),
        json!({"enable_thinking": false, "bos_token": "<b>"}),
    );
    let inputs = ChatInputs {
        messages: &messages,
        tools: Some(&tools),
        variables: variables.as_object().expect("an object"),
        add_generation_prompt: true,
    };
    assert_eq!(
        template(source).render_with(&inputs).expect("a rendering"),
        "<b>assistant[{\"function\": {\"name\": \"w\", \"arguments\": {\"b\": 1, \"a\": \"é\"}}}]toolwwFalse\
         ['content', 'role', 'tool_calls']"
    );
}

#[test]
fn contents_in_parts_become_one_text_where_the_template_knows_texts_only() {
    let message = json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    let messages: Vec<_> = [&message]
        .into_iter()
        .filter_map(Value::as_object)
        .collect();
    let inputs = ChatInputs {
        messages: &messages,
        tools: None,
        variables: &Map::new(),
        add_generation_prompt: false,
    };
    for (source, expected) in [
        ("{{ '>' + messages[0].content }}", ">ab"),
        ("{{ messages[0].content }}", "ab"),
        (
            "{% for part in messages[0].content %}{{ part.text }},{% endfor %}",
            "a,b,",
        ),
    ] {
        let text = template(source).render_with(&inputs);
        assert_eq!(text.expect("a rendering"), expected);
    }
}

#[test]
fn null_beside_calls_becomes_an_empty_text_where_the_template_knows_texts_only() {
    let call = json!({"role": "assistant", "content": null, "tool_calls": [1]});
    let messages: Vec<_> = [&call].into_iter().filter_map(Value::as_object).collect();
    let inputs = ChatInputs {
        messages: &messages,
        tools: None,
        variables: &Map::new(),
        add_generation_prompt: false,
    };
    for (source, expected) in [
        ("{{ messages[0].content is none }}", "True"),
        ("{{ '>' + messages[0].content + '<' }}", "><"),
    ] {
        let text = template(source).render_with(&inputs);
        assert_eq!(text.expect("a rendering"), expected);
    }
}

/// Templates that cost a parser its stack, or a rendering its time or memory, anywhere else.
#[test]
fn hostile_templates_are_errors() {
    let chains = ["-", "+1", "not ", "(", "[", "{1:", "a.", "a|", "a if "]
        .map(|part| format!("{{{{ 1{} }}}}", part.repeat(100_000)));
    let nested = ["{% if 1 %}", "{% for i in [1] %}", "{% set x %}"].map(|tag| tag.repeat(20_000));
    for source in chains.iter().chain(&nested).map(String::as_str).chain([
        "{{ 'a' | indent(10000000000) }}",
        "{{ [1] | batch(10000000000, 'x') | list }}",
        "{{ 'x' * 10000000000 }}",
        "{{ '%10000000000d' % 1 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include '/etc/passwd' %}",
    ]) {
        let found = template(source).render(&[("user", "Hi")], true);
        assert!(found.is_err(), "{}", &source[..source.len().min(80)]);
    }
}
