//! Which comparisons share a packed row, and which rows go through the model together.
//!
//! Comparisons of one prompt share its row where nothing in front of it sets them apart, such as the soft prompts of two users: the
//! prompt is computed once for all of them, and so is a response that several of them have.

use std::collections::HashMap;
use std::hash::Hash;

use burn::tensor::DType;
use llm_backbone::device::is_cpu;

use crate::pack::{Asked, RowTokens};
use crate::policy::Policy;

/// Times as long as the longest of its comparisons alone a shared row is at most, in f32 on a CPU: attention grows with the square of its
/// length. Elsewhere, where all its scores are in memory, it is no longer than that one.
const LONGER: usize = 2;

/// Comparisons that share a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedRow {
    /// Their places.
    pub members: Vec<usize>,
    /// Input tokens of the row, soft tokens included.
    pub length: usize,
}

/// One forward pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// The places of its comparisons, row by row.
    pub members: Vec<usize>,
    /// How many of them each row has.
    pub sizes: Vec<usize>,
}

impl Pass {
    /// Every comparison in a row of its own.
    pub(crate) fn apart(comparisons: usize) -> Self {
        Self {
            members: (0..comparisons).collect(),
            sizes: vec![1; comparisons],
        }
    }
}

/// How rows go through a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtOnce {
    /// Soft tokens of each.
    soft: usize,
    /// Rows of a pass at most, where each has one comparison.
    each: usize,
    /// Passes at a time.
    workers: usize,
    /// Times as long as its longest comparison alone a row is at most; see [`LONGER`].
    longer: usize,
}

impl AtOnce {
    /// With a policy's soft tokens, `each` rows in each of so many passes at a time.
    pub(crate) fn new(policy: &Policy, each: usize, workers: usize) -> Self {
        let model = &policy.model;
        let in_f32 = is_cpu(&model.device()) && model.dtype() == DType::F32;
        Self {
            soft: policy.places().soft,
            each: each.max(1),
            workers: workers.max(1),
            longer: if in_f32 { LONGER } else { 1 },
        }
    }
}

