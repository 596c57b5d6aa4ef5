//! Hand-made blocks, and blocks made by the Python package `gguf` (`tests/fixtures/`).

use serde::Deserialize;

use super::*;
use crate::test_random::generator;

/// 1.0, 0.5 and 2.0 in half precision, little-endian.
const ONE: [u8; 2] = [0x00, 0x3c];
const HALF: [u8; 2] = [0x00, 0x38];
const TWO: [u8; 2] = [0x00, 0x40];

/// Zero, numbers below the normal range, negative ones, infinities: all 65,536 halves.
#[test]
fn every_half_is_the_number_that_the_crate_half_reads() {
    for bits in 0..=u16::MAX {
        let (ours, expected) = (half_at(&bits.to_le_bytes(), 0), half::f16::from_bits(bits));
        let expected = expected.to_f32();
        let same = ours.to_bits() == expected.to_bits() || ours.is_nan() && expected.is_nan();
        assert!(same, "{bits:#x}: {ours}, expected {expected}");
    }
}

/// Scales of every kind, infinite ones too, and quants of every value.
#[test]
fn vector_code_gives_the_numbers_of_plain_code() {
    let mut rng = generator(1);
    for kind in [TensorType::Q4_0, TensorType::Q4_1, TensorType::Q8_0] {
        let mut bytes = vec![0; 4096 * kind.block_bytes()];
        rand::Rng::fill(&mut rng, bytes.as_mut_slice());
        let found = dequantise(kind, &bytes);
        let mut plain = vec![0.0; found.len()];
        anywhere(kind, &bytes, &mut plain);
        for (found, plain) in found.into_iter().zip(plain) {
            let same = found.to_bits() == plain.to_bits() || found.is_nan() && plain.is_nan();
            assert!(same, "{kind}: {found}, expected {plain}");
        }
    }
}

/// Against the numbers in memory, in double precision; odd numbers of rows of either side.
#[test]
fn products_need_no_numbers_in_memory() {
    let mut rng = generator(2);
    let d_in = 96;
    let kinds = [TensorType::Q4_0, TensorType::Q4_1, TensorType::Q8_0];
    // More rows than a panel has, and fewer; more than two have.
    let sizes = [(1, 5, true), (3, 5, true), (6, 5, true), (13, 5, true)]
        .into_iter()
        .chain([
            (4, 5, false),
            (6, 16, false),
            (13, 45, false),
            (64, 33, false),
        ]);
    for (kind, (n, rows, exact)) in kinds
        .into_iter()
        .flat_map(|kind| sizes.clone().map(move |sizes| (kind, sizes)))
    {
        let x: Vec<f32> = (0..n * d_in)
            .map(|_| rand::Rng::random_range(&mut rng, -1.0..1.0))
            .collect();
        let mut bytes = vec![0; rows * d_in / 32 * kind.block_bytes()];
        rand::Rng::fill(&mut rng, bytes.as_mut_slice());
        for block in bytes.chunks_mut(kind.block_bytes()) {
            // Scale and minimum between a quarter and two, of either sign.
            block[1] = 0x34 | block[1] & 0x8b;
            if kind == TensorType::Q4_1 {
                block[3] = 0x34 | block[3] & 0x8b;
            }
        }
        assert!(finite(kind, &bytes));
        let numbers = dequantise(kind, &bytes);
        let mut found = vec![f32::NAN; n * rows];
        let mut out: Vec<_> = found.chunks_mut(rows).collect();
        let Some(factor) = Factor::new(kind, &x, n, exact) else {
            assert!(!has_products());
            continue;
        };
        factor.products(&bytes, &mut out);
        let mut same = vec![f32::NAN; n * rows];
        let mut out: Vec<_> = same.chunks_mut(rows).collect();
        factor.with_few_registers().products(&bytes, &mut out);
        assert_eq!(found, same);
        let pairs = x
            .chunks(d_in)
            .flat_map(|x| numbers.chunks(d_in).map(move |w| (x, w)));
        for (found, (x, w)) in found.into_iter().zip(pairs) {
            let terms = w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
            let (expected, scale) = terms.fold((0.0, 0.0), |(sum, scale), term| {
                (sum + term, scale + term.abs())
            });
            let error = (f64::from(found) - expected).abs();
            // Fewer than four rows, or more that need not be exact, are rounded to 16 bits: at most by half a 32,767th of the largest
            // number, here twice the mean one.
            let tolerance = if n < 4 || !exact { 3.1e-5 } else { 1e-6 };
            assert!(
                error < tolerance * scale,
                "{kind}, {n} rows: {found}, expected {expected}"
            );
        }
    }
}

