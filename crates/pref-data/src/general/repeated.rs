//! Responses of text that begin with their prompt.

use super::chat::{EXPECTED, Said};
use super::transcript;
use crate::comparison::Prompt;
use crate::error::DataError;
use crate::records::Fields;

/// Prompt and responses, each said once.
pub(super) fn split(
    fields: &Fields,
    rejected_name: &str,
    prompt: Option<Said>,
    chosen: String,
    rejected: String,
) -> Result<(Prompt, String, String), DataError> {
    let text = match prompt {
        Some(Said::Chat(messages)) => return Ok((Prompt::Chat(messages), chosen, rejected)),
        Some(Said::Text(text)) => Some(text),
        None => None,
    };
    if let Some(text) = &text
        && let Some((chosen, rejected)) = without(text, &chosen, &rejected)
    {
        fields.note("both responses repeat the prompt, which is cut off");
        let (chosen, rejected) = (chosen.to_owned(), rejected.to_owned());
        return Ok((Prompt::Text(text.clone()), chosen, rejected));
    }
    let is_said = |dialogue: &str| match &text {
        Some(text) => dialogue.contains(text.trim()),
        None => true,
    };
    if let (Some((dialogue, answer)), Some((other, other_answer))) =
        (transcript::split(&chosen), transcript::split(&rejected))
        && is_said(dialogue)
    {
        if dialogue != other {
            let expected = "the same dialogue before the last answer as in the preferred response";
            let found = "another one".into();
            return Err(fields.error(rejected_name, found, expected));
        }
        fields.note("a dialogue in one text (Human:, Assistant:) is split before its last answer");
        let [chosen, rejected] = [answer, other_answer].map(|whole| {
            let answer = transcript::answer(whole);
            if answer.len() < whole.len() {
                fields.note("what the human says behind the last answer of a dialogue is cut off");
            }
            answer.to_owned()
        });
        return Ok((Prompt::Text(dialogue.to_owned()), chosen, rejected));
    }
    match text {
        Some(text) => Ok((Prompt::Text(text), chosen, rejected)),
        None => Err(fields.missing("prompt", EXPECTED)),
    }
}

/// Both responses without the prompt at their beginning. A single short word may begin two answers by chance.
fn without<'r>(prompt: &str, chosen: &'r str, rejected: &'r str) -> Option<(&'r str, &'r str)> {
    let trimmed = prompt.trim();
    if trimmed.split_whitespace().nth(1).is_none() && trimmed.chars().count() < 12 {
        return None;
    }
    let rest = |response: &'r str| {
        let whole = response.strip_prefix(prompt);
        let rest = whole.or_else(|| response.trim_start().strip_prefix(trimmed))?;
        let after_word = trimmed.ends_with(char::is_alphanumeric);
        let in_word = after_word && rest.starts_with(char::is_alphanumeric);
        (!in_word && !rest.trim().is_empty()).then_some(rest)
    };
    Some((rest(chosen)?, rest(rejected)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_cut_off_where_both_responses_begin_with_it() {
        let cut = |prompt, chosen, rejected| without(prompt, chosen, rejected);
        assert_eq!(
            cut("Name a river.", "Name a river. Elbe.", "Name a river. No."),
            Some((" Elbe.", " No."))
        );
        assert_eq!(
            cut(
                "Name a river.\n",
                "Name a river.\nElbe",
                "Name a river.\nNo"
            ),
            Some(("Elbe", "No"))
        );
        assert_eq!(cut("Name a river.", "Name a river. Elbe.", "No."), None);
        assert_eq!(cut("Hi", "Hi there", "Hi you"), None);
        assert_eq!(cut("It is", "It isn't", "It is not"), None);
        assert_eq!(
            cut(
                "请说出一条中国的大河的名字。",
                "请说出一条中国的大河的名字。长江",
                "请说出一条中国的大河的名字。不"
            ),
            Some(("长江", "不"))
        );
        assert_eq!(cut("Say it.", "Say it.", "Say it. No."), None);
    }
}
