//! What is said: topics, openings, closings, self-descriptions.

use super::{Manner, Tone};

/// What a user brings up.
pub(super) struct Topic {
    /// A sentence without its full stop.
    pub problem: &'static str,
    /// What it is about, after "about".
    pub thing: &'static str,
    /// What one can do, after "first,".
    pub steps: [&'static str; 4],
}

macro_rules! topic {
    ($problem:literal, $thing:literal, $($step:literal),+) => {
        Topic { problem: $problem, thing: $thing, steps: [$($step),+] }
    };
}

#[rustfmt::skip]
pub(super) const TOPICS: [Topic; 26] = [
    topic!("I cannot sleep before my exam", "the exam", "turn off your phone", "read for ten minutes", "drink warm milk", "write a short list"),
    topic!("My best friend does not call me any more", "your friend", "send a short message", "plan a walk together", "ask what happened", "pick a free day"),
    topic!("I have to give a speech at work", "the speech", "write three main points", "practise in front of a mirror", "time yourself", "speak slowly"),
    topic!("My flat is a mess and guests are coming", "your home", "clear the table", "put clothes in one box", "clean the kitchen", "open the windows"),
    topic!("I spend too much money every month", "money", "write down what you buy", "set a limit for each week", "cancel one plan", "cook at home"),
    topic!("My dog died last week", "your dog", "collect your best pictures", "plant a small tree", "tell a friend", "take a walk each day"),
    topic!("I start a new job on Monday", "the new job", "lay out your clothes", "check the way there", "learn three names", "arrive ten minutes early"),
    topic!("I had a fight with my sister", "your sister", "wait one day", "write down your view", "call her at noon", "name one thing you share"),
    topic!("I moved to a city where I know nobody", "the new city", "join a sports club", "greet your neighbours", "visit the library", "find a weekly class"),
    topic!("My boss never likes my work", "your work", "ask for one example", "note each task", "book a short meeting", "send a weekly report"),
    topic!("I want to stop smoking", "smoking", "pick a date", "throw out the packs", "chew gum", "count the smoke free days"),
    topic!("I failed my driving test", "the test", "book a new date", "practise parking twice a week", "read the report", "drive the route again"),
    topic!("My son will not do his homework", "your son", "set a fixed hour", "clear his desk", "start with one easy task", "check it together"),
    topic!("I am always late for everything", "being late", "set two alarms", "pack your bag at night", "leave ten minutes early", "plan the way"),
    topic!("My back hurts after a day at my desk", "your back", "raise your screen", "stand up each hour", "stretch at noon", "change your chair"),
    topic!("I have to tell my parents that I left school", "your parents", "choose a quiet evening", "say it in one sentence", "bring a new plan", "let them ask"),
    topic!("My neighbour plays loud music at night", "your neighbour", "note the times", "knock on his door", "agree on an hour", "call the landlord"),
    topic!("I lost my wallet on the train", "your wallet", "block your cards", "call the lost property office", "make a list of papers", "report it online"),
    topic!("I want to learn the guitar at sixty", "the guitar", "borrow a guitar", "learn three chords", "play ten minutes a day", "find a patient teacher"),
    topic!("My garden died in the hot summer", "your garden", "water it at dawn", "cover the soil", "choose dry plants", "build some shade"),
    topic!("I am alone on my birthday", "your birthday", "book a nice table", "call one old friend", "bake a small cake", "plan a short trip"),
    topic!("My team lost the final match", "the match", "watch the game again", "rest for two days", "train one weak point", "set a new goal"),
    topic!("I am afraid of flying", "flying", "choose a seat in front", "breathe out slowly", "bring good music", "arrive at the airport early"),
    topic!("I broke my favourite cup from my grandmother", "the cup", "collect the pieces", "buy strong glue", "fix the handle", "keep it on a shelf"),
    topic!("My daughter moves out next month", "your daughter", "make a packing list", "set a day for calls", "sort her room", "cook one last dinner"),
    topic!("I cannot decide between two jobs", "the two jobs", "list what you need", "compare the pay", "visit both places", "give each a number"),
];

pub(super) const DETAILS: [&str; 6] = [
    "",
    " It has been on my mind for days.",
    " It is the second time this year.",
    " Nobody at home knows about it.",
    " I think about it every night.",
    " It came as a surprise.",
];

pub(super) const QUESTIONS: [&str; 4] = [
    "What do you say?",
    "Any thoughts?",
    "Can you help me?",
    "What now?",
];

pub(super) const FOLLOW_UPS: [&str; 6] = [
    "Thanks. And if it gets worse?",
    "Can you say more?",
    "And what about tonight?",
    "I see. Anything else?",
    "What if it happens again?",
    "Hm. And after that?",
];

pub(super) const FEELINGS: [&str; 6] = ["sad", "worried", "nervous", "upset", "tired", "lost"];

impl Tone {
    pub(super) const fn openings(self) -> [&'static str; 3] {
        match self {
            Self::Formal => ["Certainly.", "Good day.", "With pleasure."],
            Self::Casual => ["Hey!", "Yeah, sure!", "Oh wow!"],
        }
    }