/// Whether this processor multiplies blocks in registers.
fn has_products() -> bool {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    return pulp::x86::V3::try_new().is_some();
    #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
    false
}

/// All 63,488 of them, below the normal range and negative ones too; also as minima. One row of `x` and four.
#[test]
fn products_take_every_finite_scale() {
    const ZERO: [u8; 2] = [0; 2];
    if !has_products() {
        return;
    }
    let at_seven: [f32; 32] = std::array::from_fn(|i| f32::from(u8::from(i == 7)));
    for half in (0..=u16::MAX).map(half::f16::from_bits) {
        let bits = half.to_le_bytes();
        for (kind, bytes) in [
            (TensorType::Q8_0, block(&[&bits, &[1; 32]])),
            (TensorType::Q4_0, block(&[&bits, &[0x99; 16]])),
            (TensorType::Q4_1, block(&[&bits, &ZERO, &[0x11; 16]])),
            (TensorType::Q4_1, block(&[&ZERO, &bits, &[0; 16]])),
        ] {
            assert_eq!(finite(kind, &bytes), half.is_finite());
            for (n, exact) in [(1, true), (4, true), (4, false)] {
                let x = at_seven.repeat(n);
                if let Some(factor) = Factor::new(kind, &x, n, exact).filter(|_| half.is_finite()) {
                    let mut found = [f32::NAN; 4];
                    let mut out: Vec<_> = found[..n].chunks_mut(1).collect();
                    factor.products(&bytes, &mut out);
                    assert_eq!(found[..n], [half.to_f32(); 4][..n], "{kind}, {n} rows");
                }
            }
        }
    }
}

/// Each number alone, so that it must meet its own quant: by half a 32,767th of the largest in its block, and the rounding of
/// f32 beside. One row, and four, which are rounded where the processor has instructions for it.
#[test]
fn rows_are_rounded_to_sixteen_bits() {
    let mut rng = generator(3);
    let mut x = [0.0_f32; 96];
    x.fill_with(|| rand::Rng::random_range(&mut rng, -1.0..1.0));
    let largest = |block: &[f32]| block.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    for i in 0..96 {
        let mut q8_0 = block(&[&ONE, &[0; 32]]).repeat(3);
        q8_0[i / 32 * 34 + 2 + i % 32] = 1;
        let mut q4_1 = block(&[&ONE, &[0; 18]]).repeat(3);
        q4_1[i / 32 * 20 + 4 + i % 16] = if i % 32 < 16 { 1 } else { 0x10 };
        for (kind, bytes) in [(TensorType::Q8_0, q8_0), (TensorType::Q4_1, q4_1)] {
            for n in [1, 4] {
                let mut found = [f32::NAN; 4];
                let rows = x.repeat(n);
                let Some(factor) = Factor::new(kind, &rows, n, false) else {
                    return assert!(!has_products());
                };
                let mut out: Vec<_> = found[..n].chunks_mut(1).collect();
                factor.products(&bytes, &mut out);
                let half_a_step = largest(&x[i / 32 * 32..][..32]) / 65534.0;
                for found in &found[..n] {
                    assert!((found - x[i]).abs() < 1.01 * half_a_step, "{kind}, {i}");
                }
            }
        }
    }
}

