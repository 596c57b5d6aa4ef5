//! The operations on burn's CPU backend: tensors are taken apart for `cpu-kernels`.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape, TensorData};
use cpu_kernels::{Activation, AttentionShape, StoredMatrix, View, Weights};

use super::{FusedOps, composed};
use crate::packed::{PackedWeight, Way};

/// Products with fewer rows, inner steps or columns, as those of a head of attention, are faster without tiles: numbers are packed for too few
/// operations.
const LEAST: usize = 128;

impl FusedOps for Flex {
    fn masked_softmax(scores: FlexTensor, bias: FlexTensor) -> FlexTensor {
        if !all_f32([&scores, &bias]) {
            return composed::masked_softmax::<Self>(scores, bias);
        }
        let [_, heads, queries, keys] = shape_of(&scores);
        let (mut scores, bias) = (dense(scores), dense(bias));
        let rows = scores.storage_mut::<f32>();
        cpu_kernels::masked_softmax(rows, bias.storage::<f32>(), [heads, queries, keys]);
        scores
    }

    fn attention(q: FlexTensor, k: FlexTensor, v: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let [_, heads, queries, dim] = shape_of(&q);
        let [_, kv_heads, _, _] = shape_of(&k);
        // Rows of a head lie side by side, as a cache has them.
        let rows_are_whole = |x: &FlexTensor| {
            let [_, _, per_row, per_number] = strides_of(x);
            x.layout().has_positive_strides() && [per_row, per_number] == [dim, 1]
        };
        let few = heads / kv_heads * queries <= cpu_kernels::MOST_QUERIES;
        if !few || !all_f32([&q, &k, &v, &bias]) || !rows_are_whole(&k) || !rows_are_whole(&v) {
            return Self::attention_kept(q, k, v, bias).0;
        }
        let sizes = sizes_of(&q, &k);
        let shape = q.layout().shape().clone();
        let (q, bias) = (dense(q), dense(bias));
        let (q, bias) = (q.storage::<f32>(), bias.storage::<f32>());
        let seen = cpu_kernels::attention(q, view(&k), view(&v), bias, sizes);
        tensor(seen, shape)
    }

    fn attention_kept(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        bias: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32([&q, &k, &v, &bias]) {
            return composed::attention_kept::<Self>(q, k, v, bias);
        }
        let (sizes, shape) = (sizes_of(&q, &k), q.layout().shape().clone());
        let [q, bias, k, v] = [
            dense(q),
            dense(bias),
            with_whole_rows(k),
            with_whole_rows(v),
        ];
        let [numbers, bias] = [&q, &bias].map(|x| x.storage::<f32>());
        let (seen, kept) = in_profile(products_of_pairs(2, sizes), || {
            cpu_kernels::attention_kept(numbers, view(&k), view(&v), bias, sizes)
        });
        let mut of_rows = shape.clone();
        of_rows[3] = cpu_kernels::KEPT_OF_ROW;
        (tensor(seen, shape), tensor(kept, of_rows))
    }

    fn attention_backward(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        bias: FlexTensor,
        kept: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !all_f32([&q, &k, &v, &bias]) {
            return composed::attention_backward::<Self>([q, k, v], bias, grad);
        }
        let sizes = sizes_of(&q, &k);
        let shapes = [&q, &k, &v].map(|x| x.layout().shape().clone());
        let [k, v] = [k, v].map(with_whole_rows);
        let [q, bias, kept, grad] = [q, bias, kept, grad].map(dense);
        let [numbers, bias, kept, grad] = [&q, &bias, &kept, &grad].map(|x| x.storage::<f32>());
        let kept = (kept, grad);
        let [for_q, for_k, for_v] = in_profile(products_of_pairs(4, sizes), || {
            cpu_kernels::attention_backward(numbers, view(&k), view(&v), bias, kept, sizes)
        });
        let [of_q, of_k, of_v] = shapes;
        (
            tensor(for_q, of_q),
            tensor(for_k, of_k),
            tensor(for_v, of_v),
        )
    }

    fn softmax_backward(probs: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32([&probs, &grad]) {
            return composed::softmax_backward::<Self>(probs, grad);
        }
        let [_, _, _, keys] = shape_of(&probs);
        let (probs, mut grad) = (dense(probs), dense(grad));
        let rows = grad.storage_mut::<f32>();
        cpu_kernels::softmax_backward(rows, probs.storage::<f32>(), keys);
        grad
    }

    fn normalise(logits: FlexTensor) -> (FlexTensor, FlexTensor) {
        if !all_f32([&logits]) {
            return composed::normalise::<Self>(logits);
        }
        let [n, vocab] = shape_of(&logits);
        let mut probs = dense(logits);
        let mut logs = vec![0.0; n];
        cpu_kernels::softmax(probs.storage_mut::<f32>(), vocab, &mut logs);
        (probs, tensor(logs, [n, 1].into()))
    }

