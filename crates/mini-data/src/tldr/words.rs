//! The phrases that all stories share, and the forms that make texts of phrases. `{he}` and `{him}` stand for the person's
//! pronouns, `{He}` for a sentence's start.

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
    "tired", "sad", "alone", "angry", "stupid", "lost", "sick", "ignored",
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

// In the forms `{p}` is the person, `{P}` "my", person and problem (5 to 8 words), `{B}` the same without "my", `{1}` to `{4}` the
// gists by their words, `{T}` the time, `{t}` the same at a sentence's start, `{A}` attempt, `{R}` reaction, `{F}` feeling, `{Q}`
// plan, `{D}` detail, `{?}` question. What stands more than once is drawn as often. All of a summary begin with the person, so that a
// short one and a long one differ in where they end and hardly in how they begin.

/// Forms of 1 to 5 words that any end mark suits, or none.
pub(super) const FRAGMENTS: [&str; 14] = [
    "{p}",
    "{p} trouble",
    "{p}: {1}",
    "{p}: {1}",
    "{p} trouble again",
    "{p} and {1}",
    "{p}: {2}",
    "{p}: {2}",
    "{p} trouble these days",
    "{p} and {2}",
    "{p}: {3}",
    "{p}: {3}",
    "{p} and {3}",
    "{p}: {4}",
];

/// Forms of 2 to 7 words that are no question.
pub(super) const PLEAS: [&str; 6] = [
    "{p}, help",
    "{p} trouble, help",
    "{p} will not change",
    "{p} makes me {F}",
    "{p} will not change, help",
    "{p} makes me {F} every day",
];

/// Forms that end as they stand, up to full length.
pub(super) const SENTENCES: [&str; 44] = [
    "{p}: {2}. {?}",
    "{p}: {3}. {?}",
    "{p}: {4}. {?}",
    "{p}: {2}. I feel {F}.",
    "{p}: {3}. I feel {F}.",
    "{p}: {4}. I feel {F}.",
    "{B}.",
    "{B}.",
    "{B}, help!",
    "{B}, why?",
    "{B}, help me!",
    "{B}, what now?",
    "{B} these days.",
    "{B}. {?}",
    "{B}. {t}!",
    "{B} and I feel {F}.",
    "{B} and I need advice.",
    "{B} and I need some help.",
    "{B} and it has to stop.",
    "{B} and it makes me feel {F}.",
    "{B} these days and I feel {F}.",
    "{B}. {t}! {?}",
    "{B} and I feel {F}. {?}",
    "{B} and {Q}.",
    "{B}. {t}! I feel {F}.",
    "{B} and it makes me feel {F} every day.",
    "{B}. {D}",
    "{B} and it has been going on {T}.",
    "{B}. {t}! I feel {F}. {?}",
    "{B} and {Q}. {?}",
    "{B} and it makes me feel {F}. {?}",
    "{B} these days and {Q}. {?}",
    "{B}. I {A}, but {R}.",
    "{B}. {D} {?}",
    "{B}. I {A}, but {R}. {?}",
    "{B}. I {A}, but {R}. I feel {F}.",
    "{B}. {t}! I {A}, but {R}.",
    "{B}. {D} I feel {F}. {?}",
    "{B}. {t}! I {A}, but {R}. {?}",
    "{B} and it has been going on {T}. I {A}, but {R}.",
    "{B}. I {A}, but {R}. Now I feel {F} and {Q}.",
    "{B} and I feel {F}. I {A}, but {R}, and now {Q}.",
    "{B} and it has been going on {T}. I feel {F} and {Q}.",
    "{B} and it has been going on {T}. I {A}, but {R}. Now I feel {F}.",
];

/// Titles.
pub(super) const TITLES: [&str; 4] = [
    "{P}. {?}",
    "{P} and I feel {F}",
    "{P} and I need advice",
    "{P}, what now?",
];