/// An odd number of blocks; in each place that a number can have.
#[test]
fn products_hide_no_broken_number_and_take_the_smallest() {
    let bytes = block(&[&ONE, &[1; 32]]).repeat(3);
    if !has_products() {
        return;
    }
    for n in [1, 4] {
        hides_no_broken_number(&bytes, n);
    }
}

fn hides_no_broken_number(bytes: &[u8], n: usize) {
    let product = |x: &[f32]| {
        let rows = [x, &[1.0; 96].repeat(n - 1)].concat();
        let mut found = [0.0; 4];
        let factor = Factor::new(TensorType::Q8_0, &rows, n, false)?;
        let mut out: Vec<_> = found[..n].chunks_mut(1).collect();
        factor.products(bytes, &mut out);
        Some(found[0])
    };
    for at in 0..96 {
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 96];
            x[at] = broken;
            assert!(product(&x).is_some_and(|dot| !dot.is_finite()));
            x[(at + 1) % 96] = broken;
            assert!(product(&x).is_some_and(|dot| !dot.is_finite()));
        }
    }
    assert_eq!(product(&[0.0; 96]), Some(0.0));
    assert_eq!(product(&[f32::from_bits(1); 96]), Some(0.0));
    let small = product(&[2e-34; 96]).unwrap_or_default();
    assert!((small / 192e-34 - 1.0).abs() < 1e-4, "{small}");
}

#[test]
fn a_minimum_must_be_finite_too() {
    const INFINITE: [u8; 2] = [0x00, 0x7c];
    const NO_NUMBER: [u8; 2] = [0x01, 0xfe];
    let q4_1 = |scale: [u8; 2], minimum: [u8; 2]| {
        finite(TensorType::Q4_1, &block(&[&scale, &minimum, &[0; 16]]))
    };
    assert!(q4_1(ONE, HALF));
    for broken in [INFINITE, NO_NUMBER] {
        // Elsewhere nobody asks.
        let elsewhere = cfg!(feature = "portable") || !cfg!(target_arch = "x86_64");
        assert_eq!(q4_1(ONE, broken), elsewhere);
        assert_eq!(q4_1(broken, HALF), elsewhere);
    }
}

