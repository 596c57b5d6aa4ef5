//! From official files to data that can be trained on.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::dialogue::Gatherer;
use super::dialogue_split::{DialogueSplit, split_dialogues};
use super::read::{read_dialogues, read_survey, read_utterances};
use super::sources::Sources;
use super::{ComparisonOptions, Dialogue, PrismStats, SplitOptions, TopPreferences, UserProfile};
use crate::comparison::{Comparison, UserId};
use crate::error::DataError;
use crate::reader::ReadOptions;
use crate::records;
use crate::skipped::Skipped;
use crate::split::{Part, Split, SplitOrigin, pair_key};

/// A survey row is left out: its user finished no conversation.
const NO_CONVERSATION: &str = "user without a finished conversation";
/// A survey row is left out: another one is of the same user.
const SECOND_SURVEY: &str = "second survey of a user";
/// A dialogue is left out: the survey does not hold its user.
const NO_SURVEY: &str = "dialogue of a user without a survey";
/// A dialogue is left out: the survey says that its user finished none.
const UNFINISHED: &str = "dialogue of a user without a finished conversation";
/// A dialogue is left out: another one has the same id.
const SECOND_DIALOGUE: &str = "second dialogue with the same id";
/// A dialogue is left out: no turn gives a comparison.
const NO_COMPARISON: &str = "dialogue without a comparison";
/// A comparison is left out: the same prompt and responses are on a side that counts more.
const ON_TWO_SIDES: &str = "comparison whose pair is in training, or in test";

/// The choices of the experiment; the default is the paper's text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrismOptions {
    /// How to treat broken records.
    pub read: ReadOptions,
    /// How a user's three preferences are found.
    pub preferences: TopPreferences,
    /// How turns become comparisons.
    pub comparisons: ComparisonOptions,
    /// Users and dialogues: seed and shares.
    pub split: SplitOptions,
}

impl PrismOptions {
    /// What the released code does: preferences by display order, its limits in characters, no validation.
    pub fn released() -> Self {
        let comparisons = ComparisonOptions {
            released_limits: true,
            ..ComparisonOptions::default()
        };
        let split = SplitOptions {
            validation_share: 0.0,
            ..SplitOptions::default()
        };
        Self {
            preferences: TopPreferences::DisplayOrder,
            comparisons,
            split,
            ..Self::default()
        }
    }
}

/// What the experiment trains and evaluates on.
#[derive(Clone, Debug)]
pub struct PrismData {
    /// Training and validation comparisons of seen users; test comparisons of seen users' test dialogues, and all of unseen
    /// users, who keep their ids.
    pub split: Split,
    /// Users with training dialogues.
    pub seen: BTreeSet<UserId>,
    /// Users without.
    pub unseen: BTreeSet<UserId>,
    /// Dialogues read.
    pub dialogues: usize,
    /// What was left out, by reason.
    pub skipped: Skipped,
    profiles: BTreeMap<UserId, UserProfile>,
}

impl PrismData {
    /// Reads and prepares. The files are told apart by what they hold. Conversations are read one at a time; where there are
    /// none, the dialogues are gathered from utterances. Without a survey no user has a text.
    ///
    /// # Errors
    /// [`DataError`]: no file of dialogues, unreadable or broken input, no comparison left, nobody seen.
    pub fn load<P: AsRef<Path>>(paths: &[P], options: &PrismOptions) -> Result<Self, DataError> {
        Gathering::of(paths, options)?.finish()
    }

    /// What a user says about herself; `None` without a survey.
    pub fn profile(&self, user: &UserId) -> Option<&UserProfile> {
        self.profiles.get(user)
    }

    /// Profiles of the users who finished a conversation, by id.
    pub fn profiles(&self) -> impl Iterator<Item = &UserProfile> {
        self.profiles.values()
    }

    /// Users, dialogues and comparisons by part.
    pub fn stats(&self) -> PrismStats {
        PrismStats::of(self)
    }
}

/// The comparisons of [`PrismData::load`] with the default options, without a split.
pub(crate) fn read_comparisons<P: AsRef<Path>>(
    paths: &[P],
    read: ReadOptions,
) -> Result<(Vec<Comparison>, Skipped), DataError> {
    let options = PrismOptions {
        read,
        ..PrismOptions::default()
    };
    let gathering = Gathering::of(paths, &options)?;
    Ok((gathering.comparisons, gathering.skipped))
}

/// What is known while reading.
struct Gathering<'a> {
    options: &'a PrismOptions,
    /// `None` for users who finished no conversation; nothing at all without a survey.
    surveyed: Option<BTreeMap<UserId, Option<UserProfile>>>,
    ids: HashSet<String>,
    owners: Vec<(UserId, String)>,
    comparisons: Vec<Comparison>,
    skipped: Skipped,
}

