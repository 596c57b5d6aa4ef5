//! Each operation against the same formula in burn's operations, in value and gradient.

use std::cell::RefCell;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::activation::{gelu_approximate, silu, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::gguf::TensorType;
use crate::matrix::Matrix;

thread_local! {
    /// Each test has a thread of its own, and so the same numbers in every run.
    static NUMBERS: RefCell<ChaCha8Rng> = RefCell::new(ChaCha8Rng::seed_from_u64(0));
}

/// Even between -3.5 and 3.5, so of a deviation of about 2.
fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let numbers = NUMBERS.with_borrow_mut(|rng| {
        let mut next = || rng.random_range(-3.5f32..3.5);
        (0..shape.iter().product()).map(|_| next()).collect()
    });
    Tensor::from_data(TensorData::new(numbers, shape), &Device::flex())
}

/// Values and gradients (with respect to every input) of two functions of `inputs`, which must agree.
fn assert_same<const D: usize, const N: usize>(
    inputs: [Tensor<D>; N],
    ours: impl Fn([Tensor<D>; N]) -> Tensor<D>,
    expected: impl Fn([Tensor<D>; N]) -> Tensor<D>,
) {
    // An uneven weight on each output, so that no gradient cancels.
    let run = |f: &dyn Fn([Tensor<D>; N]) -> Tensor<D>| {
        let inputs = inputs.clone().map(|x| x.autodiff().require_grad());
        let out = f(inputs.clone());
        let count = out.shape().num_elements() as i64;
        let weights = Tensor::<1, burn::tensor::Int>::arange(0..count, &Device::flex());
        let weights = weights.float().mul_scalar(0.37).sin().reshape(out.dims());
        let grads = (out.clone() * weights.autodiff()).sum().backward();
        let mut all = vec![out.inner().into_data()];
        for x in inputs {
            all.push(x.grad(&grads).unwrap().into_data());
        }
        all
    };
    let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(2e-5, 2e-6);
    for (ours, expected) in run(&ours).iter().zip(&run(&expected)) {
        ours.assert_approx_eq(expected, tolerance);
    }
}

/// `[2, 1, queries, 37]`: two whole vectors and a rest. Later keys are hidden, the second sequence has left its first ones
/// behind, and one query sees nothing.
fn mask(queries: usize) -> Tensor<4> {
    let mut hidden = vec![0.0f32; 2 * queries * 37];
    for (i, x) in hidden.iter_mut().enumerate() {
        let (query, key) = (i / 37, i % 37);
        let last = 5 + 7 * (query % queries);
        let left = query >= queries && key + 6 < last;
        if key > last || left || query == 3 {
            *x = -1e30;
        }
    }
    Tensor::<1>::from_floats(hidden.as_slice(), &Device::flex()).reshape([2, 1, queries, 37])
}

/// Attention as its formula says, with the two key heads repeated for the queries of six.
fn attention_by_formula([q, k, v]: [Tensor<4>; 3], bias: Tensor<4>) -> Tensor<4> {
    let repeated = |x: Tensor<4>| {
        let [batch, heads, keys, dim] = x.dims();
        let x = x.reshape([batch, heads, 1, keys, dim]).repeat_dim(2, 3);
        x.reshape([batch, 3 * heads, keys, dim])
    };
    softmax(q.matmul(repeated(k).swap_dims(2, 3)) + bias, 3).matmul(repeated(v))
}

#[test]
fn attention_is_softmax_over_keys_of_a_sum_of_values() {
    // Small numbers: a gradient is the difference of sums that are as large as scores times values.
    let inputs = [[2, 6, 5, 24], [2, 2, 37, 24], [2, 2, 37, 24]];
    let inputs = inputs.map(|shape| random(shape).mul_scalar(0.1));
    assert_same(
        inputs,
        |[q, k, v]| attention(q, k, v, mask(5)),
        |inputs| attention_by_formula(inputs, mask(5).autodiff()),
    );
}

