//! A packed row is worth what its two sequences are worth alone.
#![allow(clippy::print_stderr)]

mod support;

use std::ops::Range;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use llm_backbone::{Model, ModelInput, Prefix, soft_prompt};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use support::{FAMILIES, INDIVIDUAL, USERS, largest_difference, open, pairs, users, values};
use trainer::pack::PackedBatch;
use trainer::policy::Policy;
use trainer::tokenise::TokenizedPair;
use user_model::{RowInit, UserModelKind, UserRef, UserTable};

const TOLERANCE: f32 = 1e-4;

fn rows(pairs: &[TokenizedPair]) -> Vec<&TokenizedPair> {
    pairs.iter().collect()
}

/// Whose soft prompt the rows get, in turn.
fn owners(count: usize) -> Vec<UserRef> {
    let mut users: Vec<UserRef> = USERS.map(UserRef::id).to_vec();
    users.push(UserRef::Generic);
    users.into_iter().cycle().take(count).collect()
}

/// A policy with random adapters and, with `user_tokens`, random soft prompts.
fn policy(name: &str, kind: Option<UserModelKind>) -> (Policy, Option<UserTable>) {
    with_users(support::with_random_adapters(open(name), 5), kind)
}

fn with_users(model: Model, kind: Option<UserModelKind>) -> (Policy, Option<UserTable>) {
    let users = kind.map(|kind| users(kind, 3, model.d_model(), RowInit::Normal { std: 0.3 }));
    let (users, table) = users.unzip();
    (Policy::new(model, users), table)
}

/// Token log-probs per pair of a packed batch: chosen, rejected.
fn packed(
    policy: &Policy,
    table: Option<&UserTable>,
    pairs: &[TokenizedPair],
    owners: &[UserRef],
) -> Vec<[Vec<f32>; 2]> {
    let device = policy.model.device();
    let places = policy.places();
    let batch = PackedBatch::new(&rows(pairs), places.soft).behind(places.prefix);
    let users = table.map(|table| table.batch(owners, &device).expect("known users"));
    let tokens = policy.token_log_probs(&batch, &batch.to_device(&device), users.as_ref());
    let values = values(tokens);
    let of = |range: Range<usize>| values[range].to_vec();
    batch
        .responses
        .into_iter()
        .map(|both| both.map(of))
        .collect()
}

/// How a sequence alone goes through the model.
#[derive(Clone, Copy)]
enum Way {
    Whole,
    /// The prefix first, then one token, two, three and so on.
    Cached,
}

/// What a user has in a sequence.
#[derive(Clone, Default)]
struct OfUser {
    soft: Option<Tensor<3>>,
    prefix: Option<Prefix>,
}

/// Token log-probs of one response after its prompt: one sequence, no padding, plain causal attention.
fn alone(
    model: &Model,
    OfUser {
        soft,
        prefix: in_front,
    }: OfUser,
    pair: &TokenizedPair,
    response: &[u32],
    way: Way,
) -> Vec<f32> {
    let device = model.device();
    let inputs = [&pair.prompt.ids[..], &response[..response.len() - 1]].concat();
    let ids: Vec<i32> = inputs.iter().map(|&id| id as i32).collect();
    let text = ids.len();
    let mut embeddings = model.embed(Tensor::<2, Int>::from_data(
        TensorData::new(ids, [1, text]),
        &device,
    ));
    let soft_tokens = soft.as_ref().map_or(0, |s| s.dims()[1]);
    if let Some(soft) = soft {
        embeddings = soft_prompt::insert(embeddings, soft, &[pair.prompt.soft_at]);
    }
    let (seq, prefix) = (text + soft_tokens, pair.prompt.ids.len() + soft_tokens);
    let cuts = match way {
        Way::Whole => vec![0, seq],
        Way::Cached => {
            let growing = (0..).map(|i| prefix + i * (i + 1) / 2);
            let mut cuts: Vec<usize> = [0]
                .into_iter()
                .chain(growing.take_while(|&c| c < seq))
                .collect();
            cuts.push(seq);
            cuts
        }
    };
    let first = in_front.as_ref().map_or(0, Prefix::tokens);
    let mut cache = model.cache(1, seq);
    let mut states = Vec::new();
    for cut in cuts.windows(2) {
        let (from, to) = (cut[0], cut[1]);
        let positions: Vec<i32> = (from..to).map(|i| (first + i) as i32).collect();
        let visible: Vec<bool> = (from..to)
            .flat_map(|i| (0..to).map(move |j| j <= i))
            .collect();
        states.push(model.forward(ModelInput {
            embeddings: embeddings.clone().narrow(1, from, to - from),
            positions: Tensor::from_data(TensorData::new(positions, [1, to - from]), &device),
            visible: Tensor::<4, Bool>::from_data(
                TensorData::new(visible, [1, 1, to - from, to]),
                &device,
            ),
            prefix: in_front.as_ref(),
            cache: matches!(way, Way::Cached).then_some(&mut cache),
        }));
    }
    let hidden = Tensor::cat(states, 1).narrow(1, prefix - 1, response.len());
    let logits = model.logits(hidden.reshape([response.len(), model.d_model()]));
    let targets: Vec<i32> = response.iter().map(|&id| id as i32).collect();
    let targets = TensorData::new(targets, [response.len(), 1]);
    values(log_softmax(logits, 1).gather(1, Tensor::from_data(targets, &device)))
}

