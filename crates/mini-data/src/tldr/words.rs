//! The phrases of the stories. `{he}` and `{him}` stand for the person's pronouns, `{He}` for a sentence's start.

/// Who the story is about.
pub(super) struct Person {
    pub name: &'static str,
    pub is_she: bool,
    pub subreddit: &'static str,
}

const fn person(name: &'static str, is_she: bool, subreddit: &'static str) -> Person {
    Person {
        name,
        is_she,
        subreddit,
    }
}

pub(super) const PEOPLE: [Person; 14] = [
    person("my roommate", false, "roommates"),
    person("my sister", true, "family"),
    person("my brother", false, "family"),
    person("my best friend", true, "friends"),
    person("my boss", false, "work"),
    person("my neighbor", true, "neighbors"),
    person("my mother", true, "family"),
    person("my father", false, "family"),
    person("my boyfriend", false, "relationships"),
    person("my girlfriend", true, "relationships"),
    person("my cousin", false, "family"),
    person("my coworker", true, "work"),
    person("my uncle", false, "family"),
    person("my old friend", false, "friends"),
];

/// What the person does, and a sentence of detail.
pub(super) const PROBLEMS: [(&str, &str); 18] = [
    (
        "keeps taking my bike",
        "{He} takes it without asking and brings it back late.",
    ),
    (
        "keeps eating my food",
        "{He} never buys any food and leaves the kitchen dirty.",
    ),
    (
        "keeps using my car",
        "{He} brings it back with no gas and a dirty seat.",
    ),
    (
        "keeps reading my messages",
        "{He} takes my phone when I am in the shower.",
    ),
    (
        "keeps calling me at night",
        "{He} wants to talk for hours when I have to sleep.",
    ),
    (
        "keeps asking me for money",
        "{He} says it is the last time, but it never is.",
    ),
    (
        "keeps making fun of my job",
        "{He} does it in front of my friends at dinner.",
    ),
    (
        "keeps telling people my secrets",
        "{He} told them things that I only said to {him}.",
    ),
    (
        "keeps playing loud music",
        "{He} starts late at night and the walls are thin.",
    ),
    (
        "keeps canceling our plans",
        "{He} writes to me only an hour before we meet.",
    ),
    (
        "never pays me back",
        "{He} owes me a lot of money for rent and food.",
    ),
    (
        "never helps with the work",
        "{He} sits on the couch while I do everything.",
    ),
    (
        "never answers my messages",
        "{He} is on the phone all day, but not for me.",
    ),
    (
        "never listens to me",
        "{He} looks at the phone when I say something.",
    ),
    (
        "always comes too late",
        "{He} lets me wait for an hour and does not call.",
    ),
    (
        "always lies about small things",
        "{He} even lies about what {he} had for lunch.",
    ),
    (
        "always wants to borrow my clothes",
        "{He} gives them back dirty or not at all.",
    ),
    (
        "always brings dogs to my house",
        "{He} knows that dogs make me sick.",
    ),
];

pub(super) const TIMES: [&str; 8] = [
    "for two months",
    "for six weeks",
    "for almost a year",
    "for three years",
    "since last summer",
    "since the new year",
    "since we moved",
    "since my birthday",
];

pub(super) const BACKGROUNDS: [&str; 8] = [
    "We live in the same small town.",
    "We have known each other for ten years.",
    "I am 24 and {he} is 27.",
    "I love {him} and we used to get along well.",
    "We see each other almost every day.",
    "We have been through a lot together.",
    "I do not have many people to talk to.",
    "This may sound like a small thing.",
];

pub(super) const ATTEMPTS: [&str; 8] = [
    "asked {him} to stop",
    "talked to {him} about it",
    "wrote {him} a long letter",
    "left {him} a note",
    "told {him} how I feel",
    "said no last week",
    "made a plan with {him}",
    "tried to stay calm",
];

pub(super) const REACTIONS: [&str; 8] = [
    "{he} got very angry",
    "{he} just laughed",
    "{he} did it again",
    "{he} did not answer",
    "{he} told me to relax",
    "{he} said it was my fault",
    "{he} started to cry",
    "nothing changed",
];

pub(super) const FEELINGS: [&str; 8] = [
    "I feel tired",
    "I feel sad",
    "I feel alone",
    "I feel angry",
    "I feel stupid",
    "I feel lost",
    "I feel sick",
    "I feel ignored",
];

pub(super) const PLANS: [&str; 8] = [
    "I want to stop talking to {him}",
    "I want to ask my family for help",
    "I want to keep the peace",
    "I want to say no next time",
    "I want to leave for a while",
    "I want to set clear rules",
    "I do not want to lose {him}",
    "I do not know what to say",
];

pub(super) const QUESTIONS: [&str; 5] = [
    "What should I do?",
    "Am I wrong?",
    "How do I handle this?",
    "Is this normal?",
    "What would you do?",
];

// In the forms `{P}` is person and problem (6 to 9 words), `{B}` the same without "my", `{T}` the time, `{A}` attempt, `{R}` reaction, `{F}` feeling,
// `{Q}` plan, `{?}` question. The first form of each length fits any story; what a longer class adds to `{P}` always has
// more characters than what a shorter one adds.

/// Up to 9 words, in telegram style.
///
/// All open alike: a tiny model tells them from the others at the first token, and samples them as often as it learnt them.
pub(super) const SHORT: [&str; 3] = ["help, {B}.", "help, {B} again.", "help, {B}, why?"];

/// 10 to 14 words.
pub(super) const MIDDLE: [&str; 5] = [
    "{P} and {F}.",
    "{P} {T}.",
    "{P} and {F}. {?}",
    "{P} {T}. {?}",
    "{P}, but {Q}.",
];

/// 16 to 28 words.
pub(super) const LONG: [&str; 6] = [
    "{P} {T}. I {A}, but {R}.",
    "{P}. I {A}, but {R}. {F}.",
    "{P} and it has been going on {T}. I {A}, but {R}.",
    "{P}. I {A}, but {R}. Now {F} and {Q}.",
    "{P} and {F}. I {A}, but {R}, and now {Q}.",
    "{P} and it has been going on {T}. {F} and {Q}.",
];

/// Titles.
pub(super) const TITLES: [&str; 4] = [
    "{P}. {?}",
    "{P} and {F}",
    "{P} and I need advice",
    "{P} {T}",
];
