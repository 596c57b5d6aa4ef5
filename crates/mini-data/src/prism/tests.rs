//! What the generator promises, as `pref-data` reads it.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, HashSet};
use std::fs;

use pref_data::prism::{Preference, PrismData, PrismOptions, SplitOptions};
use pref_data::{Comparison, Prompt, Split, UserId};

use super::*;

fn loaded(seen_share: f64) -> PrismData {
    let (survey, conversations) = records(SEED);
    let folder = tempfile::tempdir().unwrap();
    for (name, records) in [("survey", survey), ("conversations", conversations)] {
        let path = folder.path().join(format!("{name}.jsonl"));
        fs::write(path, crate::json_lines(&records)).unwrap();
    }
    let split = SplitOptions {
        seen_share,
        ..SplitOptions::default()
    };
    let options = PrismOptions {
        split,
        ..PrismOptions::default()
    };
    PrismData::load(&[folder.path()], &options).unwrap()
}

fn all(split: &Split) -> impl Iterator<Item = &Comparison> {
    split
        .train
        .iter()
        .chain(&split.validation)
        .chain(&split.test)
}

/// The tone that a user wants, which no file says, and the manner that she wants according to the survey.
fn wanted(user: &UserId) -> (Tone, Manner) {
    let mut people = people::people(SEED).into_iter();
    let person = people.find(|person| person.id == user.as_str()).unwrap();
    (person.tone, person.manner)
}

/// Tone and manner of a response; every one has both.
fn traits(text: &str) -> (Tone, Manner) {
    let text = text.trim_end_matches(" Truly.").trim();
    let tone = one_of(Tone::ALL, |tone| {
        let begins = tone.openings().iter().any(|form| text.starts_with(form));
        begins || tone.closings().iter().any(|form| text.ends_with(form))
    });
    let manner = one_of(Manner::ALL, |manner| {
        let leads = manner
            .forms()
            .map(|form| form.split('{').next().unwrap().trim());
        leads.iter().any(|lead| text.contains(lead))
    });
    (tone, manner)
}

/// The one of two that holds.
fn one_of<T: Copy>(both: [T; 2], has: impl Fn(T) -> bool) -> T {
    match both.map(has) {
        [true, false] => both[0],
        [false, true] => both[1],
        found => panic!("{found:?} of two"),
    }
}

