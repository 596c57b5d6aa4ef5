//! What is read of a comparison before it has a place in a row.

use crate::tokenise::{TokenizedPair, TokenizedPrompt};

/// What is read of a comparison: the prefix and one response or two.
#[derive(Clone, Copy, Debug)]
pub struct RowTokens<'a> {
    /// Token ids of the prefix, without soft tokens.
    pub prompt: &'a [u32],
    /// Where the soft tokens go.
    pub soft_at: usize,
    /// The preferred response.
    pub chosen: &'a [u32],
    /// The other response; empty: none.
    pub rejected: &'a [u32],
    /// What is asked of the responses.
    pub asked: Asked,
}

/// What is asked of the responses of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// How likely each of their tokens is: the last one is predicted, never read.
    Tokens,
    /// The same of samples, of which two that are equal are still two.
    Samples,
    /// The same, and of the prompt's tokens too: they count for the first response. Such rows have no soft tokens and share no prompt.
    WholeText,
    /// What they are worth, at the state of the last token, which is read.
    Worth,
}

impl<'a> RowTokens<'a> {
    /// The comparison without its other response.
    pub fn chosen_alone(pair: &'a TokenizedPair) -> Self {
        Self {
            rejected: &[],
            ..Self::from(pair)
        }
    }

    /// The same tokens for another purpose.
    #[must_use]
    pub fn asking(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// A prompt with an empty response, which is its end alone.
    pub(crate) fn ending(prompt: &'a TokenizedPrompt, end: &'a [u32]) -> Self {
        Self {
            prompt: &prompt.ids,
            soft_at: prompt.soft_at,
            chosen: end,
            rejected: &[],
            asked: Asked::Tokens,
        }
    }

    /// Both responses.
    pub(super) fn both(&self) -> [Behind<'a>; 2] {
        let asked = self.asked;
        [self.chosen, self.rejected].map(|tokens| Behind { tokens, asked })
    }

    /// The responses that there are.
    pub(crate) fn responses(&self) -> impl Iterator<Item = Behind<'a>> {
        self.both()
            .into_iter()
            .filter(|response| !response.tokens.is_empty())
    }

    /// Input tokens, `soft` soft tokens included.
    pub(crate) fn length(&self, soft: usize) -> usize {
        let responses = self.both().iter().map(Behind::inputs).sum::<usize>();
        soft + self.prompt.len() + responses
    }
}

impl<'a> From<&'a TokenizedPair> for RowTokens<'a> {
    fn from(pair: &'a TokenizedPair) -> Self {
        Self {
            prompt: &pair.prompt.ids,
            soft_at: pair.prompt.soft_at,
            chosen: &pair.chosen,
            rejected: &pair.rejected,
            asked: Asked::Tokens,
        }
    }
}

/// A response behind a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind<'a> {
    pub(super) tokens: &'a [u32],
    pub(super) asked: Asked,
}

impl Behind<'_> {
    /// Tokens that are read.
    pub(crate) fn inputs(&self) -> usize {
        match self.asked {
            Asked::Tokens | Asked::Samples | Asked::WholeText => {
                self.tokens.len().saturating_sub(1)
            }
            Asked::Worth => self.tokens.len(),
        }
    }

    /// Whether it need not be read again beside these.
    pub(crate) fn is_in(&self, held: &[Self]) -> bool {
        self.place_in(held).is_some()
    }

    pub(super) fn place_in(&self, held: &[Self]) -> Option<usize> {
        match self.asked {
            Asked::Tokens | Asked::Worth => held.iter().position(|other| other == self),
            Asked::Samples | Asked::WholeText => None,
        }
    }
}