impl<'a> Gathering<'a> {
    fn new(options: &'a PrismOptions) -> Self {
        Self {
            options,
            surveyed: None,
            ids: HashSet::new(),
            owners: Vec::new(),
            comparisons: Vec::new(),
            skipped: Skipped::default(),
        }
    }

    /// Reads all files; there is at least one comparison.
    fn of<P: AsRef<Path>>(paths: &[P], options: &'a PrismOptions) -> Result<Self, DataError> {
        let sources = Sources::find(paths)?;
        let mut gathering = Self::new(options);
        if !sources.survey.is_empty() {
            gathering.read_survey(&sources)?;
        }
        if sources.conversations.is_empty() {
            gathering.read_utterances(&sources)?;
        } else {
            gathering.read_dialogues(&sources)?;
        }
        if gathering.comparisons.is_empty() {
            let (dialogues, skipped) = (gathering.ids.len(), &gathering.skipped);
            return Err(DataError::Empty {
                paths: records::names(paths),
                found: format!("{dialogues} dialogues ({skipped})"),
            });
        }
        Ok(gathering)
    }

    fn read_survey(&mut self, sources: &Sources) -> Result<(), DataError> {
        let mut surveyed = BTreeMap::new();
        let mut reader = read_survey(&sources.survey, self.options.read)?;
        for survey in reader.by_ref() {
            let survey = survey?;
            let user = survey.user_id.clone();
            if surveyed.contains_key(&user) {
                self.skipped.add(SECOND_SURVEY, &user);
                continue;
            }
            let finished = survey.has_conversations();
            if !finished {
                self.skipped.add(NO_CONVERSATION, &user);
            }
            let profile = finished.then(|| UserProfile::of(&survey, self.options.preferences));
            surveyed.insert(user, profile);
        }
        self.skipped.merge(reader.skipped());
        self.surveyed = Some(surveyed);
        Ok(())
    }

    fn read_dialogues(&mut self, sources: &Sources) -> Result<(), DataError> {
        let mut reader = read_dialogues(&sources.conversations, self.options.read)?;
        for dialogue in reader.by_ref() {
            self.add(dialogue?);
        }
        self.skipped.merge(reader.skipped());
        Ok(())
    }

    fn read_utterances(&mut self, sources: &Sources) -> Result<(), DataError> {
        let mut reader = read_utterances(&sources.utterances, self.options.read)?;
        let mut gatherer = Gatherer::default();
        for utterance in reader.by_ref() {
            gatherer.add(utterance?);
        }
        self.skipped.merge(reader.skipped());
        for dialogue in gatherer.finish() {
            self.add(dialogue);
        }
        Ok(())
    }

    fn add(&mut self, dialogue: Dialogue) {
        if !self.ids.insert(dialogue.id.clone()) {
            self.skipped.add(SECOND_DIALOGUE, &dialogue.id);
            return;
        }
        let text = match &self.surveyed {
            None => None,
            Some(surveyed) => match surveyed.get(&dialogue.user) {
                Some(Some(profile)) => Some(profile.text()),
                Some(None) => return self.skipped.add(UNFINISHED, &dialogue.id),
                None => return self.skipped.add(NO_SURVEY, &dialogue.id),
            },
        };
        let options = self.options.comparisons;
        let made = dialogue.comparisons(text.as_deref(), options, &mut self.skipped);
        if made.is_empty() {
            return self.skipped.add(NO_COMPARISON, &dialogue.id);
        }
        self.comparisons.extend(made);
        self.owners.push((dialogue.user, dialogue.id));
    }

    fn finish(self) -> Result<PrismData, DataError> {
        let mut skipped = self.skipped;
        let pairs = self.owners.iter().map(|(user, id)| (user, id.as_str()));
        let DialogueSplit {
            seen,
            unseen,
            parts,
        } = split_dialogues(pairs, &self.options.split)?;
        let mut split = Split::empty(SplitOrigin::ByDialogue);
        for comparison in self.comparisons {
            // invariant: `split_dialogues` gives every dialogue a part.
            let part = parts.get(&comparison.source).copied();
            split.side(part.unwrap_or(Part::Test)).push(comparison);
        }
        keep_apart(&mut split, &mut skipped);
        let profiles = self.surveyed.into_iter().flatten();
        Ok(PrismData {
            split,
            seen,
            unseen,
            dialogues: self.ids.len(),
            skipped,
            profiles: profiles
                .filter_map(|(user, profile)| Some((user, profile?)))
                .collect(),
        })
    }
}

/// Two users may have said the same and got the same responses. Such a pair stays in training; failing that, in test.
fn keep_apart(split: &mut Split, skipped: &mut Skipped) {
    let mut taken: HashSet<u128> = split.train.iter().map(pair_key).collect();
    for side in [&mut split.test, &mut split.validation] {
        side.retain(|comparison| {
            let free = !taken.contains(&pair_key(comparison));
            if !free {
                skipped.add(ON_TWO_SIDES, &comparison.source);
            }
            free
        });
        taken.extend(side.iter().map(pair_key));
    }
}
