//! The added tokens of a tokenizer, found in text as `AddedVocabulary` of Hugging Face's `tokenizers` finds them.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use tokenizers::{AddedToken, NormalizedString, Normalizer};

use super::guard::guarded;
use super::{Tokenizer, TokenizerError};

/// The added tokens, ready to be found in text.
pub(super) struct Added {
    /// Found in the text as it comes.
    pub(super) exact: Matcher,
    /// Found in the normalised text.
    pub(super) normalized: Matcher,
    /// Both kinds as they are spelled.
    spelled: Matcher,
    /// The same with their ids, in the order of the alphabet.
    sorted: Vec<(String, u32)>,
}

/// Finds some of them.
pub(super) struct Matcher {
    automaton: AhoCorasick,
    tokens: Vec<(u32, AddedToken)>,
}

/// A part of a text, and the added token that it is.
pub(super) type Part = (Range<usize>, Option<u32>);

impl Tokenizer {
    /// The added tokens that a text spells, by their places in bytes.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the added tokens make no automaton.
    pub(super) fn spelled(&self, text: &str) -> Result<Vec<(Range<usize>, u32)>, TokenizerError> {
        let matcher = &self.added()?.spelled;
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(one) = matcher.automaton.find(Input::new(text).range(at..)) {
            found.push((one.range(), matcher.tokens[one.pattern()].0));
            at = next_char(text, one.start());
        }
        Ok(found)
    }

    /// Where special tokens begin of which the text holds no more than a beginning, at its end.
    ///
    /// # Errors
    ///
    /// As [`spelled`](Self::spelled).
    pub(super) fn begun_at_end(&self, text: &str) -> Result<Vec<usize>, TokenizerError> {
        let sorted = &self.added()?.sorted;
        let longest = sorted.iter().map(|(token, _)| token.len()).max();
        let from = text.len().saturating_sub(longest.unwrap_or(0));
        let begins = |rest: &str| {
            let first = sorted.partition_point(|(token, _)| token.as_str() < rest);
            sorted[first..]
                .iter()
                .take_while(|(token, _)| token.starts_with(rest))
                .any(|(_, id)| self.is_control(*id))
        };
        let places = (from..text.len()).filter(|at| text.is_char_boundary(*at));
        Ok(places.filter(|at| begins(&text[*at..])).collect())
    }

    pub(super) fn added(&self) -> Result<&Added, TokenizerError> {
        if let Some(added) = self.added.get() {
            return Ok(added);
        }
        let made = guarded(|| Added::of(&self.inner)).map_err(TokenizerError::Failed)?;
        Ok(self.added.get_or_init(|| made))
    }
}

impl Added {
    fn of(inner: &tokenizers::Tokenizer) -> tokenizers::Result<Self> {
        let mut all: Vec<(u32, AddedToken)> =
            inner.get_added_tokens_decoder().into_iter().collect();
        // The order decides nothing but which of two equal ones is found.
        all.sort_by_key(|(id, token)| (!token.special, *id));
        all.retain(|(_, token)| !token.content.is_empty());
        let spell = |token: &AddedToken| Ok(token.content.clone());
        let normalize = |token: &AddedToken| {
            let mut content = NormalizedString::from(token.content.as_str());
            if let Some(normalizer) = inner.get_normalizer() {
                normalizer.normalize(&mut content)?;
            }
            Ok(content.get().to_owned())
        };
        let spelled = Matcher::of(all.clone(), spell)?;
        let contents = all.iter().map(|(id, token)| (token.content.clone(), *id));
        let mut sorted: Vec<(String, u32)> = contents.collect();
        sorted.sort();
        let (normalized, exact) = all.into_iter().partition(|(_, token)| token.normalized);
        Ok(Self {
            exact: Matcher::of(exact, spell)?,
            normalized: Matcher::of(normalized, normalize)?,
            spelled,
            sorted,
        })
    }
}

impl Matcher {
    fn of(
        mut tokens: Vec<(u32, AddedToken)>,
        text: impl Fn(&AddedToken) -> tokenizers::Result<String>,
    ) -> tokenizers::Result<Self> {
        let mut patterns = Vec::new();
        for (_, token) in &tokens {
            patterns.push(text(token)?);
        }
        let mut kept = patterns.iter().map(|pattern| !pattern.is_empty());
        tokens.retain(|_| kept.next().unwrap_or(false));
        patterns.retain(|pattern| !pattern.is_empty());
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)?;
        Ok(Self { automaton, tokens })
    }

    /// Cuts a text at its added tokens, as `AddedVocabulary::find_matches` does, but for those that are refused.
    pub(super) fn parts(
        &self,
        text: &str,
        refused: impl Fn(u32, Range<usize>) -> bool,
    ) -> Vec<Part> {
        let mut parts = Vec::new();
        let (mut at, mut done) = (0, 0);
        while let Some(found) = self.automaton.find(Input::new(text).range(at..)) {
            let (id, token) = &self.tokens[found.pattern()];
            let (mut start, mut end) = (found.start(), found.end());
            if refused(*id, start..end) {
                at = next_char(text, start);
                continue;
            }
            at = end;
            if token.single_word && (ends_in_word(&text[..start]) || begins_word(&text[end..])) {
                continue;
            }
            if token.lstrip {
                start = text[..start].trim_end().len().max(done);
            }
            if token.rstrip {
                end = text.len() - text[end..].trim_start().len();
            }
            if done < start {
                parts.push((done..start, None));
            }
            parts.push((start..end, Some(*id)));
            done = end;
            at = at.max(end);
        }
        if done < text.len() {
            parts.push((done..text.len(), None));
        }
        parts
    }
}

/// Where the character behind the one at `at` begins.
pub(super) fn next_char(text: &str, at: usize) -> usize {
    let character = text.get(at..).and_then(|rest| rest.chars().next());
    at + character.map_or(1, char::len_utf8)
}

/// Whether a character is part of a word, as `\w` says.
pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn ends_in_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(is_word)
}

fn begins_word(text: &str) -> bool {
    text.chars().next().is_some_and(is_word)
}
