//! What stands around the steps `{1}` to `{3}` and the reason `{R}`.

/// For who wants everything explained.
pub(super) const FULL: [&str; 4] = [
    "There are three steps. First, {1}. Then {2}. After that, {3}. The reason is that {R}, so it is worth taking your time for \
     each of the steps.",
    "To begin with, {1}. As a second step, {2}. As a third step, {3}. All of this matters because {R}, and leaving one step \
     out makes the others less useful.",
    "Here is how it works in detail. Start like this: {1}. When that is done, {2}. To finish, {3}. It helps to know the \
     background: {R}.",
    "It is done in three steps, one after the other. Step one: {1}. Step two: {2}. Step three: {3}. This way is a good one \
     because {R}, which many people do not know.",
];

/// For who wants formal words.
pub(super) const FORMAL: [&str; 4] = [
    "It is advisable to {1} and subsequently to {2}.",
    "One should {1}. Furthermore, it is recommended to {2}.",
    "The recommended procedure is to {1} and, thereafter, to {2}.",
    "It is generally recommended to {1}. In addition, one ought to {2}.",
];

/// For who wants a friend.
pub(super) const FRIENDLY: [&str; 4] = [
    "Oh, I love that question! Just {1}, and then {2}. You've got this, my friend!",
    "Hey, don't worry, my friend! Simply {1} and {2}. You'll be so happy with it!",
    "Yay, what a fun question! I'd {1}, and then I'd {2}. Good luck, I'm cheering for you!",
    "Aww, I'm so glad you asked! Just {1} and {2}. It's easy, and you'll do great!",
];
