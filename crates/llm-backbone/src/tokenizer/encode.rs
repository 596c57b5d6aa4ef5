//! Text to ids: the steps of Hugging Face's `tokenizers` (`TokenizerImpl::encode`), with two things that it has no switch
//! for: special tokens that are none where a user spelled them, and text that goes on after other text.

use std::ops::Range;

use tokenizers::tokenizer::normalizer::Range as Span;
use tokenizers::{
    Model, ModelWrapper, NormalizedString, Normalizer, OffsetType, PreTokenizedString,
    PreTokenizer, Token,
};

use super::added::{Added, Part, next_char};
use super::guard::guarded;
use super::quotes::Quotes;
use super::{Tokenizer, TokenizerError};

/// Where the text of a special token becomes that token.
#[derive(Clone, Copy, Debug)]
pub enum Specials<'a> {
    /// Wherever it stands: right for text that is rendered already.
    Everywhere,
    /// Nowhere: right for what users wrote.
    Nowhere,
    /// Where no user wrote it: right for a rendered chat template, whose contents went through these quotes.
    Unquoted(&'a Quotes),
}

/// Ids with their places in the text, in bytes.
struct Pieces {
    ids: Vec<u32>,
    places: Vec<(usize, usize)>,
}

/// A text without stand-ins, and where they stood.
struct Source {
    text: String,
    quoted: Vec<usize>,
}