/// The rows of comparisons, those of `whose[i]`: they share a row where these are equal, and the prompts, and as long as it has at most
/// `most` tokens and is at most `longer` times as long as its longest comparison alone. Rows stand in the order of their first comparisons.
fn rows<K: Eq + Hash>(
    tokens: &[RowTokens<'_>],
    whose: &[K],
    AtOnce { soft, longer, .. }: AtOnce,
    most: usize,
) -> Vec<SharedRow> {
    let mut rows: Vec<SharedRow> = Vec::new();
    // The row of a prompt that has room, with the responses that it holds and the length of its longest comparison.
    let mut open = HashMap::new();
    for (place, (tokens, whose)) in tokens.iter().zip(whose).enumerate() {
        let alone = SharedRow {
            members: vec![place],
            length: tokens.length(soft),
        };
        if tokens.asked == Asked::WholeText {
            rows.push(alone);
            continue;
        }
        let key = (whose, tokens.soft_at, tokens.prompt);
        let first = (
            rows.len(),
            tokens.responses().collect::<Vec<_>>(),
            alone.length,
        );
        let Some((row, held, longest)) = open.get_mut(&key) else {
            open.insert(key, first);
            rows.push(alone);
            continue;
        };
        let new: Vec<_> = tokens
            .responses()
            .filter(|response| !response.is_in(held))
            .collect();
        let added: usize = new.iter().map(|response| response.inputs()).sum();
        let shared = &mut rows[*row];
        let widest = alone.length.max(*longest);
        if shared.length + added > most.min(longer * widest) {
            (*row, *held, *longest) = first;
            rows.push(alone);
            continue;
        }
        shared.members.push(place);
        shared.length += added;
        held.extend(new);
        *longest = widest;
    }
    rows
}

/// Passes over comparisons, so many of them at most where each has a row of its own, and as many tokens with padding where they share rows;
/// in that case no worker is idle as long as others have several rows. `sort` brings rows into order.
pub(crate) fn passes<K: Eq + Hash>(
    tokens: &[RowTokens<'_>],
    whose: &[K],
    at_once: AtOnce,
    sort: impl FnOnce(&mut [SharedRow]),
) -> Vec<Pass> {
    let AtOnce {
        soft,
        each,
        workers,
        ..
    } = at_once;
    let longest = tokens.iter().map(|tokens| tokens.length(soft)).max();
    let most = each.saturating_mul(longest.unwrap_or(0));
    let mut rows = rows(tokens, whose, at_once, most);
    sort(&mut rows);
    let all: usize = rows.iter().map(|row| row.length).sum();
    let most = match rows.len() == tokens.len() {
        true => most,
        false => most.min(all.div_ceil(workers)),
    };
    let mut passes: Vec<Pass> = Vec::new();
    let mut widest = 0;
    for row in rows {
        widest = row.length.max(widest);
        match passes.last_mut() {
            Some(pass) if pass.sizes.len() < each && (pass.sizes.len() + 1) * widest <= most => {
                pass.sizes.push(row.members.len());
                pass.members.extend(row.members);
            }
            _ => {
                widest = row.length;
                passes.push(Pass {
                    sizes: vec![row.members.len()],
                    members: row.members,
                });
            }
        }
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens<'a>(prompt: &'a [u32], chosen: &'a [u32], rejected: &'a [u32]) -> RowTokens<'a> {
        RowTokens {
            prompt,
            soft_at: 1,
            chosen,
            rejected,
            asked: Asked::Tokens,
        }
    }

    fn at_once(soft: usize, each: usize, workers: usize) -> AtOnce {
        AtOnce {
            soft,
            each,
            workers,
            longer: LONGER,
        }
    }

    fn members(rows: &[SharedRow]) -> Vec<&[usize]> {
        rows.iter().map(|row| &row.members[..]).collect()
    }

    #[test]
    fn comparisons_of_one_prompt_and_one_user_share_a_row_and_equal_responses() {
        let (one, other) = ([0, 1, 2], [0, 1, 3]);
        let (a, b, c) = ([4, 5, 9], [6, 9], [7, 8, 9]);
        let all = [
            tokens(&one, &a, &b),
            tokens(&other, &a, &b),
            tokens(&one, &c, &a),
            tokens(&one, &b, &a),
        ];
        let nobody = rows(&all, &[0; 4], at_once(0, 1, 1), 100);
        assert_eq!(members(&nobody), [&[0, 2, 3][..], &[1]]);
        // The prompt once, and each response once without its last token.
        assert_eq!(nobody[0].length, 3 + 2 + 1 + 2);
        assert_eq!(nobody[1].length, 3 + 2 + 1);
        let two_users = rows(&all, &["ada", "ada", "ben", "ada"], at_once(2, 1, 1), 100);
        assert_eq!(members(&two_users), [&[0, 3][..], &[1], &[2]]);
        assert_eq!(two_users[0].length, 2 + 3 + 2 + 1);
    }

    #[test]
    fn a_row_has_at_most_so_many_tokens() {
        let responses: Vec<[u32; 3]> = (0..5).map(|i| [i, 8, 9]).collect();
        let all: Vec<_> = responses
            .iter()
            .map(|r| tokens(&[0, 1, 2], r, &[]))
            .collect();
        let found = rows(&all, &[0; 5], at_once(0, 1, 1), 7);
        assert_eq!(members(&found), [&[0, 1][..], &[2, 3], &[4]]);
        assert!(found.iter().all(|row| row.length <= 7));
    }

    #[test]
    fn a_row_is_at_most_twice_as_long_as_the_longest_of_its_comparisons() {
        let responses: Vec<[u32; 5]> = (0..5).map(|i| [i, 6, 7, 8, 9]).collect();
        let short = |i: usize| tokens(&[0, 1, 2], &responses[i], &[]);
        let all: Vec<_> = (0..5).map(short).collect();
        // A comparison alone has seven tokens, each further one four.
        let found = rows(&all, &[0; 5], at_once(0, 1, 1), 1000);
        assert_eq!(members(&found), [&[0, 1][..], &[2, 3], &[4]]);
        let elsewhere = AtOnce {
            longer: 1,
            ..at_once(0, 1, 1)
        };
        assert_eq!(rows(&all, &[0; 5], elsewhere, 1000).len(), 5);
    }

    #[test]
    fn text_that_is_learnt_with_its_prompt_shares_none() {
        let whole = RowTokens {
            asked: Asked::WholeText,
            ..tokens(&[0, 1], &[2, 9], &[])
        };
        assert_eq!(
            members(&rows(&[whole; 2], &[0; 2], at_once(0, 1, 1), 100)),
            [[0], [1]]
        );
    }

    #[test]
    fn comparisons_of_many_prompts_go_so_many_at_a_time() {
        let prompts: Vec<[u32; 2]> = (0..5).map(|i| [0, i]).collect();
        let all: Vec<_> = prompts
            .iter()
            .map(|p| tokens(p, &[7, 9], &[8, 9]))
            .collect();
        let found = passes(&all, &[0; 5], at_once(0, 2, 2), |_| {});
        let members: Vec<_> = found.iter().map(|pass| &pass.members[..]).collect();
        assert_eq!(members, [&[0, 1][..], &[2, 3], &[4]]);
        assert!(
            found
                .iter()
                .all(|pass| pass.sizes.iter().all(|&size| size == 1))
        );
    }

    #[test]
    fn passes_of_shared_rows_have_no_more_slots_and_all_workers_have_one() {
        // Six comparisons of four responses to one prompt, and one of another.
        let r: Vec<[u32; 3]> = (0..4).map(|i| [i, 8, 9]).collect();
        let pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
        let mut all: Vec<_> = pairs
            .iter()
            .map(|&(i, j)| tokens(&[0, 1], &r[i], &r[j]))
            .collect();
        all.push(tokens(&[0, 2], &r[0], &r[1]));
        let found = passes(&all, &[0; 7], at_once(0, 4, 2), |_| {});
        assert_eq!(found[0].members, [0, 1, 2, 3, 4, 5]);
        assert_eq!(
            (&found[0].sizes[..], &found[1].sizes[..]),
            (&[6][..], &[1][..])
        );
    }
}