fn of_user(policy: &Policy, table: Option<&UserTable>, user: &UserRef) -> OfUser {
    let (Some(users), Some(table)) = (&policy.users, table) else {
        return OfUser::default();
    };
    let rows = table
        .batch(std::slice::from_ref(user), &policy.model.device())
        .expect("a known user");
    let numbers = users.soft_prompt(&rows);
    match policy.places().prefix {
        0 => OfUser {
            soft: Some(numbers),
            prefix: None,
        },
        _ => OfUser {
            soft: None,
            prefix: Some(Prefix::new(numbers)),
        },
    }
}

/// The largest difference per token between packed rows and sequences alone.
fn assert_packed_equals_alone(name: &str, kind: Option<UserModelKind>) {
    assert_policy_packed_equals_alone(&format!("{name}, {kind:?}"), policy(name, kind));
}

fn assert_policy_packed_equals_alone(name: &str, (trained, table): (Policy, Option<UserTable>)) {
    let plain = support::frozen(&trained);
    let pairs = pairs(3, 9);
    let owners = owners(pairs.len());
    let found = packed(&trained, table.as_ref(), &pairs, &owners);
    let mut largest = 0f32;
    for ((pair, owner), found) in pairs.iter().zip(&owners).zip(&found) {
        for (response, found) in [&pair.chosen, &pair.rejected].into_iter().zip(found) {
            for way in [Way::Whole, Way::Cached] {
                let of_user = of_user(&plain, table.as_ref(), owner);
                let expected = alone(&plain.model, of_user, pair, response, way);
                largest = largest.max(largest_difference(found, &expected));
            }
        }
    }
    eprintln!("{name}: packed and alone differ by at most {largest:e} per token");
    assert!(largest <= TOLERANCE, "{name}: {largest}");
}

#[test]
fn packed_rows_equal_separate_sequences_with_and_without_cache() {
    for name in FAMILIES {
        assert_packed_equals_alone(name, None);
    }
}

#[test]
fn packed_rows_with_soft_tokens_equal_separate_sequences_with_and_without_cache() {
    for name in FAMILIES {
        assert_packed_equals_alone(name, Some(INDIVIDUAL));
        assert_packed_equals_alone(name, Some(UserModelKind::Cluster { clusters: 4 }));
    }
}

#[test]
fn packed_rows_behind_prefixes_equal_separate_sequences_with_and_without_cache() {
    for name in FAMILIES {
        assert_packed_equals_alone(name, Some(support::prefix_of(&open(name))));
    }
}

#[test]
fn packed_rows_equal_separate_sequences_with_adapters_of_every_kind() {
    let lora = support::lora_of_every_kind();
    for name in ["llama", "llama_tied"] {
        let model = support::with_random_adapters_of(open(name), &lora, 6);
        assert_policy_packed_equals_alone(name, with_users(model, Some(INDIVIDUAL)));
    }
}

#[test]
fn padding_and_batch_company_do_not_matter() {
    let kinds = |name| [INDIVIDUAL, support::prefix_of(&open(name))].map(|kind| (name, kind));
    for (name, kind) in FAMILIES.into_iter().flat_map(kinds) {
        let (policy, table) = policy(name, Some(kind));
        let pairs = pairs(4, 8);
        let owners = owners(pairs.len());
        let together = packed(&policy, table.as_ref(), &pairs, &owners);
        let mut largest = 0f32;
        for (i, together) in together.iter().enumerate() {
            let one = packed(&policy, table.as_ref(), &pairs[i..=i], &owners[i..=i]);
            for (a, b) in together.iter().zip(&one[0]) {
                largest = largest.max(largest_difference(a, b));
            }
        }
        eprintln!("{name}, {kind:?}: largest difference with batch company {largest:e}");
        assert!(largest <= TOLERANCE, "{name}: {largest}");
    }
}

