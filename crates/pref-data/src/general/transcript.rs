//! Dialogues in one text, as Anthropic's HH files have them: `\n\nHuman: ...\n\nAssistant: ...`; also with other words for the
//! speakers, single line ends, and line ends of Windows.

use crate::comparison::{Comparison, Prompt};
use crate::message::Message;

/// Who asks, and who answers, in other tools' dialogues. A word counts at the start of a line, with a colon behind it.
const HUMANS: [&str; 6] = ["Human", "User", "HUMAN", "USER", "### Human", "### User"];
const ASSISTANTS: [&str; 9] = [
    "Assistant",
    "Bot",
    "AI",
    "Chatbot",
    "ASSISTANT",
    "BOT",
    "### Assistant",
    "### Bot",
    "### AI",
];
/// Line ends before a speaker, the longer first: a short one is part of the long.
const LINE_ENDS: [&str; 4] = ["\r\n\r\n", "\n\n", "\r\n", "\n"];
const EMPTY_LINES: [&str; 2] = ["\r\n\r\n", "\n\n"];

/// How a dialogue marks its speakers: what stands before what each of them says. Words in its texts that another dialogue would
/// mark a speaker with are words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Marks {
    human: String,
    assistant: String,
}

impl Marks {
    fn new(line_end: &str, human: &str, assistant: &str) -> Self {
        Self {
            human: format!("{line_end}{human}:"),
            assistant: format!("{line_end}{assistant}:"),
        }
    }

    /// Those of a text that begins as a dialogue and in which the assistant speaks. Where several words could be the assistant's,
    /// the first is, except that a `Human` speaks with an `Assistant`. Behind empty lines at the start, all speakers have them.
    pub fn of(text: &str) -> Option<Self> {
        let start = text.trim_start();
        let human = speaker(start, &HUMANS)?;
        let before = &text[..text.len() - start.len()];
        let parted = EMPTY_LINES.iter().any(|end| before.contains(end));
        let places = text.match_indices('\n').map(|(at, _)| at + 1);
        let answers = places.filter_map(|at| {
            let assistant = speaker(&text[at..], &ASSISTANTS)?;
            let line_end = LINE_ENDS.iter().find(|end| text[..at].ends_with(*end))?;
            let fits = !parted || EMPTY_LINES.contains(line_end);
            fits.then_some((line_end, assistant))
        });
        let is_usual = |assistant: &str| {
            let usual = assistant.to_ascii_lowercase().ends_with("assistant");
            usual || !human.to_ascii_lowercase().ends_with("human")
        };
        let (line_end, assistant) = answers.min_by_key(|(_, assistant)| !is_usual(assistant))?;
        Some(Self::new(line_end, human, assistant))
    }

    /// Those of a question and of an answer that stand apart: `\n\nHuman: Q` and `\n\nAssistant: A`.
    pub fn of_parts(question: &str, answer: &str) -> Option<Self> {
        let human = speaker(question.trim_start(), &HUMANS)?;
        let assistant = speaker(answer.trim_start(), &ASSISTANTS)?;
        let before_answer = &answer[..answer.len() - answer.trim_start().len()];
        let after_question = &question[question.trim_end().len()..];
        let before_question = &question[..question.len() - question.trim_start().len()];
        let inside = Self::of(question).map(|marks| marks.assistant);
        let inside = inside.as_deref().unwrap_or_default();
        let inside = &inside[..inside.len() - inside.trim_start().len()];
        let places = [before_answer, after_question, inside, before_question];
        let parted = places.into_iter().find_map(|place| {
            let mut ends = LINE_ENDS.iter();
            ends.find(|end| place.contains(*end))
        });
        Some(Self::new(parted.unwrap_or(&LINE_ENDS[1]), human, assistant))
    }