fn block(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn q4_0_centres_on_eight() {
    let mut quants = [0x88; 16];
    quants[0] = 0x0f; // number 0: 15, number 16: 0
    let numbers = dequantise(TensorType::Q4_0, &block(&[&HALF, &quants]));
    assert_eq!(numbers.len(), 32);
    assert_eq!((numbers[0], numbers[16]), (3.5, -4.0));
    assert_eq!(numbers[1], 0.0);
}

#[test]
fn q4_1_adds_the_minimum() {
    let mut quants = [0; 16];
    quants[15] = 0x3a; // number 15: 10, number 31: 3
    let numbers = dequantise(TensorType::Q4_1, &block(&[&TWO, &HALF, &quants]));
    assert_eq!((numbers[15], numbers[31]), (20.5, 6.5));
    assert_eq!(numbers[0], 0.5);
}

#[test]
fn q5_0_takes_the_fifth_bit_from_the_word() {
    let high = (1_u32 << 3 | 1 << 19).to_le_bytes();
    let mut quants = [0; 16];
    quants[3] = 0x21;
    let numbers = dequantise(TensorType::Q5_0, &block(&[&ONE, &high, &quants]));
    assert_eq!((numbers[3], numbers[19]), (1.0, 2.0));
    assert_eq!((numbers[2], numbers[18]), (-16.0, -16.0));
}

#[test]
fn q5_1_adds_the_minimum() {
    let high = (1_u32 << 31).to_le_bytes();
    let mut quants = [0; 16];
    quants[15] = 0x5c;
    let numbers = dequantise(TensorType::Q5_1, &block(&[&HALF, &ONE, &high, &quants]));
    assert_eq!((numbers[15], numbers[31]), (7.0, 11.5));
}

#[test]
fn q8_0_is_signed() {
    let mut quants = [0; 32];
    quants[0] = 0x80;
    quants[31] = 0x7f;
    let numbers = dequantise(TensorType::Q8_0, &block(&[&TWO, &quants]));
    assert_eq!((numbers[0], numbers[31]), (-256.0, 254.0));
}

#[test]
fn q4_k_unpacks_six_bit_scales() {
    // Scale 0 = 3, minimum 0 = 5; scale 4 = 33 (low 1, high 2), minimum 4 = 18 (low 2, high 1).
    let mut scales = [0; 12];
    scales[0] = 3 | 2 << 6;
    scales[4] = 5 | 1 << 6;
    scales[8] = 1 | 2 << 4;
    let mut quants = [0; 128];
    quants[0] = 0x07; // number 0: 7
    quants[64] = 0x0a; // number 128 (third pair, low half): 10
    let numbers = dequantise(TensorType::Q4_K, &block(&[&ONE, &TWO, &scales, &quants]));
    assert_eq!(numbers.len(), 256);
    assert_eq!((numbers[0], numbers[1]), (21.0 - 10.0, -10.0));
    assert_eq!((numbers[128], numbers[129]), (330.0 - 36.0, -36.0));
    assert_eq!(numbers[32], 0.0);
}

#[test]
fn q6_k_joins_low_and_high_bits() {
    let mut low = [0; 128];
    let mut high = [0; 64];
    let mut scales = [1; 16];
    low[1] = 0xf2; // number 1: low nibble 2; number 65: 15
    high[1] = 0b01_00_00_11; // quarter 0: 3, quarter 3: 1
    low[64 + 32] = 0x90; // number 224 (second half, quarter 3): 9
    high[32] = 0b11_00_00_00;
    scales[0] = 2;
    scales[14] = 0xff; // -1, numbers 224 to 239
    let numbers = dequantise(TensorType::Q6_K, &block(&[&low, &high, &scales, &HALF]));
    assert_eq!(numbers.len(), 256);
    assert_eq!(numbers[1], 0.5 * 2.0 * (2.0 + 48.0 - 32.0));
    assert_eq!(numbers[65], 0.5 * (15.0 - 32.0));
    assert_eq!(numbers[97], 0.5 * (16.0 - 32.0));
    assert_eq!(numbers[224], -0.5 * (9.0 + 48.0 - 32.0));
}

#[test]
fn plain_numbers_are_little_endian() {
    assert_eq!(dequantise(TensorType::F32, &[0, 0, 0xc0, 0x3f]), [1.5]);
    assert_eq!(dequantise(TensorType::F16, &TWO), [2.0]);
    assert_eq!(dequantise(TensorType::BF16, &[0xc0, 0x3f]), [1.5]);
}

#[derive(Deserialize)]
struct Fixture {
    r#type: String,
    shape: Vec<usize>,
    bytes_hex: String,
    expected: Vec<f32>,
}

#[test]
fn agrees_with_the_python_package_to_the_bit() {
    let fixtures = ["gguf_blocks.json", "mxfp4_blocks.json"].map(|name| {
        let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("the fixture is part of the crate");
        serde_json::from_str::<Vec<Fixture>>(&text).expect("a list of blocks")
    });
    let mut left: Vec<String> = TensorType::ALL.map(|kind| kind.to_string()).to_vec();
    for fixture in fixtures.into_iter().flatten() {
        let kind = TensorType::ALL
            .into_iter()
            .find(|kind| kind.to_string() == fixture.r#type)
            .expect("a supported type");
        let numbers = dequantise(kind, &bytes_of(&fixture.bytes_hex));
        assert_eq!(numbers.len(), fixture.shape.iter().product::<usize>());
        assert_eq!(numbers, fixture.expected, "{kind}");
        left.retain(|name| *name != fixture.r#type);
    }
    left.retain(|name| name != "F32");
    assert!(left.is_empty(), "types without a fixture: {left:?}");
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex digits"))
        .collect()
}
