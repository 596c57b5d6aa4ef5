//! What is odd in the official files, put in on purpose.

use super::talk::Draft;

/// How the official files write an empty text.
const EMPTY: &str = "EMPTY STRING";

/// One thing that a loader must expect.
#[derive(Clone, Copy)]
pub(super) enum Oddity {
    /// A rejected response of the first turn is empty.
    EmptyRejected,
    /// The last turn has two chosen responses with one text, and often no other.
    SameTextChosenTwice,
    /// No response of the last turn is chosen.
    NoneChosen,
    /// The last turn has the chosen response only.
    NoneRejected,
    /// The chosen response of the first turn is empty.
    EmptyChosen,
    /// A rejected response of the first turn has the text of the chosen one.
    EqualTexts,
    /// The first turn has two chosen responses with two texts.
    TwoTextsChosen,
    /// The user's last message is empty.
    EmptyMessage,
}

impl Oddity {
    const ALL: [Self; 8] = [
        Self::EmptyRejected,
        Self::SameTextChosenTwice,
        Self::NoneChosen,
        Self::NoneRejected,
        Self::EmptyChosen,
        Self::EqualTexts,
        Self::TwoTextsChosen,
        Self::EmptyMessage,
    ];
    /// One conversation of so many is odd.
    const EVERY: usize = 18;

    /// What is odd about the conversation with this number.
    pub(super) fn of(conversation: usize) -> Option<Self> {
        (conversation % Self::EVERY == Self::EVERY / 2)
            .then(|| Self::ALL[conversation / Self::EVERY % Self::ALL.len()])
    }

    /// Makes a conversation odd.
    pub(super) fn apply(self, turns: &mut [Draft]) {
        let place = match self {
            Self::EmptyRejected | Self::EmptyChosen | Self::EqualTexts | Self::TwoTextsChosen => 0,
            _ => turns.len().saturating_sub(1),
        };
        let Some(turn) = turns.get_mut(place) else {
            return;
        };
        let chosen = turn.responses.iter().find(|(_, chosen)| *chosen);
        let chosen = chosen.map(|(text, _)| text.clone()).unwrap_or_default();
        let other = turn.responses.iter_mut().find(|(_, chosen)| !*chosen);
        match (self, other) {
            (Self::EmptyRejected, Some(other)) => other.0 = EMPTY.into(),
            (Self::EqualTexts, Some(other)) => other.0 = chosen,
            (Self::SameTextChosenTwice, Some(other)) => *other = (chosen, true),
            (Self::NoneChosen, _) => turn.responses.iter_mut().for_each(|one| one.1 = false),
            (Self::NoneRejected, _) => turn.responses.retain(|(_, chosen)| *chosen),
            (Self::EmptyChosen, _) => {
                let all = turn.responses.iter_mut();
                all.filter(|one| one.1).for_each(|one| one.0 = EMPTY.into());
            }
            (Self::TwoTextsChosen, _) => turn.responses.push((format!("{chosen} Truly."), true)),
            (Self::EmptyMessage, _) => turn.message = EMPTY.into(),
            (_, None) => {}
        }
    }
}
