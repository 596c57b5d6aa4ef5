use cpu_kernels::StoredMatrix;

use super::*;
use crate::gguf::TensorType;

const SIDE: usize = 6;

/// A different number at every place.
fn wave(shape: [usize; 2], by: f32, device: &Device) -> Tensor<2> {
    let numbers = (0..shape[0] * shape[1]).map(|i| (i as f32 * by).sin());
    Tensor::from_data(TensorData::new(numbers.collect(), shape), device)
}

fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn assert_close(found: Tensor<2>, expected: Tensor<2>) {
    for (found, expected) in numbers(found).into_iter().zip(numbers(expected)) {
        assert!((found - expected).abs() < 1e-5, "{found}, {expected}");
    }
}

struct Case {
    weight: Matrix,
    /// `W` without what was taken, `[d_out, d_in]`.
    left: Tensor<2>,
    lora: Lora,
}

/// An adapter with a scale of 2 and half of its inputs dropped, whose own factors are zero, so that what is dropped changes nothing,
/// and with the magnitudes that the weight without what was taken has.
fn case(use_dora: bool, device: &Device) -> Case {
    let weight = wave([SIDE, SIDE], 0.7, device);
    let (a, b) = (wave([SIDE, 2], 1.3, device), wave([2, SIDE], 0.4, device));
    let left = weight.clone() + (a.clone().matmul(b.clone()) * 2.0).transpose();
    let norms = left.clone().square().sum_dim(1).sqrt();
    let weight = Matrix::plain(weight);
    let place = Place {
        module: "m",
        kind: Kind::Linear,
        weight: &weight,
        device,
    };
    let shape = Shape {
        rank: 2,
        scale: 2.0,
        dropout: 0.5,
    };
    let zeros = vec![0.0; 2 * SIDE];
    let all = Numbers {
        factors: [zeros.clone(), zeros],
        taken: Some([numbers(a), numbers(b)]),
        magnitude: use_dora.then(|| Some(numbers(norms))),
    };
    let lora = Lora::new(&place, shape, all);
    Case { weight, left, lora }
}

/// As `peft` does, which subtracts it of the weight, before what drops inputs of the factors.
#[test]
fn dropout_drops_nothing_of_what_pissa_took_of_the_weight() {
    let device = Device::flex().autodiff();
    for use_dora in [false, true] {
        let Case { weight, left, lora } = case(use_dora, &device);
        let x = wave([3, SIDE], 0.9, &device);
        let expected = x.clone().matmul(left.transpose());
        let found = lora.output(weight.product(x.clone()), x, &weight);
        assert_close(found, expected);
    }
}

/// Few rows go step by step, many in one operation where no inputs are dropped and there are no magnitudes.
#[test]
fn at_once_or_not_the_output_is_the_same() {
    for (use_dora, device) in [false, true]
        .into_iter()
        .flat_map(|dora| [Device::flex(), Device::flex().autodiff()].map(|device| (dora, device)))
    {
        let Case {
            weight, mut lora, ..
        } = case(use_dora, &device);
        lora.a = trained(ParamId::new(), wave([SIDE, 2], 0.8, &device));
        lora.b = trained(ParamId::new(), wave([2, SIDE], 1.7, &device));
        lora.dropout.prob = 0.0;
        for rows in [3, 70] {
            let x = wave([rows, SIDE], 0.9, &device);
            let expected = lora.output(weight.product(x.clone()), x.clone(), &weight);
            let found = lora.product(x, &weight, &SharedInput::default());
            assert_close(found, expected);
        }
    }
}

#[test]
fn norms_that_were_kept_are_not_computed_again() {
    let device = Device::flex();
    let Case {
        weight, mut lora, ..
    } = case(true, &device);
    let x = wave([3, SIDE], 0.9, &device);
    let y = weight.product(x.clone());
    let before = lora.output(y.clone(), x.clone(), &weight);
    lora.keep_share(&weight, Kind::Linear);
    assert_close(lora.output(y.clone(), x.clone(), &weight), before.clone());
    // Of another weight they would be others.
    let other = Matrix::plain(wave([SIDE, SIDE], 0.2, &device) * 5.0);
    assert_close(lora.output(y, x, &other), before);
}

#[test]
fn norms_that_are_trained_are_computed_in_every_pass() {
    let device = Device::flex().autodiff();
    let Case {
        weight, mut lora, ..
    } = case(true, &device);
    lora.keep_share(&weight, Kind::Linear);
    let magnitude = lora.magnitude.as_ref().expect("one");
    let other = Matrix::plain(wave([SIDE, SIDE], 0.2, &device) * 5.0);
    let [of_weight, of_other] = [&weight, &other].map(|w| lora.share(magnitude, w, Kind::Linear));
    let distance: f32 = (of_weight - of_other).abs().sum().into_scalar();
    assert!(distance > 1e-3, "{distance}");
}

/// More numbers than are taken at a time, so that rows of the last block are counted from where it begins.
#[test]
fn norms_of_a_stored_table_are_those_of_its_numbers() {
    let device = Device::flex();
    let (vocab, d) = (1100, 1024);
    let numbers = (0..vocab * d).map(|i| half::f16::from_f32((i as f32 * 0.37).sin()));
    let bytes = numbers.flat_map(half::f16::to_le_bytes).collect();
    let stored = StoredMatrix::new(TensorType::F16, bytes, [vocab, d]).expect("whole rows");
    let stored = Matrix::stored(stored);
    let dense = Matrix::plain(stored.tensor(&device));
    assert_eq!(stored.blocks(&device).count(), 2);
    let factors = [wave([vocab, 2], 0.3, &device), wave([2, d], 0.8, &device)];
    let shape = Shape {
        rank: 2,
        scale: 0.5,
        dropout: 0.0,
    };
    let outputs = [&stored, &dense].map(|table| {
        let place = Place {
            module: "m",
            kind: Kind::Embedding,
            weight: table,
            device: &device,
        };
        let all = Numbers {
            factors: factors.clone().map(self::numbers),
            taken: None,
            magnitude: Some(None),
        };
        let ids = Tensor::<1, Int>::from_data([0, 1023, 1024, 1099], &device);
        let lora = Lora::new(&place, shape, all);
        lora.embedded(table.rows(ids.clone()), ids, table)
    });
    let [of_stored, of_dense] = outputs;
    assert_close(of_stored, of_dense);
}
