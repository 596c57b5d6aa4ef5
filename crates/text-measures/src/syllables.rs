//! Syllables of English words by rule.

/// About how many syllables an English word has, at least 1.
///
/// Each run of vowel letters (`a e i o u y`) counts as one. Then: a silent `e` at the end is taken off (not `-le` after
/// a consonant, not the only vowel), a silent `-es` and `-ed` likewise (`-es` after s, x, z, c, g, ch, sh and `-ed`
/// after t or d are spoken), and pairs that are two vowels in most words (`ia`, `io` but not in `-tion`, `-sion`,
/// `-cious` and the like, `eo`, `ua` but not after q or g, `iu`, `uou`) add one. A digit string counts one per digit.
pub fn syllables(word: &str) -> usize {
    let parts = word.split(|c: char| !c.is_alphanumeric());
    // What follows an apostrophe (`'s`, `'ll`, `'t`) hardly ever adds a syllable.
    let spoken = parts.filter(|part| part.chars().count() > 2 || !word.contains(['\'', '’']));
    spoken.map(part_syllables).sum::<usize>().max(1)
}

fn part_syllables(part: &str) -> usize {
    let letters: Vec<char> = part.to_lowercase().chars().collect();
    if letters.is_empty() {
        return 0;
    }
    if letters.iter().all(char::is_ascii_digit) {
        return letters.len();
    }
    let text: String = letters.iter().collect();
    let groups = vowel_groups(&letters) + hiatuses(&text);
    groups.saturating_sub(usize::from(silent_end(&text))).max(1)
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

fn vowel_groups(letters: &[char]) -> usize {
    let mut before = false;
    let mut count = 0;
    for (i, c) in letters.iter().enumerate() {
        // A y that begins a word before a vowel is a consonant.
        let consonant = *c == 'y' && i == 0 && letters.get(1).copied().is_some_and(is_vowel);
        let vowel = is_vowel(*c) && !consonant;
        count += usize::from(vowel && !before);
        before = vowel;
    }
    count
}

/// Neighbouring vowels that are spoken apart.
fn hiatuses(word: &str) -> usize {
    let mut count = 0;
    for (i, _) in word.char_indices() {
        let (before, rest) = (&word[..i], &word[i..]);
        let soft = before.ends_with(['t', 's', 'c', 'g', 'x', 'l']);
        count += usize::from(
            (rest.starts_with("ia") && !before.ends_with(['c', 't']))
                || (rest.starts_with("io") && !soft)
                || (rest.starts_with("iu"))
                || (rest.starts_with("eo") && !before.ends_with('p') && !before.ends_with('g'))
                || (rest.starts_with("ua") && !before.ends_with(['q', 'g']))
                || rest.starts_with("uou"),
        );
    }
    count
}

/// Whether the last written vowel is silent.
fn silent_end(word: &str) -> bool {
    let vowels_before = |stem: &str| stem.contains(is_vowel);
    if let Some(stem) = word.strip_suffix("es") {
        let spoken = ["s", "x", "z", "c", "g", "ch", "sh"];
        return vowels_before(stem)
            && !spoken.iter().any(|end| stem.ends_with(end))
            && !stem.ends_with(is_vowel)
            && !ends_in_le(&word[..word.len() - 1]);
    }
    if let Some(stem) = word.strip_suffix("ed") {
        return vowels_before(stem) && !stem.ends_with(['t', 'd']) && !stem.ends_with(is_vowel);
    }
    match word.strip_suffix('e') {
        Some(stem) => vowels_before(stem) && !stem.ends_with(is_vowel) && !ends_in_le(word),
        None => false,
    }
}

/// `-le` after a consonant, as in `table`, is a syllable.
fn ends_in_le(word: &str) -> bool {
    word.strip_suffix("le")
        .is_some_and(|stem| stem.chars().last().is_some_and(|c| !is_vowel(c)))
}

#[cfg(test)]
mod tests {
    use super::syllables;

    #[test]
    fn syllables_equal_hand_counts() {
        let counted = [
            (
                1,
                "cat make makes the looked you're it's through queue asked time yes",
            ),
            (
                2,
                "table tables people water wanted boxes changes happy nation million yellow people's",
            ),
            (3, "radio syllable banana delicious video actual"),
            (4, "education information"),
            (5, "thermodynamics"),
            (2, "42"),
        ];
        for (expected, words) in counted {
            for word in words.split(' ') {
                assert_eq!(syllables(word), expected, "{word}");
            }
        }
    }

    #[test]
    fn any_word_has_a_syllable() {
        for word in ["", "b", "'", "e", "mmm", "日本", "-"] {
            assert!(syllables(word) >= 1, "{word}");
        }
    }
}
