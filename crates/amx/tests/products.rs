//! Products against those of f64.
#![allow(clippy::print_stderr)]

use amx::{Left, Packed, Right, View, is_supported};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// The numbers of a matrix in the order of its rows, or of its columns.
fn stored(rows: &[f32], [m, k]: [usize; 2], transposed: bool, stride: usize) -> Vec<f32> {
    let (lines, width) = if transposed { (k, m) } else { (m, k) };
    let mut numbers = vec![f32::NAN; lines * stride];
    for line in 0..lines {
        for at in 0..width {
            let (i, j) = if transposed { (at, line) } else { (line, at) };
            numbers[line * stride + at] = rows[i * k + j];
        }
    }
    numbers
}

#[test]
fn products_are_as_exact_as_those_of_f32() {
    if !is_supported() {
        eprintln!("skipped: no AMX here");
        return;
    }
    for [m, k, n] in [
        [1, 1, 1],
        [32, 32, 32],
        [33, 31, 65],
        [70, 576, 100],
        [5, 1700, 40],
        [100, 64, 3],
        [129, 33, 257],
    ] {
        let (a, b) = (random(m * k, 1), random(k * n, 2));
        for (a_turned, b_turned) in [(false, false), (false, true), (true, false), (true, true)] {
            let stride = |turned: bool, [rows, columns]: [usize; 2]| {
                if turned { rows + 3 } else { columns + 3 }
            };
            let (sa, sb) = (stride(a_turned, [m, k]), stride(b_turned, [k, n]));
            let stored_a = stored(&a, [m, k], a_turned, sa);
            let stored_b = stored(&b, [k, n], b_turned, sb);
            let view = |numbers, shape: [usize; 2], turned: bool, stride| match turned {
                false => View::of_rows(numbers, shape, stride).unwrap(),
                true => View::of_rows(numbers, [shape[1], shape[0]], stride)
                    .unwrap()
                    .transposed(),
            };
            let a_view = view(&stored_a, [m, k], a_turned, sa);
            let b_view = view(&stored_b, [k, n], b_turned, sb);
            let left = Left::new(a_view, 0);
            let found = left.times(Right::Plain(b_view));
            assert_eq!(found.len(), m * n);
            let packed = Packed::new(b_view);
            assert_eq!(packed.shape(), [k, n]);
            let with_packed = left.times(Right::Packed(&packed));
            assert_eq!(with_packed, found, "cut before or on the way");
            let worst = worst_of(&found, [&a, &b], [m, k, n]);
            assert!(worst <= 4e-7, "{m} {k} {n}: {worst:e}");
        }
    }
}

/// The largest error in shares of the sum of what is added up; what f32's own products have is told.
fn worst_of(found: &[f32], [a, b]: [&[f32]; 2], [m, k, n]: [usize; 3]) -> f64 {
    let (mut worst, mut worst_single) = (0f64, 0f64);
    for i in 0..m {
        for j in 0..n {
            let exact: f64 = (0..k)
                .map(|l| f64::from(a[i * k + l]) * f64::from(b[l * n + j]))
                .sum();
            let single: f32 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
            let size: f64 = (0..k)
                .map(|l| f64::from((a[i * k + l] * b[l * n + j]).abs()))
                .sum();
            worst = worst.max((f64::from(found[i * n + j]) - exact).abs() / size);
            worst_single = worst_single.max((f64::from(single) - exact).abs() / size);
        }
    }
    eprintln!("{m} {k} {n}: {worst:e}, of f32 {worst_single:e}");
    worst
}

/// `[a u] [b; v]` is `a b + u v`.
#[test]
fn a_thin_product_is_added_as_if_its_steps_were_the_others() {
    if !is_supported() {
        eprintln!("skipped: no AMX here");
        return;
    }
    for ([m, k, n], r) in [
        ([32, 32, 32], 8),
        ([70, 576, 100], 8),
        ([33, 1536, 65], 40),
        ([129, 33, 257], 1),
        ([40, 700, 40], 64),
    ] {
        let (a, b) = (random(m * (k + r), 1), random((k + r) * n, 2));
        let part = |from: usize, width: usize| -> Vec<f32> {
            let rows = a.chunks_exact(k + r);
            rows.flat_map(|row| row[from..][..width].to_vec()).collect()
        };
        let (own, u) = (part(0, k), part(k, r));
        let view = |numbers, [rows, columns]: [usize; 2]| {
            View::of_rows(numbers, [rows, columns], columns).unwrap()
        };
        let right = view(&b[..k * n], [k, n]);
        let thin = [view(&u, [m, r]), view(&b[k * n..], [r, n])];
        let mut left = Left::new(view(&own, [m, k]), 64);
        let alone = left.times(Right::Plain(right));
        let found = left.times_and(Right::Plain(right), thin);
        let worst = worst_of(&found, [&a, &b], [m, k + r, n]);
        assert!(worst <= 4e-7, "{m} {k} {n} {r}: {worst:e}");
        let packed = Packed::new(right);
        let with_packed = left.times_and(Right::Packed(&packed), thin);
        assert_eq!(with_packed, found, "cut before or on the way");
        assert_eq!(
            left.times(Right::Plain(right)),
            alone,
            "nothing is left of it"
        );
        assert!(left.has_room_for(64) && !left.has_room_for(65));
    }
}