/// GPUs and 16 bits take the composed way.
#[test]
fn composed_gradients_of_attention_are_those_of_blocks() {
    let shapes = [[2, 6, 5, 24], [2, 2, 37, 24], [2, 2, 37, 24], [2, 6, 5, 24]];
    let inputs = shapes.map(|shape| random(shape).mul_scalar(0.1));
    let [q, k, v, grad] = inputs.map(Tensor::into_dispatch);
    let bias = mask(5).into_dispatch();
    let composed = composed::attention_backward::<Dispatch>(
        [q.clone(), k.clone(), v.clone()],
        bias.clone(),
        grad.clone(),
    );
    let (_, kept) =
        <Dispatch as FusedOps>::attention_kept(q.clone(), k.clone(), v.clone(), bias.clone());
    let blocks = <Dispatch as FusedOps>::attention_backward(q, k, v, bias, kept, grad);
    let data = |x| Tensor::<4>::from_dispatch(x).into_data();
    let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(2e-5, 2e-6);
    for (composed, blocks) in [
        (composed.0, blocks.0),
        (composed.1, blocks.1),
        (composed.2, blocks.2),
    ] {
        data(composed).assert_approx_eq(&data(blocks), tolerance);
    }
}

#[test]
fn a_product_is_that_of_matmul_however_large() {
    for [m, k, n] in [[3, 5, 4], [130, 140, 150]] {
        let inputs = [random([m, k]), random([k, n])].map(|x| x.mul_scalar(0.05));
        let expected = |[a, b]: [Tensor<2>; 2]| a.matmul(b);
        assert_same(inputs.clone(), |[a, b]| product(a, b), expected);
        // As weights come: seen as their transpose, with room between rows.
        let [a, b] = inputs;
        let weight = Tensor::cat(vec![b.transpose(), random([n, 3])], 1).narrow(1, 0, k);
        let kept = |[a]: [Tensor<2>; 1]| product(a, weight.clone().transpose().autodiff());
        let expected = |[a]: [Tensor<2>; 1]| a.matmul(weight.clone().transpose().autodiff());
        assert_same([a], kept, expected);
    }
}

/// `x W^T + s (x A) B` and its gradients; several layers may share what their input was cut to, and have ranks of their own.
#[test]
fn an_adapted_product_is_the_product_and_the_low_rank_path() {
    let scale = 1.5;
    for ([n, d_in, d_out], ranks) in [
        ([5, 12, 7], [2, 3]),
        ([70, 144, 150], [8, 40]),
        ([130, 576, 160], [40, 8]),
        ([130, 128, 130], [1, 1]),
    ] {
        let weight = random([d_out, d_in]).mul_scalar(0.05).autodiff();
        let packed = Matrix::plain(weight.clone());
        packed.keep_packed();
        let [r, s] = ranks;
        let inputs = [[n, d_in], [d_in, r], [r, d_out], [d_in, s], [s, d_out]];
        let inputs = inputs.map(|shape| random(shape).mul_scalar(0.01));
        let of = |through: Through, [x, a, b, c, d]: [Tensor<2>; 5]| {
            let adapted = |factors| {
                adapted_product(x.clone(), weight.clone(), factors, scale, through.clone())
            };
            Tensor::cat(vec![adapted([a, b]), adapted([c, d])], 1)
        };
        let expected = |[x, a, b, c, d]: [Tensor<2>; 5]| {
            let own = x.clone().matmul(weight.clone().transpose());
            let low = |a, b| own.clone() + x.clone().matmul(a).matmul(b).mul_scalar(scale);
            Tensor::cat(vec![low(a, b), low(c, d)], 1)
        };
        let alone = Through::forward(&PackedWeight::default(), &SharedInput::default());
        assert_same(inputs.clone(), |inputs| of(alone.clone(), inputs), expected);
        let kept = packed.through(&SharedInput::default());
        assert_same(inputs, |inputs| of(kept.clone(), inputs), expected);
    }
}