impl Tokenizer {
    /// The ids of `text`, without BOS or EOS.
    ///
    /// With `special`, the text of a special token (`<|im_end|>`) becomes that token: right for rendered chat templates.
    /// Without, it is plain text like any other: right for what users wrote.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the tokenizer cannot represent the text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TokenizerError> {
        let specials = match special {
            true => Specials::Everywhere,
            false => Specials::Nowhere,
        };
        self.encode_as(text, specials)
    }

    /// As [`encode`](Self::encode), with a say in what is special.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_as(
        &self,
        text: &str,
        specials: Specials<'_>,
    ) -> Result<Vec<u32>, TokenizerError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let source = Source::of(text, specials);
        Ok(self.pieces(&source, specials, None)?.ids)
    }

    /// The ids of `text` as it goes on after `context`: those of the joint text behind the seam where a token begins there;
    /// elsewhere those of `text` without what a tokenizer puts in front of a text, such as the `▁` of `SentencePiece`. So the
    /// ids of both, one after the other, say the joint text and no character more.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_after(
        &self,
        context: &str,
        text: &str,
        specials: Specials<'_>,
    ) -> Result<Vec<u32>, TokenizerError> {
        if text.is_empty() || context.is_empty() {
            return self.encode_as(text, specials);
        }
        let before = Source::of(context, specials);
        let from = self.last_border(&before, specials)?;
        let seam = before.text.len() - from;
        let source = before.from(from).and(Source::of(text, specials));
        let joint = self.pieces(&source, specials, None)?;
        if let Some(ids) = joint.behind(seam) {
            return Ok(ids);
        }
        let apart = self.pieces(&source, specials, Some(seam))?;
        match apart.behind(seam) {
            Some(ids) => Ok(ids),
            None => self.encode_as(text, specials),
        }
    }

    /// Where the last added token of a text begins, before which nothing changes what comes behind it; else 0.
    fn last_border(
        &self,
        source: &Source,
        specials: Specials<'_>,
    ) -> Result<usize, TokenizerError> {
        let matcher = &self.added()?.exact;
        let refused = |id, range| self.refuses(id, range, source, specials);
        let parts = matcher.parts(&source.text, refused);
        let last = parts.into_iter().rev().find(|(_, id)| id.is_some());
        Ok(last.map_or(0, |(range, _)| range.start))
    }

    /// Whether an added token that was found is not to be taken for one.
    fn refuses(
        &self,
        id: u32,
        place: Range<usize>,
        source: &Source,
        specials: Specials<'_>,
    ) -> bool {
        self.is_control(id)
            && match specials {
                Specials::Everywhere => false,
                Specials::Nowhere => true,
                Specials::Unquoted(_) => source.quotes_within(&place),
            }
    }

    /// All steps; with `cut`, no token goes over that place, in bytes, unless it is an added one.
    fn pieces(
        &self,
        source: &Source,
        specials: Specials<'_>,
        cut: Option<usize>,
    ) -> Result<Pieces, TokenizerError> {
        let added = self.added()?;
        let steps = || {
            let mut text = self.apart_from_added(added, source, specials)?;
            if let Some(pre_tokenizer) = self.inner.get_pre_tokenizer() {
                pre_tokenizer.pre_tokenize(&mut text)?;
            }
            self.tokenize(&mut text, specials, cut)?;
            text.into_encoding(None, 0, OffsetType::Byte)
        };
        let encoding = guarded(steps).map_err(TokenizerError::Failed)?;
        Ok(Pieces {
            ids: encoding.get_ids().to_vec(),
            places: encoding.get_offsets().to_vec(),
        })
    }

    /// The text cut at its added tokens, and what is between them normalised.
    fn apart_from_added(
        &self,
        added: &Added,
        source: &Source,
        specials: Specials<'_>,
    ) -> tokenizers::Result<PreTokenizedString> {
        let mut text = PreTokenizedString::from(source.text.as_str());
        text.split(|_, sequence| {
            let refused = |id, range| self.refuses(id, range, source, specials);
            slices(&sequence, added.exact.parts(sequence.get(), refused))
        })?;
        text.split(|_, mut sequence| {
            if let Some(normalizer) = self.inner.get_normalizer() {
                normalizer.normalize(&mut sequence)?;
            }
            let refused =
                |id, range| self.refuses_normalized(id, range, &sequence, source, specials);
            slices(&sequence, added.normalized.parts(sequence.get(), refused))
        })?;
        Ok(text)
    }

    /// The model's tokens of every part, none over `cut`.
    fn tokenize(
        &self,
        text: &mut PreTokenizedString,
        specials: Specials<'_>,
        cut: Option<usize>,
    ) -> tokenizers::Result<()> {
        let mut inside_word = false;
        if let Some(at) = cut {
            text.split(|_, sequence| {
                let halves = halves(sequence, at);
                inside_word |= halves.len() > 1;
                Ok(halves)
            })?;
        }
        let goes_on =
            |sequence: &NormalizedString| inside_word && Some(sequence.offsets_original().0) == cut;
        text.tokenize(|sequence| {
            if goes_on(sequence)
                && let Some(tokens) = self.rest_of_word(sequence.get())
            {
                return Ok(tokens);
            }
            match specials {
                Specials::Everywhere => self.inner.get_model().tokenize(sequence.get()),
                _ => self.plain_tokens(sequence.get()),
            }
        })
    }

    /// As [`refuses`](Self::refuses), for a place in normalised text. Where users write too, what only became the text of a
    /// special token (`＜/s＞`) is none.
    fn refuses_normalized(
        &self,
        id: u32,
        place: Range<usize>,
        sequence: &NormalizedString,
        source: &Source,
        specials: Specials<'_>,
    ) -> bool {
        let shift = sequence.offsets_original().0;
        let Some(own) = sequence.convert_offsets(Span::Normalized(place)) else {
            return !matches!(specials, Specials::Everywhere) && self.is_control(id);
        };
        let written = sequence.get_original().get(own.clone());
        let own = own.start + shift..own.end + shift;
        let differs = || {
            let content = self.inner.id_to_token(id).unwrap_or_default();
            written.is_none_or(|written| written.trim() != content)
        };
        self.refuses(id, own, source, specials)
            || (matches!(specials, Specials::Unquoted(_)) && self.is_control(id) && differs())
    }

    /// The tokens of the rest of a word, for a model that marks them (`WordPiece`'s `##`): the longest first, as it does. None
    /// for other models, or where the vocabulary has no such tokens.
    fn rest_of_word(&self, text: &str) -> Option<Vec<Token>> {
        let ModelWrapper::WordPiece(model) = self.inner.get_model() else {
            return None;
        };
        let mut tokens = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let ends = (start + 1..=text.len()).rev();
            let mut ends = ends.filter(|end| text.is_char_boundary(*end));
            let (id, value, end) = ends.find_map(|end| {
                let value = format!("{}{}", model.continuing_subword_prefix, &text[start..end]);
                Some((model.token_to_id(&value)?, value, end))
            })?;
            tokens.push(Token::new(id, value, (start, end)));
            start = end;
        }
        Some(tokens)
    }

    /// The model's tokens of a text that spells no special token. Some models have those in their vocabulary and would find
    /// them: such a one is taken apart behind its first character.
    fn plain_tokens(&self, text: &str) -> tokenizers::Result<Vec<Token>> {
        let mut tokens = self.inner.get_model().tokenize(text)?;
        let spelled = |token: &Token| {
            let (start, end) = token.offsets;
            let written = text.get(start..end).unwrap_or_default();
            self.is_control(token.id)
                && (self.inner.id_to_token(token.id).as_deref() == Some(written))
                && next_char(text, start) < end
        };
        let Some(token) = tokens.iter().find(|token| spelled(token)) else {
            return Ok(tokens);
        };
        let cut = next_char(text, token.offsets.0);
        tokens = self.plain_tokens(&text[..cut])?;
        for mut token in self.plain_tokens(&text[cut..])? {
            token.offsets = (token.offsets.0 + cut, token.offsets.1 + cut);
            tokens.push(token);
        }
        Ok(tokens)
    }
}

