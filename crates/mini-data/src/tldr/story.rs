//! One story: its facts, the post that tells them, and summaries in the post's own phrases.

use super::words::{
    ATTEMPTS, BACKGROUNDS, FEELINGS, LONG, MIDDLE, PEOPLE, PLANS, PROBLEMS, Person, QUESTIONS,
    REACTIONS, SHORT, TIMES, TITLES,
};
use crate::random::Random;

/// A post and what is needed to summarise it.
pub struct Story {
    /// Where it is posted.
    pub subreddit: &'static str,
    /// Its title.
    pub title: String,
    /// Its text, 25 to 60 words.
    pub post: String,
    facts: Facts,
}

/// Summaries of one post.
pub struct Summaries {
    /// One or two of 5 to 9 words.
    pub short: Vec<String>,
    /// One or two of 10 to 14 words.
    pub middle: Vec<String>,
    /// One or two of 16 to 28 words.
    pub long: Vec<String>,
}

/// The phrases of one story, pronouns filled in.
struct Facts {
    what: String,
    detail: String,
    background: String,
    time: &'static str,
    attempt: String,
    reaction: String,
    feeling: &'static str,
    plan: String,
    question: &'static str,
}

/// Stories that differ in person or problem as long as there are combinations left.
pub(super) fn stories(random: &mut Random, count: usize) -> Vec<Story> {
    let mut combinations: Vec<usize> = (0..PEOPLE.len() * PROBLEMS.len()).collect();
    random.shuffle(&mut combinations);
    let story = |number| {
        let combination = combinations[number % combinations.len()];
        let person = &PEOPLE[combination % PEOPLE.len()];
        Story::new(random, person, PROBLEMS[combination / PEOPLE.len()])
    };
    (0..count).map(story).collect()
}

impl Story {
    fn new(random: &mut Random, person: &Person, problem: (&str, &str)) -> Self {
        let facts = Facts::new(random, person, problem);
        let title = facts.fill(random.pick(&TITLES));
        let (background, detail) = (random.unit() < 0.7, random.unit() < 0.7);
        let post = facts.post(background, detail);
        Self {
            subreddit: person.subreddit,
            title,
            post,
            facts,
        }
    }

    /// At most two summaries of each length, at least one.
    pub fn summaries(&self, random: &mut Random) -> Summaries {
        let mut some = |forms: &[&str], words: std::ops::RangeInclusive<usize>| {
            let filled = forms.iter().map(|form| self.facts.fill(form));
            let mut texts: Vec<String> = filled
                .filter(|text| words.contains(&word_count(text)))
                .collect();
            random.shuffle(&mut texts);
            texts.truncate(2);
            texts
        };
        Summaries {
            short: some(&SHORT, 5..=9),
            middle: some(&MIDDLE, 10..=14),
            long: some(&LONG, 16..=28),
        }
    }
}

impl Facts {
    fn new(random: &mut Random, person: &Person, problem: (&str, &str)) -> Self {
        let mut say = |phrases: &[&'static str]| with_pronouns(random.pick(phrases), person);
        Self {
            what: format!("{} {}", person.name, problem.0),
            detail: with_pronouns(problem.1, person),
            background: say(&BACKGROUNDS),
            attempt: say(&ATTEMPTS),
            reaction: say(&REACTIONS),
            plan: say(&PLANS),
            time: random.pick(&TIMES),
            feeling: random.pick(&FEELINGS),
            question: random.pick(&QUESTIONS),
        }
    }

    /// The post, with background and detail if wanted and if it stays within its 60 words.
    fn post(&self, background: bool, detail: bool) -> String {
        let forms = [(background, detail), (false, detail), (false, false)];
        let mut posts = forms
            .map(|(background, detail)| self.tell(background, detail))
            .into_iter();
        let fitting = posts.find(|post| word_count(post) <= 60);
        fitting.unwrap_or_else(|| self.tell(false, false))
    }

    fn tell(&self, with_background: bool, with_detail: bool) -> String {
        let mut sentences = vec![self.fill("{P}.")];
        if with_detail {
            sentences.push(self.detail.clone());
        }
        if with_background {
            sentences.insert(usize::from(with_detail), self.background.clone());
        }
        sentences.push(self.fill("It has been going on {T}."));
        sentences.push(self.fill("I {A}, but {R}."));
        sentences.push(self.fill("Now {F} and {Q}."));
        sentences.push(self.question.to_owned());
        sentences.join(" ")
    }

    /// A form with its marks replaced, its first letter in upper case.
    fn fill(&self, form: &str) -> String {
        let text = form
            .replace("{P}", &self.what)
            .replace("{B}", self.what.trim_start_matches("my "))
            .replace("{T}", self.time)
            .replace("{A}", &self.attempt)
            .replace("{R}", &self.reaction)
            .replace("{F}", self.feeling)
            .replace("{Q}", &self.plan)
            .replace("{?}", self.question);
        capitalised(&text)
    }
}

fn with_pronouns(phrase: &str, person: &Person) -> String {
    let [he, him, capital] = if person.is_she {
        ["she", "her", "She"]
    } else {
        ["he", "him", "He"]
    };
    phrase
        .replace("{he}", he)
        .replace("{him}", him)
        .replace("{He}", capital)
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn word_count(text: &str) -> usize {
    text.split_whitespace().count()
}