#[test]
fn an_adapted_product_has_gradients_of_what_asks_for_them() {
    let shapes = [[130, 140], [140, 8], [8, 150]];
    let inputs = shapes.map(|shape| random(shape).mul_scalar(0.03));
    let weight = random([150, 140]).mul_scalar(0.05).autodiff();
    let of = |asks: [bool; 3], at_once: bool| {
        let mut asks = asks.into_iter();
        let inputs = inputs.clone().map(|input| match asks.next() {
            Some(true) => input.autodiff().require_grad(),
            _ => input.autodiff(),
        });
        let [x, a, b] = inputs.clone();
        let y = match at_once {
            true => {
                let through = Through::forward(&PackedWeight::default(), &SharedInput::default());
                adapted_product(x, weight.clone(), [a, b], 2.0, through)
            }
            false => {
                let low = x.clone().matmul(a).matmul(b).mul_scalar(2.0);
                x.matmul(weight.clone().transpose()) + low
            }
        };
        let grads = (y.clone() * y.detach()).sum().backward();
        inputs.map(|input| input.grad(&grads).map(Tensor::into_data))
    };
    let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(1e-4, 1e-5);
    for which in 1..8 {
        let asks = [1, 2, 4].map(|bit| which & bit > 0);
        for (found, expected) in of(asks, true).iter().zip(of(asks, false)) {
            match (found, expected) {
                (Some(found), Some(expected)) => found.assert_approx_eq(&expected, tolerance),
                (found, expected) => assert_eq!(found.is_none(), expected.is_none()),
            }
        }
    }
}

#[test]
fn a_few_queries_read_a_cache_in_place() {
    // Heads of some vectors and a rest.
    for (queries, dim) in [(1, 24), (1, 72), (2, 24), (5, 72)] {
        // 12 keys more than are filled.
        let cache = || random([2, 2, 49, dim]).narrow(2, 0, 37);
        let q = random([2, 6, queries, dim]).mul_scalar(0.5 / (dim as f64).sqrt());
        let inputs = [q, cache(), cache()];
        let [q, k, v] = inputs.clone();
        let ours = attention(q, k, v, mask(queries)).into_data();
        let expected = attention_by_formula(inputs, mask(queries)).into_data();
        let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(5e-5, 5e-6);
        ours.assert_approx_eq(&expected, tolerance);
    }
}

/// Bit by bit, where the processor has tiles and where it has none; on the way back too.
#[test]
fn a_matrix_that_is_kept_cut_multiplies_as_one_that_is_not() {
    struct Doubled;
    impl ModuleMapper for Doubled {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.mul_scalar(2.0))
        }
    }
    let weight = random([150, 140]);
    let x = random([130, 140]);
    let of = |matrix: &Matrix| {
        let x = x.clone().autodiff().require_grad();
        let y = matrix.product(x.clone());
        let gradients = (y.clone() * y.clone().detach()).sum().backward();
        let back = x.grad(&gradients).expect("a gradient");
        [y.inner(), back].map(Tensor::into_data)
    };
    let plain = of(&Matrix::plain(weight.clone().autodiff()));
    let kept = Matrix::plain(weight.autodiff());
    kept.keep_packed();
    for _ in 0..2 {
        assert_eq!(of(&kept), plain);
    }
    // Copies share what is kept, but never take it for other numbers.
    let doubled = of(&kept.clone().map(&mut Doubled));
    let [expected, _] = plain.map(|data| data.iter::<f32>().map(|x| 2.0 * x).collect::<Vec<_>>());
    assert_eq!(doubled[0].iter::<f32>().collect::<Vec<_>>(), expected);
}

#[test]
fn a_gated_unit_is_the_activation_of_the_gate_times_the_other() {
    let plain: [fn(Tensor<2>) -> Tensor<2>; 2] = [silu, gelu_approximate];
    for (act, plain) in [Activation::Silu, Activation::GeluTanh]
        .into_iter()
        .zip(plain)
    {
        assert_same(
            [random([7, 45]), random([7, 45])],
            |[gate, up]| gated(gate, up, act),
            |[gate, up]| plain(gate) * up,
        );
    }
}

#[test]
fn rms_norm_divides_by_the_root_mean_square() {
    let gamma = random([1, 45]);
    assert_same(
        [random([7, 45])],
        |[x]| rms_norm(x, gamma.clone(), 1e-5),
        |[x]| {
            let rms = (x.clone().square().mean_dim(1) + 1e-5).sqrt();
            x / rms * gamma.clone().autodiff()
        },
    );
}

