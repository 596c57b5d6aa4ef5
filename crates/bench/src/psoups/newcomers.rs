//! Users who come once everybody else is trained, and who want what three of the trained users want together: simple or expert wording, and
//! short or full answers, and a friendly or a cold tone.

use trainer::TrainError;
use trainer::pref_data::Comparison;
use trainer::pref_data::psoups::PsoupsData;

use super::data::owner;
use crate::newcomers::{Newcomer, Newcomers, NewcomersSection};

/// One of each two for every direction. The first two are opposites, the first four agree in each direction by twos.
const MIXES: [&str; 8] = ["AAA", "BBB", "ABB", "BAA", "BAB", "ABA", "BBA", "AAB"];

/// How many mixes there are.
pub const MOST: usize = MIXES.len();

/// The newcomers of a split: each answers comparisons of the validation side, and is tested on the test side, of the three users of
/// their mix.
///
/// # Errors
/// Fewer comparisons than they are to answer or to be tested on.
pub fn of(section: &NewcomersSection, data: &PsoupsData) -> Result<Newcomers, TrainError> {
    let users = MIXES[..section.users.min(MOST)].iter().map(|mix| {
        let id = format!("mix-{mix}");
        let profiles = profiles(mix);
        let like: Vec<String> = data
            .profiles()
            .iter()
            .filter(|profile| profiles.iter().any(|id| *id == *profile.id))
            .map(|profile| profile.user.to_string())
            .collect();
        let is_like = |c: &&Comparison| like.iter().any(|user| user == owner(c));
        let of = |side: &[Comparison], key, wanted| {
            let pool = side.iter().filter(is_like);
            let drawn = section.drawn(&id, pool, (key, wanted))?;
            let judged = |comparison: &&Comparison| Comparison {
                user: Some(id.as_str().into()),
                group: Some((*mix).into()),
                ..Comparison::clone(comparison)
            };
            Ok::<Vec<Comparison>, TrainError>(drawn.iter().map(judged).collect())
        };
        Ok(Newcomer {
            answers: of(&data.split.validation, "answers", section.asked())?,
            tests: of(&data.split.test, "tests", section.tests)?,
            group: (*mix).into(),
            id: id.clone(),
        })
    });
    Ok(section.of(users.collect::<Result<_, TrainError>>()?))
}

/// `P1A`, `P2B`, `P3A` of `ABA`.
fn profiles(mix: &str) -> Vec<String> {
    let sides = mix.chars().enumerate();
    sides
        .map(|(at, side)| format!("P{}{side}", at + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mix_is_there_once_and_two_by_two_they_are_opposites() {
        let mut mixes = MIXES.to_vec();
        mixes.sort_unstable();
        mixes.dedup();
        assert_eq!(mixes.len(), 8);
        for two in MIXES.chunks(2) {
            let pairs = two[0].chars().zip(two[1].chars());
            assert!(pairs.into_iter().all(|(a, b)| a != b), "{two:?}");
        }
        assert_eq!(profiles("ABA"), ["P1A", "P2B", "P3A"]);
    }
}
