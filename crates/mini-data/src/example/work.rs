//! Work, money and learning.

use super::{Topic, topic};

#[rustfmt::skip]
pub(super) const TOPICS: [Topic; 26] = [
    topic(
        "How do I ask for a raise?", "Name your results.",
        ["write down what you have achieved", "ask your boss for a meeting", "name a sum and then wait"],
        "results speak louder than wishes",
    ),
    topic(
        "How do I say no to extra work?", "Say you have no time.",
        ["thank the person for thinking of you", "say plainly that you have no time this week", "offer a later date"],
        "a short reason is easier to accept than a long one",
    ),
    topic(
        "How do I write a good application?", "One page, clear reasons.",
        ["read the advertisement twice", "say on one page why you fit", "let a friend look for mistakes"],
        "few people read more than the first page",
    ),
    topic(
        "How do I remember names?", "Repeat them aloud.",
        ["repeat the name when you hear it", "link it to a picture", "use it once more when you say goodbye"],
        "a name stays when it is used at once",
    ),
    topic(
        "How do I learn new words in a language?", "Ten cards every day.",
        ["write ten words on cards every day", "say each of them in a sentence", "repeat the old ones after a week"],
        "the mind keeps what it has to recall",
    ),
    topic(
        "How do I give a good speech?", "Practise it aloud.",
        ["write down only three main points", "practise aloud in front of a mirror", "look at a friendly face while you speak"],
        "people remember three points and not ten",
    ),
    topic(
        "How do I stop putting things off?", "Start with five minutes.",
        ["choose the smallest possible step", "work on it for only five minutes", "put the phone out of sight"],
        "the beginning is the hardest part of any task",
    ),
    topic(
        "How do I prepare for an interview?", "Practise the usual questions.",
        ["read about the company", "practise answers to the usual questions", "prepare two questions of your own"],
        "good questions show that you are interested",
    ),
    topic(
        "How do I make a strong password?", "Four random words.",
        ["join four random words", "use another one for each account", "keep them in a password manager"],
        "length protects better than strange signs",
    ),
    topic(
        "How do I take good notes?", "Key words, own words.",
        ["write key words instead of sentences", "leave a wide margin", "sum the page up in the evening"],
        "what you put into your own words stays with you",
    ),
    topic(
        "How do I study for an exam?", "A plan and old exams.",
        ["make a plan for every day", "solve the exams of past years", "explain the matter to a friend"],
        "whoever can explain something has understood it",
    ),
    topic(
        "How do I learn to type faster?", "Practise without looking.",
        ["place your fingers on the middle row", "practise ten minutes a day without looking", "go slowly until you make no mistakes"],
        "speed follows by itself when the fingers know the way",
    ),
    topic(
        "How do I write a polite complaint?", "State facts, name a wish.",
        ["describe what happened and when", "say what you expect", "set a date for the answer"],
        "facts are harder to ignore than anger",
    ),
    topic(
        "How do I keep a budget?", "Write down what you spend.",
        ["write down everything that you spend", "set a limit for each week", "put savings aside on the first day"],
        "money that has been moved away is not missed",
    ),
    topic(
        "How do I back up my photos?", "Two copies, two places.",
        ["copy the photos to an external disk", "keep a second copy with a service", "check once a year that they open"],
        "one disk alone will fail some day",
    ),
    topic(
        "How do I start a small business?", "Test it with ten customers.",
        ["find ten people who would pay for it", "start with very little money", "learn from every customer"],
        "a business fails most often because nobody needs it",
    ),
    topic(
        "How do I deal with a rude colleague?", "Speak calmly, in private.",
        ["ask for a talk in private", "describe one clear example", "say what you wish for the future"],
        "people change more easily when nobody is watching",
    ),
    topic(
        "How do I write a thank-you note?", "Name the gift, be brief.",
        ["name what you are thankful for", "say how you will use it", "sign it by hand"],
        "a personal detail shows that you mean it",
    ),
    topic(
        "How do I make meetings shorter?", "Agenda and a clock.",
        ["send a list of points beforehand", "set a clock for every point", "end with clear tasks"],
        "talk fills all the time that it is given",
    ),
    topic(
        "How do I learn to code?", "Build something small.",
        ["choose one language and one small project", "write a few lines every day", "read the programs of others"],
        "you learn to program by repairing your own mistakes",
    ),
    topic(
        "How do I read more books?", "Ten pages every evening.",
        ["read ten pages every evening", "carry a book with you", "stop books that bore you"],
        "a book that waits within reach gets read",
    ),
    topic(
        "How do I choose a used laptop?", "Check battery and screen.",
        ["check how long the battery lasts", "look for spots on the screen", "ask for the bill"],
        "battery and screen are the dearest parts to replace",
    ),
    topic(
        "How do I write a clear e-mail?", "Put the question first.",
        ["put the question into the first line", "use short paragraphs", "close with the date you need an answer by"],
        "many people read only the beginning",
    ),
    topic(
        "How do I work well from home?", "Fixed hours, own desk.",
        ["keep fixed hours", "work at a desk of your own", "take a real break at noon"],
        "the mind works better when place and time are set",
    ),
    topic(
        "How do I speak up in a group?", "Ask a question first.",
        ["prepare one sentence beforehand", "begin with a question", "speak within the first ten minutes"],
        "it gets harder the longer you wait",
    ),
    topic(
        "How do I find a mentor?", "Ask for one talk.",
        ["think of someone whose work you admire", "ask for one short talk", "tell afterwards what you did with the advice"],
        "people like to help when they see the result",
    ),
];