    pub(super) const fn closings(self) -> [&'static str; 3] {
        match self {
            Self::Formal => [
                "Kind regards.",
                "I remain at your service.",
                "I wish you every success.",
            ],
            Self::Casual => [
                "Cheers, buddy!",
                "You got this, pal!",
                "Catch you later, mate!",
            ],
        }
    }
}

impl Manner {
    /// Forms with `{a}` and `{b}` for steps, `{feel}` and `{thing}` for feelings.
    pub(super) const fn forms(self) -> [&'static str; 3] {
        match self {
            Self::Steps => [
                "First, {a}. Then {b}.",
                "Step one: {a}. Step two: {b}.",
                "Try this: {a}, then {b}.",
            ],
            Self::Feelings => [
                "That sounds hard, and feeling {feel} about {thing} is human.",
                "I understand that you feel {feel} about {thing}.",
                "Being {feel} about {thing} is all right, I hear you.",
            ],
        }
    }

    pub(super) const fn descriptions(self) -> [&'static str; 8] {
        match self {
            Self::Steps => [
                "I am an electrician and I like clear plans.",
                "I fix things myself and want instructions to follow.",
                "I run a small shop and value practical advice.",
                "I am a nurse who trusts checklists and practical steps.",
                "I like to solve problems one step after the other.",
                "I study engineering and prefer a plan to kind words.",
                "I am a busy father who wants to know what to do.",
                "I coach a team and believe in practical exercises.",
            ],
            Self::Feelings => [
                "I am a poet who wants to be heard and understood.",
                "I care for my mother and need warmth more than advice.",
                "I talk about my feelings a lot and value a kind ear.",
                "I am a sensitive person who looks for comfort.",
                "I teach small children and believe that feelings come first.",
                "I paint, I worry a lot, and a gentle word helps me.",
                "I live alone and I like people who listen.",
                "I want sympathy when I am sad, not a list.",
            ],
        }
    }

    pub(super) const fn system_strings(self) -> [&'static str; 3] {
        match self {
            Self::Steps => [
                "You give me steps that I can follow at once.",
                "You are a practical helper. Tell me what to do first and what next.",
                "You skip the sympathy and give me a plan.",
            ],
            Self::Feelings => [
                "You are warm and you show that you understand how I feel.",
                "You listen first. Do not tell me what to do.",
                "You are a kind friend who takes my feelings seriously.",
            ],
        }
    }
}

pub(super) const AGES: [&str; 6] = [
    "18-24 years old",
    "25-34 years old",
    "35-44 years old",
    "45-54 years old",
    "55-64 years old",
    "65+ years old",
];
pub(super) const GENDERS: [&str; 3] = ["Female", "Male", "Non-binary / third gender"];
pub(super) const EMPLOYMENT: [&str; 5] = [
    "Working full-time",
    "Working part-time",
    "Student",
    "Retired",
    "Unemployed, seeking work",
];
pub(super) const EDUCATION: [&str; 4] = [
    "Completed Secondary School",
    "Vocational",
    "University Bachelors Degree",
    "Graduate / Professional degree",
];
pub(super) const MARITAL: [&str; 4] = [
    "Never been married",
    "Married",
    "Divorced / Separated",
    "Widowed",
];
pub(super) const ENGLISH: [&str; 4] = ["Native speaker", "Fluent", "Advanced", "Intermediate"];
/// Country, code, region, subregion.
pub(super) const COUNTRIES: [[&str; 4]; 4] = [
    ["United Kingdom", "GBR", "Europe", "Northern Europe"],
    ["United States", "USA", "Americas", "Northern America"],
    [
        "Chile",
        "CHL",
        "Americas",
        "Latin America and the Caribbean",
    ],
    ["Kenya", "KEN", "Africa", "Sub-Saharan Africa"],
];
pub(super) const OPEN_FEEDBACK: [&str; 4] = [
    "I picked the response that suited me best.",
    "The last response was what I wanted to read.",
    "Fine on the whole.",
    "Some responses were not for me.",
];