#[test]
fn the_weight_of_rms_norm_can_be_trained() {
    let x = random([7, 45]);
    assert_same(
        [random([1, 45])],
        |[gamma]| rms_norm(x.clone().autodiff(), gamma, 1e-5).sum_dim(0),
        |[gamma]| {
            let rms = (x.clone().square().mean_dim(1) + 1e-5).sqrt();
            ((x.clone() / rms).autodiff() * gamma).sum_dim(0)
        },
    );
}

#[test]
fn rotation_turns_pairs_of_halves() {
    let angles = random([2, 1, 5, 8]);
    let angles = Tensor::cat(vec![angles.clone(), angles], 3);
    let (cos, sin) = (angles.clone().cos(), angles.sin());
    assert_same(
        [random([2, 5, 3, 16])],
        // As in a model: heads are a view.
        |[x]| rotate_halves(x.swap_dims(1, 2), cos.clone(), sin.clone()).swap_dims(1, 2),
        |[x]| {
            let x = x.swap_dims(1, 2);
            let (a, b) = (x.clone().narrow(3, 0, 8), x.clone().narrow(3, 8, 8));
            let turned = Tensor::cat(vec![-b, a], 3);
            let out = x * cos.clone().autodiff() + turned * sin.clone().autodiff();
            out.swap_dims(1, 2)
        },
    );
}

#[test]
fn normalise_gives_the_softmax_and_the_logarithm_of_its_normaliser() {
    let logits = random([3, 1000]);
    let (probs, log) = normalise(logits.clone());
    let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(1e-5, 1e-6);
    let expected = softmax(logits.clone(), 1);
    probs
        .into_data()
        .assert_approx_eq(&expected.into_data(), tolerance);
    let expected = logits.exp().sum_dim(1).log();
    log.into_data()
        .assert_approx_eq(&expected.into_data(), tolerance);
}

#[test]
fn what_is_no_number_is_not_hidden() {
    let device = Device::flex();
    let keys = Tensor::<4>::from_floats([[[[0.0], [f32::NAN], [1.0]]]], &device);
    let bias = |queries| Tensor::<4>::zeros([1, 1, queries, 3], &device);
    for queries in [1, 40] {
        let q = Tensor::<4>::ones([1, 1, queries, 1], &device);
        let seen = attention(q, keys.clone(), keys.ones_like(), bias(queries));
        let seen = seen.into_data().try_to_vec::<f32>().unwrap();
        assert!(seen.iter().all(|x| x.is_nan()));
    }
}

#[test]
fn a_product_with_few_rows_is_a_product() {
    let device = Device::flex();
    // Widths with a rest beside whole vectors, and more outputs than one task takes.
    for n in [1, 2, 3, 4, 5, 8, 13, 16, 64] {
        for (d_in, d_out) in [(37, 5), (576, 131), (8, 1)] {
            let x = random([n, d_in]);
            let stored = random([d_out, d_in]);
            let expected = x.clone().matmul(stored.clone().transpose()).into_data();
            let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(1e-4, 1e-3);
            // In the order of files, and in the other one.
            let other = Tensor::<2>::from_data(stored.clone().transpose().into_data(), &device);
            for weight in [stored.transpose(), other] {
                let ours = product(x.clone(), weight).into_data();
                ours.assert_approx_eq(&expected, tolerance);
            }
        }
    }
}

/// Rows of 2048 bytes, which a CPU would keep in the same places of its cache.
#[test]
fn rows_with_room_between_them_are_the_same_matrix() {
    let numbers = random([37, 512]);
    let matrix = Matrix::dense(numbers.clone());
    let tensor = matrix.tensor(&Device::flex());
    assert_eq!(matrix.shape(), [37, 512]);
    assert_eq!(tensor.into_data(), numbers.clone().into_data());
    let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(1e-4, 1e-3);
    for n in [1, 3, 6, 13, 20] {
        let x = random([n, 512]);
        let expected = x.clone().matmul(numbers.clone().transpose()).into_data();
        let ours = matrix.product(x).into_data();
        ours.assert_approx_eq(&expected, tolerance);
    }
    let matrix = Matrix::dense(numbers.clone().autodiff());
    assert_same(
        [random([20, 512])],
        |[x]| matrix.product(x),
        |[x]| x.matmul(numbers.clone().transpose().autodiff()),
    );
}