    fn gated(gate: FlexTensor, up: FlexTensor, act: Activation) -> FlexTensor {
        if !all_f32([&gate, &up]) {
            return composed::gated::<Self>(gate, up, act);
        }
        let shape = gate.layout().shape().clone();
        let [_, d] = shape_of(&gate);
        let (gate, up) = (dense(gate), dense(up));
        let (gate, up) = (gate.storage::<f32>(), up.storage::<f32>());
        tensor(cpu_kernels::gated(gate, up, d, act), shape)
    }

    fn gated_backward(
        gate: FlexTensor,
        up: FlexTensor,
        grad: FlexTensor,
        act: Activation,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32([&gate, &up, &grad]) {
            return composed::gated_backward::<Self>(gate, up, grad, act);
        }
        let shape = gate.layout().shape().clone();
        let [_, d] = shape_of(&gate);
        let [gate, up, grad] = [gate, up, grad].map(dense);
        let [gate, up, grad] = [&gate, &up, &grad].map(|x| x.storage::<f32>());
        let (for_gate, for_up) = cpu_kernels::gated_backward(gate, up, grad, d, act);
        (tensor(for_gate, shape.clone()), tensor(for_up, shape))
    }

    fn rms_norm(x: FlexTensor, gamma: FlexTensor, epsilon: f64) -> FlexTensor {
        if !all_f32([&x, &gamma]) {
            return composed::rms_norm::<Self>(x, gamma, epsilon);
        }
        let shape = x.layout().shape().clone();
        let (x, gamma) = (dense(x), dense(gamma));
        let (x, gamma) = (x.storage::<f32>(), gamma.storage::<f32>());
        tensor(cpu_kernels::rms_norm(x, gamma, epsilon as f32), shape)
    }

    fn rms_norm_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        grad: FlexTensor,
        epsilon: f64,
    ) -> FlexTensor {
        if !all_f32([&x, &gamma, &grad]) {
            return composed::rms_norm_backward::<Self>(x, gamma, grad, epsilon);
        }
        let [x, gamma, mut grad] = [x, gamma, grad].map(dense);
        let (x, gamma) = (x.storage::<f32>(), gamma.storage::<f32>());
        cpu_kernels::rms_norm_backward(grad.storage_mut::<f32>(), x, gamma, epsilon as f32);
        grad
    }

    fn rotate_halves(x: FlexTensor, cos: FlexTensor, sin: FlexTensor) -> FlexTensor {
        if !all_f32([&x, &cos, &sin]) {
            return composed::rotate_halves::<Self>(x, cos, sin);
        }
        let sizes = shape_of(&x);
        let shape = x.layout().shape().clone();
        let x = with_whole_rows(x); // Heads come as a view of `[batch, seq, heads, dim]`.
        let (cos, sin) = (dense(cos), dense(sin));
        let (cos, sin) = (cos.storage::<f32>(), sin.storage::<f32>());
        tensor(cpu_kernels::rotate_halves(view(&x), cos, sin, sizes), shape)
    }

    fn stored_product(x: FlexTensor, weight: StoredMatrix, exact: bool) -> FlexTensor {
        let [n, _] = shape_of(&x);
        if n > cpu_kernels::MOST_ROWS || !all_f32([&x]) {
            return composed::stored_product::<Self>(x, weight);
        }
        let [d_out, _] = weight.shape();
        let y = weight.thin_product(dense(x).storage::<f32>(), exact);
        tensor(y, [n, d_out].into())
    }

    fn product(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        let shape = a.layout().shape();
        let columns = b.layout().shape()[shape.num_dims() - 1];
        in_profile(2 * shape.num_elements() * columns, || {
            match on_tiles(&a, &b) {
                Some(product) => product,
                None => Self::float_matmul(a, b),
            }
        })
    }

    fn pack(weight: FlexTensor, packed: PackedWeight) -> FlexTensor {
        if !amx::is_supported() || !all_f32([&weight]) {
            return weight;
        }
        let transposed = Self::float_transpose(weight.clone());
        for (way, side) in [(Way::Forward, &transposed), (Way::Backward, &weight)] {
            if let Some([only]) = matrices(side).as_deref() {
                packed.keep(way, side.clone(), || amx::Packed::new(*only));
            }
        }
        weight
    }

    fn packed_product(x: FlexTensor, weight: FlexTensor, packed: PackedWeight) -> FlexTensor {
        with_packed(x, Self::float_transpose(weight), (&packed, Way::Forward))
    }

    fn packed_product_backward(
        grad: FlexTensor,
        weight: FlexTensor,
        packed: PackedWeight,
    ) -> FlexTensor {
        with_packed(grad, weight, (&packed, Way::Backward))
    }

    fn thin_product(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        // Weights come as files have them, `[d_out, d_in]`, seen as their transpose.
        let [per_number, stride] = strides_of(&weight);
        let [d_in, d_out] = shape_of(&weight);
        let in_rows = per_number == 1 && stride >= d_in && weight.layout().has_positive_strides();
        if !in_rows || !all_f32([&x, &weight]) {
            return Self::float_matmul(x, weight);
        }
        let [n, _] = shape_of(&x);
        let x = dense(x);
        let numbers = &weight.storage::<f32>()[weight.layout().start_offset()..];
        let weights = Weights { numbers, stride };
        let y = cpu_kernels::thin_product(x.storage::<f32>(), weights, [d_in, d_out]);
        tensor(y, [n, d_out].into())
    }
}

