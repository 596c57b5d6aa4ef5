//! Responses of text that begin with their prompt, or whose prompt is the beginning of a dialogue in one text.

use super::chat::{EXPECTED, Said};
use super::transcript::Marks;
use crate::comparison::Prompt;
use crate::error::DataError;
use crate::records::Fields;

/// Prompt and responses, each said once. A prompt that both responses begin with is cut off them; a single one, a thumb's, may begin with
/// it by its own right.
pub(super) fn split(
    fields: &Fields,
    (rejected_name, alone): (&str, bool),
    prompt: Option<Said>,
    chosen: String,
    rejected: String,
) -> Result<(Prompt, String, String), DataError> {
    let text = match prompt {
        Some(Said::Chat(messages)) => return Ok((Prompt::Chat(messages), chosen, rejected)),
        Some(Said::Text(text)) => Some(text),
        None => None,
    };
    let mut parts = Parts {
        prompt: text,
        responses: [chosen, rejected],
    };
    if alone || !parts.cut_prompt(fields) {
        parts.split_dialogue(fields, rejected_name)?;
    }
    parts.join_marks(fields);
    parts.cut_human(fields);
    let [chosen, rejected] = parts.responses;
    match parts.prompt {
        Some(text) => Ok((Prompt::Text(text), chosen, rejected)),
        None => Err(fields.missing("prompt", EXPECTED)),
    }
}

/// What stands in the record, as far as it is understood.
struct Parts {
    prompt: Option<String>,
    responses: [String; 2],
}

impl Parts {
    /// Whether both responses repeated the prompt.
    fn cut_prompt(&mut self, fields: &Fields) -> bool {
        let [chosen, rejected] = &self.responses;
        let rests = self
            .prompt
            .as_ref()
            .and_then(|text| without(text, chosen, rejected));
        let Some((chosen, rejected)) = rests else {
            return false;
        };
        fields.note("both responses repeat the prompt, which is cut off");
        self.responses = [chosen.to_owned(), rejected.to_owned()];
        true
    }

    /// Two whole dialogues become a dialogue and two answers.
    fn split_dialogue(&mut self, fields: &Fields, rejected_name: &str) -> Result<(), DataError> {
        let [chosen, rejected] = &self.responses;
        let Some(marks) = Marks::of(chosen).filter(|_| Marks::of(rejected).is_some()) else {
            return Ok(());
        };
        let (Some((dialogue, answer)), other) = (marks.split(chosen), marks.split(rejected)) else {
            return Ok(());
        };
        let prompt = self.prompt.as_deref();
        if prompt.is_some_and(|prompt| !dialogue.contains(prompt.trim())) {
            return Ok(());
        }
        let Some((_, other_answer)) = other.filter(|(other, _)| *other == dialogue) else {
            let expected = "the same dialogue before the last answer as in the preferred response";
            return Err(fields.error(rejected_name, "another one".into(), expected));
        };
        fields.note("a dialogue in one text (Human:, Assistant:) is split before its last answer");
        self.prompt = Some(dialogue.to_owned());
        self.responses = [answer.to_owned(), other_answer.to_owned()];
        Ok(())
    }

    /// The mark of the assistant that both responses begin with ends a prompt that is a dialogue.
    fn join_marks(&mut self, fields: &Fields) {
        let Some(prompt) = &self.prompt else { return };
        let [chosen, rejected] = &self.responses;
        let complete = Marks::of(prompt).filter(|marks| marks.ends_in_turn(prompt));
        let is_complete = complete.is_some();
        let Some(marks) = complete.or_else(|| Marks::of_parts(prompt, chosen)) else {
            return;
        };
        let answers = (marks.without_mark(chosen), marks.without_mark(rejected));
        let (Some(chosen), Some(rejected)) = answers else {
            return;
        };
        if is_complete {
            fields.note("both responses repeat the mark of the assistant that ends the prompt, which is cut off");
        } else {
            fields.note("the mark of the assistant that both responses begin with goes to the end of the prompt");
        }
        let responses = [chosen.to_owned(), rejected.to_owned()];
        if !is_complete {
            self.prompt = Some(marks.asked(prompt));
        }
        self.responses = responses;
    }

    /// What follows the answer to a dialogue is no answer.
    fn cut_human(&mut self, fields: &Fields) {
        let Some(prompt) = &self.prompt else { return };
        let Some(marks) = Marks::of(prompt).filter(|marks| marks.ends_in_turn(prompt)) else {
            return;
        };
        for response in &mut self.responses {
            let answer = marks.answer(response).len();
            if answer < response.len() {
                fields.note("what the human says behind the last answer of a dialogue is cut off");
                response.truncate(answer);
            }
        }
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