/// A matrix in blocks of 32 signed bytes behind a scale of 1 / 256.
fn blocks_of_bytes([d_out, d_in]: [usize; 2]) -> StoredMatrix {
    let scale = half::f16::from_f32(1.0 / 256.0).to_le_bytes();
    let mut bytes = Vec::new();
    for block in 0..d_out * d_in / 32 {
        bytes.extend(scale);
        bytes.extend((0..32).map(|i| ((block * 37 + i * 11) % 251) as u8));
    }
    StoredMatrix::new(TensorType::Q8_0, bytes, [d_out, d_in]).unwrap()
}

/// A matrix in halves, which become numbers in memory before they are multiplied.
fn halves([d_out, d_in]: [usize; 2]) -> StoredMatrix {
    let half = |i: usize| half::f16::from_f32((i * 37 % 251) as f32 / 256.0 - 0.5);
    let bytes = (0..d_out * d_in).flat_map(|i| half(i).to_le_bytes());
    StoredMatrix::new(TensorType::F16, bytes.collect(), [d_out, d_in]).unwrap()
}

#[test]
fn a_product_with_stored_blocks_is_one_with_their_numbers() {
    let device = Device::flex();
    // Few rows and many, and more outputs than one task takes.
    let matrices = [[5, 64], [131, 576]].map(|shape| [blocks_of_bytes(shape), halves(shape)]);
    for stored in matrices.into_iter().flatten() {
        let shape = stored.shape();
        let data = TensorData::new(stored.to_vec(), shape);
        let numbers = Tensor::<2>::from_data(data, &device).transpose();
        for n in [1, 2, 3, 4, 5, 13, 16, 17, 40, 64, 65] {
            let x = random([n, shape[1]]);
            let expected = x.clone().matmul(numbers.clone()).into_data();
            // Fewer than four may be rounded to 16 bits, in decoding more: for 576 numbers of deviation 2 an error of deviation 4e-4.
            let tolerance = |rounded: bool| {
                let absolute = if rounded { 4e-3 } else { 1e-3 };
                burn::tensor::Tolerance::<f32>::rel_abs(1e-4, absolute)
            };
            let ours = || stored_product(x.clone(), stored.clone()).into_data();
            ours().assert_approx_eq(&expected, tolerance(n < 4));
            rounded(ours).assert_approx_eq(&expected, tolerance(true));
        }
        assert_same(
            [random([70, shape[1]]).mul_scalar(0.1)],
            |[x]| stored_product(x, stored.clone()).mul_scalar(0.1),
            |[x]| x.matmul(numbers.clone().autodiff()).mul_scalar(0.1),
        );
    }
}

/// As a broken file has it; one number of the product, and the others as they should be.
#[test]
fn an_infinite_scale_is_not_hidden() {
    let mut bytes = vec![1; 2 * 34];
    bytes[..2].copy_from_slice(&half::f16::ONE.to_le_bytes());
    bytes[34..36].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
    let stored = StoredMatrix::new(TensorType::Q8_0, bytes, [2, 32]).unwrap();
    for n in [1, 8] {
        let x = Tensor::ones([n, 32], &Device::flex());
        let y: Vec<f32> = stored_product(x, stored.clone())
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(y, [32.0, f32::INFINITY].repeat(n));
    }
}

#[test]
fn blocks_that_do_not_fill_the_rows_are_no_matrix() {
    let matrix = |bytes, shape| StoredMatrix::new(TensorType::Q8_0, vec![0; bytes], shape);
    assert!(matrix(68, [2, 32]).is_some());
    assert!(matrix(67, [2, 32]).is_none());
    assert!(matrix(34, [2, 16]).is_none());
    assert!(matrix(0, [2, 0]).is_none());
}
