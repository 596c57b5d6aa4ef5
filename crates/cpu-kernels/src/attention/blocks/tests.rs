//! Attention of many queries against its formula in f64.

use super::*;
use crate::test_random::numbers;

const HIDES: f32 = -1e30;

/// Values and gradients of `softmax(q k^T + bias) v`, of one sequence and one query head: `[out, for_q, for_k, for_v]`.
fn by_formula(
    [q, k, v, grad]: [&[f32]; 4],
    bias: &[f32],
    [queries, keys, dim]: [usize; 3],
) -> [Vec<f64>; 4] {
    let at = |x: &[f32], row: usize, d: usize| f64::from(x[row * dim + d]);
    let mut out = [queries, queries, keys, keys].map(|rows| vec![0.0; rows * dim]);
    for i in 0..queries {
        let dot = |a: &[f32], b: &[f32], j| (0..dim).map(|d| at(a, i, d) * at(b, j, d)).sum();
        // A bias of -1e30 takes every score with it, as in f32.
        let score = |j: usize| match bias[i * keys + j] {
            HIDES => f64::from(HIDES),
            bias => dot(q, k, j) + f64::from(bias),
        };
        let scores: Vec<f64> = (0..keys).map(score).collect();
        let top = scores.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = scores.iter().map(|score| (score - top).exp()).sum();
        let probs: Vec<f64> = scores.iter().map(|s| (s - top).exp() / total).collect();
        let slopes: Vec<f64> = (0..keys).map(|j| dot(grad, v, j)).collect();
        let along: f64 = probs.iter().zip(&slopes).map(|(p, s)| p * s).sum();
        for j in 0..keys {
            let slope = probs[j] * (slopes[j] - along);
            for d in 0..dim {
                out[0][i * dim + d] += probs[j] * at(v, j, d);
                out[1][i * dim + d] += slope * at(k, j, d);
                out[2][j * dim + d] += slope * at(q, i, d);
                out[3][j * dim + d] += probs[j] * at(grad, i, d);
            }
        }
    }
    out
}

/// What a query of a packed row sees: a prefix, and one of two responses behind it. Query 3 sees nothing.
fn tree(queries: usize, keys: usize) -> Vec<f32> {
    let (prefix, second) = (keys / 2, keys / 2 + keys / 4);
    let in_front = keys - queries;
    let seen = |i: usize, j: usize| {
        let at = in_front + i;
        let responds_to = at < second || j < prefix || j >= second;
        i != 3 && j <= at && responds_to
    };
    let pair = |n: usize| match seen(n / keys, n % keys) {
        true => 0.0,
        false => HIDES,
    };
    (0..queries * keys).map(pair).collect()
}

#[test]
fn blocks_give_what_whole_squares_give() {
    // Sequences, query heads, key heads, queries, keys, width of a head: blocks and panels that are full, and that are not.
    for [batch, heads, kv_heads, queries, keys, dim] in [
        [1, 1, 1, 1, 1, 1],
        [2, 6, 2, 5, 37, 24],
        [2, 3, 1, 70, 75, 16],
        [1, 4, 4, 130, 130, 40],
        [1, 8, 1, 41, 41, 64],
    ] {
        let shape = AttentionShape {
            batch,
            heads,
            kv_heads,
            queries,
            keys,
            dim,
        };
        let (rows, of_keys) = (batch * heads * queries, batch * kv_heads * keys);
        // Keys as a view of `[batch, keys, kv_heads, dim]`, values head by head.
        let (q, k, v) = (
            numbers(1, rows * dim),
            numbers(2, of_keys * dim),
            numbers(3, of_keys * dim),
        );
        let grad = numbers(4, rows * dim);
        let bias: Vec<f32> = (0..batch).flat_map(|_| tree(queries, keys)).collect();
        let side_by_side = View {
            numbers: &k,
            strides: [keys * kv_heads * dim, dim, kv_heads * dim],
        };
        let by_heads = View {
            numbers: &v,
            strides: [kv_heads * keys * dim, keys * dim, dim],
        };
        let (out, kept) = attention_kept(&q, side_by_side, by_heads, &bias, shape);
        let [for_q, for_k, for_v] =
            attention_backward(&q, side_by_side, by_heads, &bias, (&kept, &grad), shape);

        let mut keys_of = vec![vec![0.0f64; keys * dim]; 2 * batch * kv_heads];
        for head in 0..batch * heads {
            let key_head = head / heads * kv_heads + head % heads / (heads / kv_heads);
            let here = |x: &[f32]| x[head * queries * dim..][..queries * dim].to_vec();
            let row = |j: usize| {
                let (sequence, head) = (key_head / kv_heads, key_head % kv_heads);
                &k[((sequence * keys + j) * kv_heads + head) * dim..][..dim]
            };
            let k: Vec<f32> = (0..keys).flat_map(|j| row(j).iter().copied()).collect();
            let v = &v[key_head * keys * dim..][..keys * dim];
            let bias = &bias[head / heads * queries * keys..][..queries * keys];
            let (q, grad) = (here(&q), here(&grad));
            let expected = by_formula([&q, &k, v, &grad], bias, [queries, keys, dim]);
            assert_close(&here(&out), &expected[0]);
            assert_close(&here(&for_q), &expected[1]);
            for (which, expected) in expected[2..].iter().enumerate() {
                let sums = &mut keys_of[2 * key_head + which];
                sums.iter_mut().zip(expected).for_each(|(sum, x)| *sum += x);
            }
        }
        for (head, expected) in keys_of.chunks(2).enumerate() {
            let range = head * keys * dim..(head + 1) * keys * dim;
            assert_close(&for_k[range.clone()], &expected[0]);
            assert_close(&for_v[range], &expected[1]);
        }
    }
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error <= 1e-5 + 2e-5 * expected.abs(),
            "{found}, not {expected}"
        );
    }
}
