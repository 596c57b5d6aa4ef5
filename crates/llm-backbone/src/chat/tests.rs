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
    ChatTemplate::new(source, Some("<s>"), Some("</s>")).expect("a good template")
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
    let text = template.expect("a good template").render(&none, false);
    assert_eq!(text.expect("a rendering"), "[]False");
}

#[test]
fn a_broken_template_names_its_line() {
    let error = ChatTemplate::new("a\n{% if %}", None, None).expect_err("broken");
    assert!(
        error
            .to_string()
            .starts_with("chat template: line 2: syntax error"),
        "{error}"
    );
}
