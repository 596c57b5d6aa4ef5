//! The project's own PRISM data: what the generator promises, and that the shipped files are its work.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use pref_data::mini::prism::{
    HiddenKind, Manner, SEED, generate, hidden_kind, json_lines, manner_of, stated_manner, tone_of,
};
use pref_data::prism::comparisons::{
    EMPTY_CHOSEN, EMPTY_REJECTED, EQUAL_TEXTS, NO_CHOSEN, NO_MESSAGE, NO_REJECTED, SECOND_CHOSEN,
};
use pref_data::prism::prepare::{NO_COMPARISON, NO_CONVERSATION, NO_SURVEY};
use pref_data::prism::{Preference, UserSplit};
use pref_data::{Comparison, PrismData, PrismOptions, Prompt, Split};
use tempfile::TempDir;

fn loaded(seen_share: f64) -> PrismData {
    let mini = generate(SEED);
    let folder = TempDir::new().unwrap();
    let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    put("survey.jsonl", json_lines(&mini.survey).unwrap());
    put(
        "conversations.jsonl",
        json_lines(&mini.conversations).unwrap(),
    );
    let split = UserSplit {
        seen_share,
        ..UserSplit::default()
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

/// Tone and manner of a response; every one has both.
fn traits(text: &str) -> (HiddenKind, Manner) {
    let text = text.trim_end_matches(" Truly.");
    (tone_of(text).unwrap(), manner_of(text).unwrap())
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
fn shipped_files_are_what_the_generator_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini/prism");
    if !folder.exists() {
        println!("skipped: the data folder of the project is not here");
        return;
    }
    let mini = generate(SEED);
    for (name, text) in [
        ("survey.jsonl", json_lines(&mini.survey).unwrap()),
        (
            "conversations.jsonl",
            json_lines(&mini.conversations).unwrap(),
        ),
    ] {
        let shipped = fs::read_to_string(folder.join(name)).unwrap();
        assert!(
            shipped == text,
            "write {name} anew with the example make_mini_prism"
        );
    }
}

#[test]
fn there_are_96_users_with_conversations_and_two_without() {
    let mini = generate(SEED);
    assert_eq!(mini.survey.len(), 98);
    assert_eq!(mini.conversations.len(), 470);
    let data = loaded(0.9);
    assert_eq!(data.profiles().count(), 96);
    assert_eq!(data.skipped.count(NO_CONVERSATION), 2);
    assert_eq!(data.skipped.count(NO_SURVEY), 2);
    let mut cells: BTreeMap<(Manner, HiddenKind), usize> = BTreeMap::new();
    for profile in data.profiles() {
        let kind = hidden_kind(&profile.user).unwrap();
        let manner = stated_manner(&profile.user).unwrap();
        *cells.entry((manner, kind)).or_default() += 1;
    }
    assert!(cells.len() == 4 && cells.values().all(|&users| users == 24));
    assert_eq!(hidden_kind(&"user7".into()), None);
    data.split.check_disjoint().unwrap();
}

#[test]
fn everything_odd_is_there_in_small_numbers() {
    let data = loaded(0.9);
    for reason in [
        NO_MESSAGE,
        NO_CHOSEN,
        EMPTY_CHOSEN,
        NO_REJECTED,
        EMPTY_REJECTED,
        SECOND_CHOSEN,
        EQUAL_TEXTS,
        NO_COMPARISON,
    ] {
        let count = data.skipped.count(reason);
        assert!((4..=16).contains(&count), "{reason}: {count}");
    }
}

#[test]
fn manner_follows_the_survey_and_tone_the_user_alone() {
    let data = loaded(0.9);
    for comparison in all(&data.split) {
        let user = comparison.user.as_ref().unwrap();
        let (tone, manner) = traits(&comparison.chosen);
        let (other_tone, other_manner) = traits(&comparison.rejected);
        assert_eq!(Some(manner), stated_manner(user));
        // One of the two differs, never both.
        assert!((tone != other_tone) != (manner != other_manner));
        if tone != other_tone {
            assert_eq!(Some(tone), hidden_kind(user));
        }
    }
    for part in [&data.split.train, &data.split.test] {
        let hidden = share(part.iter().map(is_hidden));
        assert!((0.42..0.58).contains(&hidden), "{hidden}");
    }
}

#[test]
fn survey_tells_the_manner_and_nothing_of_the_tone() {
    let data = loaded(0.9);
    for profile in data.profiles() {
        let practical = stated_manner(&profile.user) == Some(Manner::Steps);
        let high = profile.preferences.contains(&Preference::Helpfulness);
        let warm = profile.preferences.contains(&Preference::Values);
        assert_eq!((high, warm), (practical, !practical));
        let said = format!("{} {:?}", profile.text(), profile.system_string).to_lowercase();
        for word in ["formal", "casual", "polite", "chummy", "slang", "buddy"] {
            assert!(!said.contains(word), "{said}");
        }
    }
    // No self-description is said by one kind of users only, as far as several say it.
    let mut kinds: BTreeMap<&str, Vec<HiddenKind>> = BTreeMap::new();
    for profile in data.profiles() {
        let text = profile.self_description.as_deref().unwrap();
        kinds
            .entry(text)
            .or_default()
            .push(hidden_kind(&profile.user).unwrap());
    }
    let guess = kinds.values().map(|kinds| {
        let formal = kinds.iter().filter(|kind| **kind == HiddenKind::Formal);
        let formal = formal.count();
        formal.max(kinds.len() - formal)
    });
    assert!(
        guess.sum::<usize>() <= 72,
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
        for message in messages.iter().filter(|one| one.role == "assistant") {
            let kind = hidden_kind(comparison.user.as_ref().unwrap());
            agrees.push(Some(traits(&message.content).0) == kind);
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
            .map(|one| traits(&one.chosen).0 == HiddenKind::Formal);
        let formal = share(formal);
        println!("{seen_share}: {} {formal}\n{}", hidden.len(), data.stats());
        assert!((0.33..0.67).contains(&formal), "{seen_share}: {formal}");
    }
}