/// A node of a row's tree: its prefix, then two branches.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Prefix(usize),
    Chosen(usize),
    Rejected(usize),
    Padding,
}

/// What every slot of a row holds, from the layout in the documentation.
fn nodes(pair: &TokenizedPair, soft: usize, seq: usize) -> Vec<Node> {
    let mut nodes: Vec<Node> = (0..soft + pair.prompt.ids.len())
        .map(Node::Prefix)
        .collect();
    nodes.extend((0..pair.chosen.len() - 1).map(Node::Chosen));
    nodes.extend((0..pair.rejected.len() - 1).map(Node::Rejected));
    nodes.resize(seq, Node::Padding);
    nodes
}

/// Whether a token may know another: both on one path from the root, the other not later.
fn sees(query: Node, key: Node) -> bool {
    match (query, key) {
        (Node::Padding, _) | (_, Node::Padding) => false,
        (Node::Chosen(_) | Node::Rejected(_), Node::Prefix(_)) => true,
        (Node::Prefix(q), Node::Prefix(k))
        | (Node::Chosen(q), Node::Chosen(k))
        | (Node::Rejected(q), Node::Rejected(k)) => k <= q,
        _ => false,
    }
}

fn check_row(batch: &PackedBatch, row: usize, pair: &TokenizedPair) {
    let (seq, prefix) = (batch.seq, batch.soft + pair.prompt.ids.len());
    let nodes = nodes(pair, batch.soft, seq);
    for (i, &query) in nodes.iter().enumerate() {
        for (j, &key) in nodes.iter().enumerate() {
            let visible = batch.visible[(row * seq + i) * seq + j];
            assert_eq!(visible, sees(query, key), "{query:?} sees {key:?}");
        }
        let depth = match query {
            Node::Prefix(n) => n,
            Node::Chosen(n) | Node::Rejected(n) => prefix + n,
            Node::Padding => 0,
        };
        assert_eq!(batch.positions[row * seq + i] as usize, depth);
    }
    for (side, response) in [&pair.chosen, &pair.rejected].into_iter().enumerate() {
        let scored: Vec<usize> = batch.responses[row][side].clone().collect();
        let targets: Vec<u32> = scored.iter().map(|&t| batch.targets[t] as u32).collect();
        assert_eq!(
            targets,
            response[..],
            "every token of a response, once, in order"
        );
        for (n, &t) in scored.iter().enumerate() {
            let node = nodes[batch.predictors[t] as usize - row * seq];
            let expected = match (n, side) {
                (0, _) => Node::Prefix(prefix - 1),
                (_, 0) => Node::Chosen(n - 1),
                _ => Node::Rejected(n - 1),
            };
            assert_eq!(node, expected, "the state that predicts token {n}");
        }
    }
    let text = seq - batch.soft;
    let inputs = [
        &pair.prompt.ids[..],
        &pair.chosen[..pair.chosen.len() - 1],
        &pair.rejected[..pair.rejected.len() - 1],
    ]
    .concat();
    let ids: Vec<u32> = batch.ids[row * text..][..inputs.len()]
        .iter()
        .map(|&id| id as u32)
        .collect();
    assert_eq!(ids, inputs);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_row_is_a_tree_whatever_its_lengths(
        seed in any::<u64>(),
        lengths in prop::collection::vec((1..7usize, 1..6usize, 1..8usize), 1..5),
        soft in 0..4usize,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let pairs: Vec<TokenizedPair> = lengths
            .iter()
            .map(|&(prompt, chosen, rejected)| support::pair(&mut rng, prompt, chosen, rejected))
            .collect();
        let batch = PackedBatch::new(&rows(&pairs), soft);
        let longest = pairs.iter().map(|pair| pair.row_length(soft)).max();
        prop_assert_eq!(Some(batch.seq), longest);
        prop_assert_eq!(batch.tokens, pairs.iter().map(|p| p.row_length(soft)).sum::<usize>());
        let scored: usize = pairs.iter().map(|p| p.chosen.len() + p.rejected.len()).sum();
        prop_assert_eq!(batch.targets.len(), scored);
        let (chosen, rejected) = batch.response_lengths();
        for (row, pair) in pairs.iter().enumerate() {
            prop_assert_eq!(batch.soft_at[row], pair.prompt.soft_at);
            prop_assert_eq!(chosen[row] as usize, pair.chosen.len());
            prop_assert_eq!(rejected[row] as usize, pair.rejected.len());
            check_row(&batch, row, pair);
        }
    }
}
