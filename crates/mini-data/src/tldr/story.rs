//! One story: its facts, the post that tells them, and its summaries in the post's own phrases.

use super::problems::{PEOPLE, PROBLEMS, Person, Problem};
use super::words::{
    ATTEMPTS, BACKGROUNDS, FEELINGS, FRAGMENTS, PLANS, PLEAS, QUESTIONS, REACTIONS, SENTENCES,
    TIMES, TITLES,
};
use crate::random::Random;

/// The most words of a post.
const POST_WORDS: usize = 60;
/// The most words of a summary.
const SUMMARY_WORDS: usize = 28;
/// End marks of fragments, of pleas, and of what has its own, each as often as it stands here.
const ANY_MARK: &[&str] = &[".", ".", ".", ".", "!", "!", "?", "?", "", ""];
const NO_QUESTION: &[&str] = &[".", ".", ".", "!", "!", ""];
const AS_IT_STANDS: &[&str] = &[""];

/// A post and its summaries.
pub(super) struct Story {
    /// Where it is posted.
    pub subreddit: &'static str,
    /// Its title.
    pub title: String,
    /// Its text, 25 to 60 words.
    pub post: String,
    summaries: Vec<Summary>,
}

/// One way to sum the post up.
struct Summary {
    words: usize,
    text: String,
    /// One of these follows.
    end_marks: &'static [&'static str],
}

/// The phrases of one story, pronouns filled in.
struct Facts {
    person: &'static str,
    problem: &'static Problem,
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
        Story::new(random, person, &PROBLEMS[combination / PEOPLE.len()])
    };
    (0..count).map(story).collect()
}

impl Story {
    fn new(random: &mut Random, person: &Person, problem: &'static Problem) -> Self {
        let facts = Facts::new(random, person, problem);
        let title = facts.fill(random.pick(&TITLES));
        let (background, detail) = (random.unit() < 0.5, random.unit() < 0.7);
        let post = facts.post(background, detail);
        let summaries = facts.summaries(&post);
        Self {
            subreddit: person.subreddit,
            title,
            post,
            summaries,
        }
    }

    /// A summary whose number of words is drawn log-uniformly from one to full length; where none has just so many, the
    /// next longer one.
    pub fn summary(&self, random: &mut Random) -> String {
        let full = self.summaries.iter().map(|summary| summary.words).max();
        let wanted = log_uniform(random, full.unwrap_or(1));
        let lengths = self.summaries.iter().map(|summary| summary.words);
        let words = lengths.filter(|&words| words >= wanted).min();
        let fitting = self.summaries.iter();
        let fitting: Vec<&Summary> = fitting.filter(|s| Some(s.words) == words).collect();
        let summary = fitting[random.below(fitting.len())];
        format!("{}{}", summary.text, random.pick(summary.end_marks))
    }
}

/// A number in `1..=most`, each `n` with a probability in proportion to `ln(1 + 1 / n)`: every octave is as likely.
fn log_uniform(random: &mut Random, most: usize) -> usize {
    let drawn = ((most + 1) as f64).powf(random.unit());
    (drawn as usize).clamp(1, most)
}

impl Facts {
    fn new(random: &mut Random, person: &Person, problem: &'static Problem) -> Self {
        let mut say = |phrases: &[&'static str]| with_pronouns(random.pick(phrases), person);
        Self {
            person: person.name,
            problem,
            detail: with_pronouns(problem.detail, person),
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
        let fitting = posts.find(|post| word_count(post) <= POST_WORDS);
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
        sentences.push(self.fill("Now I feel {F} and {Q}."));
        sentences.push(self.question.to_owned());
        sentences.join(" ")
    }

    /// All summaries of a post that tells these facts, the detail perhaps left out.
    fn summaries(&self, post: &str) -> Vec<Summary> {
        let forms = [
            (&FRAGMENTS[..], ANY_MARK),
            (&PLEAS, NO_QUESTION),
            (&SENTENCES, AS_IT_STANDS),
        ];
        let forms = forms.into_iter();
        let forms = forms.flat_map(|(forms, marks)| forms.iter().map(move |form| (form, marks)));
        let has_detail = post.contains(&self.detail);
        let forms = forms.filter(|(form, _)| has_detail || !form.contains("{D}"));
        let summaries = forms.map(|(form, end_marks)| {
            let text = self.fill(form);
            Summary {
                words: word_count(&text),
                text,
                end_marks,
            }
        });
        let summaries = summaries.filter(|summary| summary.words <= SUMMARY_WORDS);
        summaries.collect()
    }

    /// A form with its marks replaced, its first letter in upper case.
    fn fill(&self, form: &str) -> String {
        let [one, two, three, four] = self.problem.gists;
        let text = form
            .replace("{P}", "my {B}")
            .replace("{B}", &format!("{} {}", self.person, self.problem.what))
            .replace("{p}", self.person)
            .replace("{1}", one)
            .replace("{2}", two)
            .replace("{3}", three)
            .replace("{4}", four)
            .replace("{T}", self.time)
            .replace("{t}", &capitalised(self.time))
            .replace("{A}", &self.attempt)
            .replace("{R}", &self.reaction)
            .replace("{F}", self.feeling)
            .replace("{Q}", &self.plan)
            .replace("{D}", &self.detail)
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

pub(super) fn word_count(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_can_be_told_in_nearly_any_number_of_words() {
        for story in stories(&mut Random::new("test", 1), PEOPLE.len() * PROBLEMS.len()) {
            let has = |words: usize| story.summaries.iter().any(|s| s.words == words);
            let missing: Vec<usize> = (1..=18).filter(|&words| !has(words)).collect();
            assert!(missing.len() <= 5, "{missing:?}: {}", story.post);
            assert!((1..=7).all(has), "{missing:?}: {}", story.post);
        }
    }

    #[test]
    fn gists_have_the_words_that_their_places_say() {
        for problem in &PROBLEMS {
            let words = problem.gists.map(word_count);
            assert_eq!(words, [1, 2, 3, 4], "{:?}", problem.gists);
            assert!(
                (3..=6).contains(&word_count(problem.what)),
                "{}",
                problem.what
            );
        }
    }

    #[test]
    fn every_octave_of_lengths_is_as_likely() {
        let mut random = Random::new("test", 2);
        let mut octaves = [0.0f64; 3];
        for _ in 0..30_000 {
            let drawn = log_uniform(&mut random, 7);
            assert!((1..=7).contains(&drawn));
            octaves[drawn.ilog2() as usize] += 1.0 / 30_000.0;
        }
        assert!(
            octaves.iter().all(|share| (share - 1.0 / 3.0).abs() < 0.02),
            "{octaves:?}"
        );
    }
}