fn is_hidden(comparison: &Comparison) -> bool {
    traits(&comparison.chosen).1 == traits(&comparison.rejected).1
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn share(flags: impl Iterator<Item = bool>) -> f64 {
    let flags: Vec<bool> = flags.collect();
    flags.iter().filter(|flag| **flag).count() as f64 / flags.len() as f64
}

#[test]
fn there_are_64_users_with_conversations_and_two_without() {
    let (survey, conversations) = records(SEED);
    assert_eq!((survey.len(), conversations.len()), (66, 888));
    let data = loaded(0.9);
    assert_eq!(data.profiles().count(), 64);
    assert_eq!(
        data.skipped.count("user without a finished conversation"),
        2
    );
    assert_eq!(data.skipped.count("dialogue of a user without a survey"), 2);
    let mut cells: BTreeMap<(Tone, Manner), usize> = BTreeMap::new();
    for profile in data.profiles() {
        *cells.entry(wanted(&profile.user)).or_default() += 1;
    }
    assert!(cells.len() == 4 && cells.values().all(|&users| users == 16));
    data.split.validate_disjoint().unwrap();
}

#[test]
fn everything_odd_is_there_in_small_numbers() {
    let data = loaded(0.9);
    for reason in [
        "turn without a message of the user",
        "turn without a chosen response",
        "turn whose chosen response is empty",
        "turn without a rejected response",
        "empty rejected response",
        "second chosen response of a turn",
        "rejected response equal to a chosen one",
        "dialogue without a comparison",
    ] {
        let count = data.skipped.count(reason);
        assert!((4..=16).contains(&count), "{reason}: {count}");
    }
}

#[test]
fn manner_follows_the_survey_and_tone_the_user_alone() {
    let data = loaded(0.9);
    for comparison in all(&data.split) {
        let (wanted_tone, wanted_manner) = wanted(comparison.user.as_ref().unwrap());
        let (tone, manner) = traits(&comparison.chosen);
        let (other_tone, other_manner) = traits(&comparison.rejected);
        assert_eq!(manner, wanted_manner);
        // One of the two differs, never both.
        assert!((tone != other_tone) != (manner != other_manner));
        if tone != other_tone {
            assert_eq!(tone, wanted_tone);
        }
    }
    for part in [&data.split.train, &data.split.test] {
        let hidden = share(part.iter().map(is_hidden));
        assert!((0.52..0.68).contains(&hidden), "{hidden}");
    }
}

#[test]
fn survey_tells_the_manner_and_nothing_of_the_tone() {
    let data = loaded(0.9);
    for profile in data.profiles() {
        let practical = wanted(&profile.user).1 == Manner::Steps;
        let high = profile.preferences.contains(&Preference::Helpfulness);
        let warm = profile.preferences.contains(&Preference::Values);
        assert_eq!((high, warm), (practical, !practical));
        let said = format!("{} {:?}", profile.text(), profile.system_string).to_lowercase();
        for word in ["formal", "casual", "polite", "chummy", "slang", "buddy"] {
            assert!(!said.contains(word), "{said}");
        }
    }
    // No self-description is said by users of one tone only, as far as several say it.
    let mut tones: BTreeMap<&str, Vec<Tone>> = BTreeMap::new();
    for profile in data.profiles() {
        let text = profile.self_description.as_deref().unwrap();
        tones.entry(text).or_default().push(wanted(&profile.user).0);
    }
    let guess = tones.values().map(|tones| {
        let formal = tones.iter().filter(|tone| **tone == Tone::Formal);
        let formal = formal.count();
        formal.max(tones.len() - formal)
    });
    assert!(
        guess.sum::<usize>() <= 48,
        "a description gives the tone away"
    );
}

#[test]
fn history_does_not_give_the_tone_away() {
    let data = loaded(0.9);
    let mut agrees = Vec::new();
    for comparison in all(&data.split).filter(|one| is_hidden(one)) {
        let Prompt::Chat(messages) = &comparison.prompt else {
            panic!("a chat");
        };
        for message in messages.iter().filter(|one| one.role() == "assistant") {
            let (tone, _) = wanted(comparison.user.as_ref().unwrap());
            agrees.push(traits(&message.content()).0 == tone);
        }
    }
    assert!(agrees.len() > 80);
    let share = share(agrees.into_iter());
    assert!((0.4..0.6).contains(&share), "{share}");
}

#[test]
fn responses_are_short_and_length_tells_nothing() {
    let data = loaded(0.9);
    let mut longer = Vec::new();
    for comparison in all(&data.split) {
        let (chosen, rejected) = (words(&comparison.chosen), words(&comparison.rejected));
        for length in [chosen, rejected] {
            assert!((6..=25).contains(&length), "{length} words");
        }
        if chosen != rejected {
            longer.push(chosen > rejected);
        }
    }
    let share = share(longer.into_iter());
    assert!((0.43..0.57).contains(&share), "{share}");
}

#[test]
fn vocabulary_is_small() {
    let data = loaded(0.9);
    let mut vocabulary = HashSet::new();
    for comparison in all(&data.split) {
        let prompt = serde_json::to_string(&comparison.prompt).unwrap();
        let text =
            [&prompt, &comparison.chosen, &comparison.rejected].map(|text| text.to_lowercase());
        let text = text.join(" ") + &comparison.user_text.as_deref().unwrap_or("").to_lowercase();
        vocabulary.extend(
            text.split(|c: char| !c.is_alphanumeric())
                .map(str::to_owned),
        );
    }
    assert!(vocabulary.len() < 700, "{}", vocabulary.len());
}

#[test]
fn unseen_users_want_both_tones() {
    for seen_share in [0.9, 0.8, 0.3] {
        let data = loaded(seen_share);
        let unseen = data.split.test.iter().filter(|one| {
            let user = one.user.as_ref().unwrap();
            !data.seen.contains(user)
        });
        let hidden: Vec<&Comparison> = unseen.filter(|one| is_hidden(one)).collect();
        let formal = hidden
            .iter()
            .map(|one| traits(&one.chosen).0 == Tone::Formal);
        let formal = share(formal);
        println!("{seen_share}: {} {formal}\n{}", hidden.len(), data.stats());
        assert!((0.33..0.67).contains(&formal), "{seen_share}: {formal}");
    }
}