/// Matrix products, the passes between those of attention among them, in the span that a profile counts them by (`trainer::profile`).
fn in_profile<R>(flops: usize, products: impl FnOnce() -> R) -> R {
    let flops = flops as u64;
    tracing::trace_span!(target: "prlhf::profile", "products", flops).in_scope(products)
}

/// Operations of so many products of each query with the keys in front of it.
fn products_of_pairs(count: usize, sizes: AttentionShape) -> usize {
    let AttentionShape { queries, keys, .. } = sizes;
    let pairs = queries * (2 * keys + 1).saturating_sub(queries) / 2;
    count * 2 * pairs * sizes.dim * sizes.heads * sizes.batch
}

/// `a b` with the processor's tiles, where it has them and the product is large enough.
fn on_tiles(a: &FlexTensor, b: &FlexTensor) -> Option<FlexTensor> {
    let (mut shape, other) = (a.layout().shape().clone(), b.layout().shape());
    let rank = shape.num_dims();
    let n = other[other.num_dims() - 1];
    let least = shape[rank - 2].min(shape[rank - 1]).min(n);
    if least < LEAST || !amx::is_supported() || !all_f32([a, b]) {
        return None;
    }
    let (left, right) = (matrices(a)?, matrices(b)?);
    if left.len() != right.len() {
        return None;
    }
    let pairs: Vec<_> = left.into_iter().zip(right).map(|(a, b)| [a, b]).collect();
    shape[rank - 1] = n;
    Some(tensor(amx::products(&pairs), shape))
}

/// `x weight`, with what is kept of `weight` where it is and the product is large enough.
fn with_packed(
    x: FlexTensor,
    weight: FlexTensor,
    (packed, way): (&PackedWeight, Way),
) -> FlexTensor {
    let [rows, inner] = shape_of(&x);
    let [_, columns] = shape_of(&weight);
    let large = rows.min(inner).min(columns) >= LEAST && all_f32([&x, &weight]);
    let kept = packed.get(way, &weight).filter(|_| large);
    let product = kept.and_then(|kept| match &matrices(&x)?[..] {
        [x] => Some(in_profile(2 * rows * inner * columns, || {
            amx::product_with(*x, kept)
        })),
        _ => None,
    });
    match product {
        Some(product) => tensor(product, [rows, columns].into()),
        None => Flex::product(x, weight),
    }
}

/// The matrices that the last two dimensions are, in order; none where neither their rows nor their columns are whole.
fn matrices(tensor: &FlexTensor) -> Option<Vec<amx::View<'_>>> {
    let layout = tensor.layout();
    let (shape, strides) = (layout.shape(), layout.strides());
    let rank = shape.num_dims();
    if !layout.has_positive_strides() {
        return None;
    }
    let numbers = &tensor.storage::<f32>();
    let stride = |dim: usize| strides[dim].unsigned_abs();
    let of = |start: usize| {
        let numbers = numbers.get(start..)?;
        let [rows, columns] = [shape[rank - 2], shape[rank - 1]];
        match (stride(rank - 2), stride(rank - 1)) {
            (stride, 1) => amx::View::of_rows(numbers, [rows, columns], stride),
            (1, stride) => {
                let columns = amx::View::of_rows(numbers, [columns, rows], stride)?;
                Some(columns.transposed())
            }
            _ => None,
        }
    };
    let mut starts = vec![layout.start_offset()];
    for dim in 0..rank - 2 {
        let (step, count) = (stride(dim), shape[dim]);
        let along = |start: usize| (0..count).map(move |i| start + i * step);
        starts = starts.into_iter().flat_map(along).collect();
    }
    starts.into_iter().map(of).collect()
}

fn all_f32<const N: usize>(tensors: [&FlexTensor; N]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

fn shape_of<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.layout().shape().dims()
}

fn strides_of<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    let strides = tensor.layout().strides();
    std::array::from_fn(|i| strides[i].unsigned_abs())
}

fn sizes_of(q: &FlexTensor, k: &FlexTensor) -> AttentionShape {
    let [batch, heads, queries, dim] = shape_of(q);
    let [_, kv_heads, keys, _] = shape_of(k);
    AttentionShape {
        batch,
        heads,
        kv_heads,
        queries,
        keys,
        dim,
    }
}

/// The tensor, `[batch, heads, rows, dim]`, with the numbers of a row side by side.
fn with_whole_rows(x: FlexTensor) -> FlexTensor {
    let whole = x.layout().strides()[3] == 1 && x.layout().has_positive_strides();
    if whole { x } else { dense(x) }
}

/// The tensor with its numbers in order and nothing else in its buffer.
fn dense(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// A tensor whose rows are whole and whose strides are positive.
fn view(tensor: &FlexTensor) -> View<'_> {
    let [per_batch, per_head, per_row, _] = strides_of(tensor);
    View {
        numbers: &tensor.storage::<f32>()[tensor.layout().start_offset()..],
        strides: [per_batch, per_head, per_row],
    }
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