impl Pieces {
    /// The ids behind a place, if a token begins there.
    fn behind(&self, seam: usize) -> Option<Vec<u32>> {
        let first = self.places.iter().position(|&(start, _)| start >= seam);
        let first = first.unwrap_or(self.ids.len());
        let whole = self.places[..first].iter().all(|&(_, end)| end <= seam);
        whole.then(|| self.ids[first..].to_vec())
    }
}

impl Source {
    fn of(text: &str, specials: Specials<'_>) -> Self {
        let (text, quoted) = match specials {
            Specials::Unquoted(quotes) => quotes.undo(text),
            Specials::Everywhere | Specials::Nowhere => (text.to_owned(), Vec::new()),
        };
        Self { text, quoted }
    }

    /// The rest of the text from a place on.
    fn from(self, start: usize) -> Self {
        let rest = self.quoted.into_iter().filter(|&at| at >= start);
        Self {
            text: self.text[start..].to_owned(),
            quoted: rest.map(|at| at - start).collect(),
        }
    }

    fn and(mut self, more: Self) -> Self {
        let shift = self.text.len();
        self.quoted.extend(more.quoted.iter().map(|at| at + shift));
        self.text += &more.text;
        self
    }

    fn quotes_within(&self, place: &Range<usize>) -> bool {
        let from = self.quoted.partition_point(|&at| at < place.start);
        self.quoted.get(from).is_some_and(|&at| at < place.end)
    }
}

/// The parts as slices of the text, the added tokens among them with their ids.
fn slices(
    sequence: &NormalizedString,
    parts: Vec<Part>,
) -> tokenizers::Result<Vec<(NormalizedString, Option<Vec<Token>>)>> {
    if let [(range, None)] = parts.as_slice()
        && range.len() == sequence.len()
    {
        return Ok(vec![(sequence.clone(), None)]);
    }
    let slice = |(range, id): Part| {
        let Some(slice) = sequence.slice(Span::Normalized(range)) else {
            return Err("an added token begins or ends inside a character".into());
        };
        let tokens = id.map(|id| {
            let value = slice.get().to_owned();
            let place = (0, value.len());
            vec![Token::new(id, value, place)]
        });
        Ok((slice, tokens))
    };
    parts.into_iter().map(slice).collect()
}

/// A piece in two where the place lies inside it and both sides have text of their own.
fn halves(sequence: NormalizedString, at: usize) -> Vec<NormalizedString> {
    let (start, end) = sequence.offsets_original();
    if at <= start || end <= at {
        return vec![sequence];
    }
    let length = end - start;
    let left = sequence.slice(Span::Original(0..at - start));
    let right = sequence.slice(Span::Original(at - start..length));
    match (left, right) {
        (Some(left), Some(right)) => vec![left, right],
        _ => vec![sequence],
    }
}
