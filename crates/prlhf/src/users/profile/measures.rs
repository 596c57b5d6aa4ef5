//! Objective measures of one response. What cannot be measured, such as the sentences of a text without words, is none.

type Measure = fn(&str) -> Option<f64>;

/// By name, in the order in which they are shown. Hedges and words that speak to the reader are English ones.
pub const MEASURES: [(&str, Measure); 9] = [
    ("words", |text| Some(words(text).len() as f64)),
    ("words per sentence", words_per_sentence),
    ("readability index (ARI)", readability),
    ("list items", |text| Some(list_items(text) as f64)),
    ("long words, %", |text| per_hundred(text, long_words(text))),
    ("hedges per 100 words", |text| {
        per_hundred(text, hedges(text))
    }),
    ("\"you\" per 100 words", |text| {
        per_hundred(text, to_reader(text))
    }),
    ("exclamation marks per 100 words", |text| {
        per_hundred(text, text.matches('!').count())
    }),
    ("question marks per 100 words", |text| {
        per_hundred(text, text.matches('?').count())
    }),
];

/// Runs of letters, digits, apostrophes and hyphens with a letter or digit among them.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’' | '-')))
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect()
}

/// Stretches with a word that end in `.`, `!` or `?` before a blank, in a line end or with the text.
fn sentences(text: &str) -> usize {
    let mut count = 0;
    for line in text.lines() {
        let mut from = 0;
        for (at, mark) in line.match_indices(['.', '!', '?']) {
            let end = at + mark.len();
            let ends = line[end..].chars().next().is_none_or(char::is_whitespace);
            if ends && !words(&line[from..end]).is_empty() {
                count += 1;
                from = end;
            }
        }
        count += usize::from(!words(&line[from..]).is_empty());
    }
    count
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

/// Lines that begin as items of a list do: `-`, `*`, `•`, or a number with a dot or bracket, before a blank.
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

/// Words of seven letters or more.
fn long_words(text: &str) -> usize {
    let is_long = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() >= 7;
    words(text).into_iter().filter(is_long).count()
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
    among(text, &HEDGES)
}

fn to_reader(text: &str) -> usize {
    const READER: [&str; 9] = [
        "you", "your", "yours", "yourself", "you're", "you’re", "you'll", "you’ll", "you've",
    ];
    among(text, &READER)
}

fn among(text: &str, list: &[&str]) -> usize {
    let words = words(text).into_iter().map(str::to_lowercase);
    words.filter(|word| list.contains(&word.as_str())).count()
}

fn per_hundred(text: &str, count: usize) -> Option<f64> {
    let words = words(text).len();
    (words > 0).then(|| 100.0 * count as f64 / words as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_measured_as_by_hand() {
        let text = "Perhaps you might like it. Try!\n\n1. First item\n- second, at 3.5 km\n* \n";
        // Words: 5 + 1 + (1, First, item) + (second, at, 3, 5, km).
        assert_eq!(words(text).len(), 14);
        assert_eq!(list_items(text), 2);
        // Of the third line, `1.` is one of its own.
        assert_eq!(sentences(text), 5);
        assert_eq!((hedges(text), to_reader(text), long_words(text)), (2, 1, 1));
        let of = |name: &str| {
            let found = MEASURES.iter().find(|(known, _)| *known == name);
            found.unwrap().1
        };
        assert_eq!(of("words per sentence")(text), Some(2.8));
        let exclamations = of("exclamation marks per 100 words")(text).unwrap();
        assert!((exclamations - 100.0 / 14.0).abs() < 1e-12);
        // 4 letters a word, 2 words a sentence.
        let found = readability("Make soup.").unwrap();
        assert!((found - (18.84 + 1.0 - 21.43)).abs() < 1e-12);
        assert_eq!(readability(" ... "), None);
        assert_eq!(of("words")(""), Some(0.0));
    }
}