    /// The dialogue up to the last time that the assistant speaks, and what it says then.
    pub fn split<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let at = text.rfind(&self.assistant)? + self.assistant.len();
        Some(text.split_at(at))
    }

    /// Whether a text ends where the assistant is to speak.
    pub fn ends_in_turn(&self, text: &str) -> bool {
        text.trim_end().ends_with(&self.assistant)
    }

    /// An answer without the mark before it; none if it has none.
    pub fn without_mark<'t>(&self, answer: &'t str) -> Option<&'t str> {
        answer
            .trim_start()
            .strip_prefix(self.assistant.trim_start())
    }

    /// A question with the mark of the answer behind it.
    pub fn asked(&self, question: &str) -> String {
        format!("{}{}", question.trim_end(), self.assistant)
    }

    /// An answer up to where the human speaks again.
    pub fn answer<'t>(&self, text: &'t str) -> &'t str {
        match text.find(&self.human) {
            // With single line ends a speaker may have an empty line before it all the same.
            Some(end) => text[..end].trim_end_matches(['\r', '\n']),
            None => text,
        }
    }

    /// The messages of a dialogue that ends where the assistant is to speak.
    fn messages(&self, text: &str) -> Option<Vec<Message>> {
        let dialogue = text.trim_end().strip_suffix(&self.assistant)?;
        let first = dialogue
            .trim_start()
            .strip_prefix(self.human.trim_start())?;
        let mut messages = Vec::new();
        let (mut role, mut rest) = ("user", first);
        loop {
            let next = [(&self.human, "user"), (&self.assistant, "assistant")];
            let next = next.into_iter().filter_map(|(mark, role)| {
                let at = rest.find(mark)?;
                Some((at, mark, role))
            });
            let next = next.min_by_key(|(at, ..)| *at);
            let end = next.map_or(rest.len(), |(at, ..)| at);
            messages.push(Message::new(role, rest[..end].trim()));
            let Some((at, mark, speaker)) = next else {
                return Some(messages);
            };
            (role, rest) = (speaker, &rest[at + mark.len()..]);
        }
    }
}

/// The word, of those known, that a text begins with as the mark of a speaker.
fn speaker<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let begins = |word: &&&str| {
        let rest = text.strip_prefix(**word);
        rest.is_some_and(|rest| rest.starts_with(':'))
    };
    words.iter().find(begins).copied()
}

impl Prompt {
    /// The messages of a dialogue in one text that ends where the assistant is to speak, as in `\n\nHuman: Hi\n\nAssistant:`: what a
    /// chat template takes. None of another prompt.
    pub fn dialogue(&self) -> Option<Vec<Message>> {
        match self {
            Self::Text(text) => Marks::of(text)?.messages(text),
            Self::Chat(_) => None,
        }
    }
}

impl Comparison {
    /// The same with the messages of its [`Prompt::dialogue`], if it is one. A space before a response parts it from the mark
    /// and is no part of what is said.
    pub fn with_messages(&self) -> Option<Self> {
        Some(Self {
            prompt: Prompt::Chat(self.prompt.dialogue()?),
            chosen: self.chosen.trim_start_matches(' ').to_owned(),
            rejected: self.rejected.trim_start_matches(' ').to_owned(),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<(&str, &str)> {
        Marks::of(text)?.split(text)
    }

    #[test]
    fn a_dialogue_is_split_before_the_last_answer() {
        let text = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: So.";
        let (prompt, response) = split(text).unwrap();
        assert_eq!(
            prompt,
            "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:"
        );
        assert_eq!(response, " So.");
        for (text, response) in [
            ("User: Hi\nBot: Yes?\nUser: Why?\nBot: So.", " So."),
            ("Human: Hi\r\n\r\nAssistant: So.\r\n", " So.\r\n"),
            ("### Human: Hi\n### Assistant: So.", " So."),
            ("USER: Hi\nASSISTANT: So.", " So."),
            ("Human: What is\nAI: ?\nAssistant: So.", " So."),
            // Words that mark nobody in this dialogue.
            (
                "\n\nHuman: Hi\n\nAssistant: Say\nAssistant: or\n\nBot: x",
                " Say\nAssistant: or\n\nBot: x",
            ),
        ] {
            assert_eq!(split(text).unwrap().1, response, "{text}");
        }
    }

    #[test]
    fn texts_that_mention_speakers_are_no_dialogues() {
        for text in [
            "Human: only",
            "She said\n\nHuman: a\n\nAssistant: b",
            "Human: what does Assistant: mean?",
            "Humans:\n\nAssistant: b",
            "User\nBot: b",
            "Human: a\n\nThe Assistant: b",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn its_messages_are_what_a_template_takes() {
        let expected = [
            Message::new("user", "Hi\nthere"),
            Message::new("assistant", "Hello"),
            Message::new("user", "Why?"),
        ];
        for text in [
            "\n\nHuman: Hi\nthere\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:",
            "User: Hi\nthere\nBot: Hello\nUser: Why?\nBot: ",
        ] {
            assert_eq!(Prompt::from(text).dialogue().unwrap(), expected);
        }
        for text in ["Why?", "\n\nHuman: Why?", "Human: a\nAssistant: b\nSay it."] {
            assert_eq!(Prompt::from(text).dialogue(), None);
        }
    }
}
