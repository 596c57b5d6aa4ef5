//! What users wrote, on its way through a chat template: it must not become special tokens behind it.

use std::borrow::Cow;

use super::added::is_word;
use super::{Tokenizer, TokenizerError};

/// Characters that no text should hold ("noncharacters" of Unicode), and then those for private use.
const STAND_INS: [std::ops::RangeInclusive<char>; 2] =
    ['\u{fdd0}'..='\u{fdef}', '\u{f0000}'..='\u{ffffd}'];

/// Stand-ins for the first characters of special tokens that users spelled.
///
/// A template sees contents as they are, but for these characters. What comes out of it is turned back before it becomes
/// ids, and where a stand-in stood no special token begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotes {
    /// A character and what stands for it.
    pairs: Vec<(char, char)>,
}

impl Quotes {
    /// True where there is nothing to quote.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The text with the characters that belong there.
    pub fn restore(&self, text: &str) -> String {
        self.undo(text).0
    }

    /// The text with the characters that belong there, and where they stand, in bytes.
    pub(super) fn undo(&self, text: &str) -> (String, Vec<usize>) {
        let mut places = Vec::new();
        if self.pairs.is_empty() {
            return (text.to_owned(), places);
        }
        let mut whole = String::with_capacity(text.len());
        for character in text.chars() {
            let pair = self
                .pairs
                .iter()
                .find(|(_, stand_in)| *stand_in == character);
            if pair.is_some() {
                places.push(whole.len());
            }
            whole.push(pair.map_or(character, |(own, _)| *own));
        }
        (whole, places)
    }

    fn stand_in(&self, character: char) -> char {
        let pair = self.pairs.iter().find(|(own, _)| *own == character);
        pair.map_or(character, |(_, stand_in)| *stand_in)
    }
}

impl Tokenizer {
    /// Quotes for these texts, which users wrote: empty where none spells a special token.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the added tokens make no automaton.
    pub fn quotes<'t>(
        &self,
        texts: impl Iterator<Item = &'t str> + Clone,
    ) -> Result<Quotes, TokenizerError> {
        let mut first = Vec::new();
        for text in texts.clone() {
            for at in self.to_quote(text)? {
                let character = text[at..].chars().next();
                first.extend(character.filter(|c| !first.contains(c)));
            }
        }
        let template = self.chat_template().unwrap_or_default();
        let is_free = |c: &char| !template.contains(*c) && texts.clone().all(|t| !t.contains(*c));
        let stand_ins = STAND_INS.into_iter().flatten().filter(is_free);
        let pairs = first.into_iter().zip(stand_ins).collect();
        Ok(Quotes { pairs })
    }

    /// The text with stand-ins for what is to be quoted.
    ///
    /// # Errors
    ///
    /// As [`quotes`](Self::quotes).
    pub fn quote<'t>(
        &self,
        quotes: &Quotes,
        text: &'t str,
    ) -> Result<Cow<'t, str>, TokenizerError> {
        if quotes.pairs.is_empty() {
            return Ok(Cow::Borrowed(text));
        }
        let mut quoted = String::with_capacity(text.len());
        let mut done = 0;
        for at in self.to_quote(text)? {
            let Some(character) = text[at..].chars().next() else {
                continue;
            };
            quoted += &text[done..at];
            quoted.push(quotes.stand_in(character));
            done = at + character.len_utf8();
        }
        quoted += &text[done..];
        Ok(Cow::Owned(quoted))
    }

    /// Where special tokens begin in a text; also one that is not whole at its end, which a template could go on with. A
    /// single word is left as it is: templates compare roles and names of fields.
    fn to_quote(&self, text: &str) -> Result<Vec<usize>, TokenizerError> {
        if text.chars().all(is_word) {
            return Ok(Vec::new());
        }
        let control = self.control_in(text)?.into_iter();
        let mut places: Vec<usize> = control.map(|(_, range)| range.start).collect();
        let from = places.last().map_or(0, |last| last + 1);
        let begun = self.begun_at_end(text.trim_end())?.into_iter();
        let is_mark = |at: &usize| !text[*at..].starts_with(is_word);
        places.extend(begun.filter(|at| *at >= from).filter(is_mark));
        Ok(places)
    }
}
