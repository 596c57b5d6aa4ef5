//! Who the stories are about, and what these people do.

/// Who the story is about.
pub(super) struct Person {
    /// One word; in a text mostly behind "my".
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

pub(super) const PEOPLE: [Person; 16] = [
    person("roommate", false, "roommates"),
    person("sister", true, "family"),
    person("brother", false, "family"),
    person("friend", true, "friends"),
    person("boss", false, "work"),
    person("neighbor", true, "neighbors"),
    person("mother", true, "family"),
    person("father", false, "family"),
    person("boyfriend", false, "relationships"),
    person("girlfriend", true, "relationships"),
    person("cousin", false, "family"),
    person("coworker", true, "work"),
    person("uncle", false, "family"),
    person("aunt", true, "family"),
    person("classmate", false, "school"),
    person("teammate", true, "sports"),
];

/// What the person does.
pub(super) struct Problem {
    /// 3 to 6 words that follow the person.
    pub what: &'static str,
    /// A sentence of detail.
    pub detail: &'static str,
    /// The gist in one, two, three and four words.
    pub gists: [&'static str; 4],
}

const fn problem(what: &'static str, detail: &'static str, gists: [&'static str; 4]) -> Problem {
    Problem {
        what,
        detail,
        gists,
    }
}

pub(super) const PROBLEMS: [Problem; 30] = [
    problem(
        "keeps taking my bike",
        "{He} takes it without asking and brings it back late.",
        [
            "bike",
            "bike trouble",
            "my bike again",
            "bike taken without asking",
        ],
    ),
    problem(
        "keeps eating my food",
        "{He} never buys any food and leaves the kitchen dirty.",
        ["food", "food thief", "my food again", "all my food gone"],
    ),
    problem(
        "keeps using my car",
        "{He} brings it back with no gas and a dirty seat.",
        ["car", "car trouble", "no gas left", "no gas left again"],
    ),
    problem(
        "keeps reading my messages",
        "{He} takes my phone when I am in the shower.",
        [
            "snooping",
            "no privacy",
            "my messages read",
            "no privacy at home",
        ],
    ),
    problem(
        "keeps calling me at night",
        "{He} wants to talk for hours when I have to sleep.",
        [
            "calls",
            "night calls",
            "calls every night",
            "calls when I sleep",
        ],
    ),
    problem(
        "keeps asking me for money",
        "{He} says it is the last time, but it never is.",
        [
            "money",
            "money again",
            "money, always money",
            "asked for money again",
        ],
    ),
    problem(
        "keeps making fun of my job",
        "{He} does it in front of my friends at dinner.",
        [
            "jokes",
            "mean jokes",
            "jokes about work",
            "jokes about my job",
        ],
    ),
    problem(
        "keeps telling people my secrets",
        "{He} told them things that I only said to {him}.",
        [
            "gossip",
            "secrets told",
            "my secrets told",
            "everyone knows my secrets",
        ],
    ),
    problem(
        "keeps playing loud music",
        "{He} starts late at night and the walls are thin.",
        [
            "noise",
            "loud music",
            "loud music again",
            "loud music every night",
        ],
    ),
    problem(
        "keeps canceling our plans",
        "{He} writes to me only an hour before we meet.",
        [
            "canceled",
            "plans canceled",
            "plans canceled again",
            "our plans canceled again",
        ],
    ),
    problem(
        "never pays me back",
        "{He} owes me a lot of money for rent and food.",
        ["debt", "money owed", "never paid back", "my money is gone"],
    ),
    problem(
        "never helps with the work",
        "{He} sits on the couch while I do everything.",
        ["lazy", "no help", "I do everything", "all work is mine"],
    ),
    problem(
        "never answers my messages",
        "{He} is on the phone all day, but not for me.",
        [
            "silence",
            "no answer",
            "no answer again",
            "no answer for me",
        ],
    ),
    problem(
        "never listens to me",
        "{He} looks at the phone when I say something.",
        [
            "unheard",
            "nobody listens",
            "nobody hears me",
            "talking to a wall",
        ],
    ),
    problem(
        "always comes too late",
        "{He} lets me wait for an hour and does not call.",
        [
            "late",
            "late again",
            "always too late",
            "waiting for an hour",
        ],
    ),
    problem(
        "always lies about small things",
        "{He} even lies about what {he} had for lunch.",
        [
            "lies",
            "small lies",
            "so many lies",
            "lies about small things",
        ],
    ),
    problem(
        "always wants to borrow my clothes",
        "{He} gives them back dirty or not at all.",
        [
            "clothes",
            "borrowed clothes",
            "my clothes again",
            "clothes come back dirty",
        ],
    ),
    problem(
        "always brings dogs to my house",
        "{He} knows that dogs make me sick.",
        ["dogs", "dogs again", "dogs at home", "dogs in my house"],
    ),
    problem(
        "keeps breaking my things",
        "{He} drops my cups and never buys new ones.",
        [
            "broken",
            "broken cups",
            "broken cups again",
            "all my cups broken",
        ],
    ),
    problem(
        "keeps hiding my keys",
        "{He} thinks it is funny, but I come late to work.",
        ["keys", "keys gone", "my keys again", "my keys are gone"],
    ),
    problem(
        "keeps changing the rules",
        "{He} says one thing today and another thing tomorrow.",
        [
            "rules",
            "new rules",
            "new rules again",
            "new rules every day",
        ],
    ),
    problem(
        "keeps leaving the door open",
        "{He} does it at night and the house gets cold.",
        [
            "door",
            "open door",
            "door left open",
            "door left open again",
        ],
    ),
    problem(
        "keeps smoking in my room",
        "{He} opens no window and all my clothes smell.",
        [
            "smoke",
            "smoke inside",
            "my room smells",
            "smoke in my room",
        ],
    ),
    problem(
        "keeps waking up my baby",
        "{He} rings the bell when the baby has to sleep.",
        [
            "baby",
            "baby awake",
            "baby awake again",
            "my baby cannot sleep",
        ],
    ),
    problem(
        "never cleans the kitchen",
        "{He} leaves dirty cups and food on the table.",
        [
            "dishes",
            "dirty kitchen",
            "dirty kitchen again",
            "the kitchen is dirty",
        ],
    ),
    problem(
        "never says thank you",
        "{He} takes my help and does not even look at me.",
        [
            "ungrateful",
            "no thanks",
            "never any thanks",
            "no thanks for anything",
        ],
    ),
    problem(
        "never says sorry",
        "{He} hurts people and then looks at the phone.",
        [
            "apology",
            "no apology",
            "no apology again",
            "no apology for anything",
        ],
    ),
    problem(
        "never walks the dog",
        "{He} wanted a dog, but now I do everything.",
        [
            "dog",
            "poor dog",
            "dog stays inside",
            "nobody walks the dog",
        ],
    ),
    problem(
        "always talks about the past",
        "{He} tells the same old stories at every dinner.",
        [
            "past",
            "old stories",
            "old stories again",
            "always the old stories",
        ],
    ),
    problem(
        "always blames me for everything",
        "{He} even says that the rain is my fault.",
        [
            "blame",
            "always blamed",
            "blamed for everything",
            "blamed for everything again",
        ],
    ),
];
