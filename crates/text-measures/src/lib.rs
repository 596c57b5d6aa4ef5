//! Objective measures of English text: they need no judge. And a [`profile`] of a reader: what the texts that the reader chose
//! have in common.

mod profile;
mod syllables;

pub use profile::profile;
use syllables::syllables;

/// A measure of one text. What cannot be measured, such as the grade of a text without words, is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name in JSON.
    pub key: &'static str,
    /// As people read it, with its unit.
    pub title: &'static str,
    /// From text to number.
    pub value: fn(&str) -> Option<f64>,
}

/// Words of a text.
pub const WORDS: Measure = Measure {
    key: "words",
    title: "words",
    value: |text| Some(words(text).len() as f64),
};
/// Sentences of a text.
pub const SENTENCES: Measure = Measure {
    key: "sentences",
    title: "sentences",
    value: |text| Some(sentences(text) as f64),
};
/// Words of a mean sentence.
pub const WORDS_PER_SENTENCE: Measure = Measure {
    key: "words_per_sentence",
    title: "words per sentence",
    value: words_per_sentence,
};
/// Flesch-Kincaid grade level.
pub const GRADE: Measure = Measure {
    key: "grade",
    title: "Flesch-Kincaid grade",
    value: grade,
};
/// The automated readability index.
pub const READABILITY: Measure = Measure {
    key: "readability",
    title: "readability index (ARI)",
    value: readability,
};
/// Lines that are items of a list.
pub const LIST_ITEMS: Measure = Measure {
    key: "list_items",
    title: "list items",
    value: |text| Some(list_items(text) as f64),
};
/// Share of words with seven letters or more.
pub const LONG_WORDS: Measure = Measure {
    key: "long_words",
    title: "long words, % (7 letters or more)",
    value: |text| per_hundred_words(text, long_words(text)),
};
/// Words that leave room for doubt, per 100 words.
pub const HEDGES: Measure = Measure {
    key: "hedges",
    title: "hedges per 100 words",
    value: |text| per_hundred_words(text, hedges(text)),
};
/// Exclamation marks per 100 words.
pub const EXCLAMATIONS: Measure = Measure {
    key: "exclamations",
    title: "exclamation marks per 100 words",
    value: |text| per_hundred_words(text, text.matches('!').count()),
};
/// Question marks per 100 words.
pub const QUESTIONS: Measure = Measure {
    key: "questions",
    title: "question marks per 100 words",
    value: |text| per_hundred_words(text, text.matches('?').count()),
};
/// Words that speak to the reader, per 100 words.
pub const SECOND_PERSON: Measure = Measure {
    key: "second_person",
    title: "second-person words per 100 words",
    value: |text| per_hundred_words(text, second_person(text)),
};

/// Exclamation marks and words that speak to the reader, per 100 words.
pub const WARMTH: Measure = Measure {
    key: "warmth",
    title: "exclamation marks and second-person words per 100 words",
    value: |text| per_hundred_words(text, text.matches('!').count() + second_person(text)),
};

/// Words: runs of letters, digits, apostrophes and hyphens that hold at least one letter or digit.
pub fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’' | '-')))
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect()
}

/// Sentences: stretches that hold a word and end in `.`, `!` or `?` before a blank or the end, or in a line break.
/// A full stop within a number or an address ends none.
pub fn sentences(text: &str) -> usize {
    let mut count = 0;
    for line in text.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            let end = sentence_end(rest);
            count += usize::from(!words(&rest[..end]).is_empty());
            rest = &rest[end..];
        }
    }
    count
}

/// The byte after the first sentence of a line.
fn sentence_end(line: &str) -> usize {
    let mut ended = false;
    for (at, c) in line.char_indices() {
        if ended && c.is_whitespace() {
            return at;
        }
        let closing = matches!(c, '"' | '”' | '\'' | '’' | ')' | ']');
        ended = matches!(c, '.' | '!' | '?' | '…') || (ended && closing);
    }
    line.len()
}

/// Flesch-Kincaid grade level (Kincaid and others 1975): `0.39 words/sentence + 11.8 syllables/word - 15.59`, with the
/// syllables of rules (`syllables.rs`).
pub fn grade(text: &str) -> Option<f64> {
    let words = words(text);
    let sentences = sentences(text);
    if words.is_empty() || sentences == 0 {
        return None;
    }
    let count = words.len() as f64;
    let syllables: usize = words.iter().map(|word| syllables(word)).sum();
    Some(0.39 * count / sentences as f64 + 11.8 * syllables as f64 / count - 15.59)
}

fn words_per_sentence(text: &str) -> Option<f64> {
    let sentences = sentences(text);
    (sentences > 0).then(|| words(text).len() as f64 / sentences as f64)
}

/// The automated readability index, about the years at school that a text takes (Smith and Senter 1967):
/// `4.71 characters / words + 0.5 words / sentences - 21.43`.
fn readability(text: &str) -> Option<f64> {
    let words = words(text);
    let letters = |word: &&str| word.chars().filter(|c| c.is_alphanumeric()).count();
    let letters: usize = words.iter().map(letters).sum();
    let per_word = letters as f64 / words.len() as f64;
    Some(4.71 * per_word + 0.5 * words_per_sentence(text)? - 21.43)
}

/// Lines that begin as items of a list do: `-`, `*`, `•`, `+`, or a number with a dot or bracket, before a blank.
fn list_items(text: &str) -> usize {
    let is_item = |line: &&str| {
        let Some((mark, rest)) = line.trim_start().split_once(' ') else {
            return false;
        };
        let number = mark.strip_suffix(['.', ')']).unwrap_or_default();
        let numbered = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        !rest.trim().is_empty() && (matches!(mark, "-" | "*" | "•" | "+") || numbered)
    };
    text.lines().filter(is_item).count()
}

fn hedges(text: &str) -> usize {
    const HEDGES: [&str; 20] = [
        "about",
        "almost",
        "apparently",
        "could",
        "generally",
        "likely",
        "may",
        "maybe",
        "might",
        "mostly",
        "often",
        "perhaps",
        "possibly",
        "probably",
        "rather",
        "roughly",
        "seem",
        "seems",
        "sometimes",
        "usually",
    ];
    let words = words(text).into_iter().map(str::to_lowercase);
    words.filter(|word| HEDGES.contains(&&**word)).count()
}

fn long_words(text: &str) -> usize {
    let letters = |word: &&&str| word.chars().filter(|c| c.is_alphabetic()).count() >= 7;
    words(text).iter().filter(letters).count()
}

fn second_person(text: &str) -> usize {
    const FORMS: [&str; 5] = ["you", "your", "yours", "yourself", "yourselves"];
    let words = words(text);
    let spoken = words.iter().filter(|word| {
        let word = word.to_lowercase().replace('’', "'");
        // `you're` and `you'll` speak to the reader as well.
        FORMS.contains(&word.split('\'').next().unwrap_or_default())
    });
    spoken.count()
}

fn per_hundred_words(text: &str, count: usize) -> Option<f64> {
    let words = words(text).len();
    (words > 0).then(|| 100.0 * count as f64 / words as f64)
}

#[cfg(test)]
mod tests;
