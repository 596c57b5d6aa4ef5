//! The operations on burn's CPU backend.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape, TensorData};

use rayon::prelude::*;

use super::{FusedOps, attention, composed, kernels, thin};
use crate::attention::HIDDEN;
use crate::stored::StoredMatrix;

impl FusedOps for Flex {
    fn masked_softmax(scores: FlexTensor, bias: FlexTensor) -> FlexTensor {
        if !all_f32([&scores, &bias]) {
            return composed::masked_softmax::<Self>(scores, bias);
        }
        let [_, heads, queries, keys] = shape_of(&scores);
        let bias = dense(bias);
        let bias = rows(&bias, keys);
        in_place(
            scores,
            keys,
            #[inline(always)]
            |i, row| {
                let (batch, query) = (i / (heads * queries), i % queries);
                kernels::masked_softmax(row, bias(batch * queries + query));
            },
        )
    }

    fn attention(q: FlexTensor, k: FlexTensor, v: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let [batch, heads, queries, dim] = shape_of(&q);
        let [_, kv_heads, keys, _] = shape_of(&k);
        let rows_of_q = heads / kv_heads * queries;
        // Rows of a head lie side by side, as a cache has them.
        let rows_are_whole = |x: &FlexTensor| {
            let [_, _, per_row, per_number] = strides_of(x);
            x.layout().has_positive_strides() && [per_row, per_number] == [dim, 1]
        };
        let few = rows_of_q <= attention::MOST_ROWS && all_f32([&q, &k, &v, &bias]);
        if !few || !rows_are_whole(&k) || !rows_are_whole(&v) {
            return composed::attention::<Self>(q, k, v, bias);
        }
        let shape = q.layout().shape().clone();
        let (q, bias) = (dense(q), dense(bias));
        let (bias, q) = (rows(&bias, keys), rows(&q, rows_of_q * dim));
        let head_of = |x: &FlexTensor| {
            let [per_batch, per_head, _, _] = strides_of(x);
            let start = x.layout().start_offset();
            move |i: usize| start + i / kv_heads * per_batch + i % kv_heads * per_head
        };
        let (k_at, v_at) = (head_of(&k), head_of(&v));
        let (k, v) = (k.storage::<f32>(), v.storage::<f32>());
        let mut out = vec![0.0; batch * heads * queries * dim];
        let heads = out.par_chunks_mut(rows_of_q * dim).enumerate();
        heads.for_each(|(i, out)| {
            let bias = |query| bias(i / kv_heads * queries + query);
            // Slots that only longer sequences have filled are none of this one's: it costs and gives what it would alone.
            let keys = (0..queries).map(|query| seen(bias(query))).max();
            let keys = keys.unwrap_or(0);
            attention::few_queries(
                q(i),
                &k[k_at(i)..][..keys * dim],
                &v[v_at(i)..][..keys * dim],
                |row| &bias(row % queries)[..keys],
                dim,
                out,
            );
        });
        tensor(out, shape)
    }

    fn softmax_backward(probs: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32([&probs, &grad]) {
            return composed::softmax_backward::<Self>(probs, grad);
        }
        let [_, _, _, keys] = shape_of(&probs);
        let probs = dense(probs);
        let probs = rows(&probs, keys);
        in_place(
            grad,
            keys,
            #[inline(always)]
            |i, row| kernels::softmax_backward(row, probs(i)),
        )
    }

    fn normalise(logits: FlexTensor) -> (FlexTensor, FlexTensor) {
        if !all_f32([&logits]) {
            return composed::normalise::<Self>(logits);
        }
        let [n, vocab] = shape_of(&logits);
        let mut probs = dense(logits);
        let mut logs = vec![0.0; n];
        let rows = (probs.storage_mut::<f32>(), vocab);
        kernels::each_pair(
            rows,
            (&mut logs, 1),
            #[inline(always)]
            |_, row, log| {
                log[0] = kernels::softmax(row);
            },
        );
        (probs, tensor(logs, [n, 1].into()))
    }

    fn swiglu(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        if !all_f32([&gate, &up]) {
            return composed::swiglu::<Self>(gate, up);
        }
        let shape = gate.layout().shape().clone();
        let [_, d] = shape_of(&gate);
        let (gate, up) = (dense(gate), dense(up));
        let (gate, up) = (rows(&gate, d), rows(&up, d));
        fresh(
            shape,
            d,
            #[inline(always)]
            |i, out| kernels::swiglu(out, gate(i), up(i)),
        )
    }

    fn swiglu_backward(
        gate: FlexTensor,
        up: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32([&gate, &up, &grad]) {
            return composed::swiglu_backward::<Self>(gate, up, grad);
        }
        let shape = gate.layout().shape().clone();
        let [_, d] = shape_of(&gate);
        let (gate, up) = (dense(gate), dense(up));
        let (gate, up) = (rows(&gate, d), rows(&up, d));
        let grad = dense(grad);
        let grad = rows(&grad, d);
        let mut for_gate = vec![0.0; shape.num_elements()];
        let mut for_up = for_gate.clone();
        kernels::each_pair(
            (&mut for_gate, d),
            (&mut for_up, d),
            #[inline(always)]
            |i, for_gate, for_up| {
                kernels::swiglu_backward((for_gate, for_up), (gate(i), up(i)), grad(i));
            },
        );
        (tensor(for_gate, shape.clone()), tensor(for_up, shape))
    }

    fn rms_norm(x: FlexTensor, gamma: FlexTensor, epsilon: f64) -> FlexTensor {
        if !all_f32([&x, &gamma]) {
            return composed::rms_norm::<Self>(x, gamma, epsilon);
        }
        let shape = x.layout().shape().clone();
        let [_, d] = shape_of(&x);
        let (x, gamma) = (dense(x), dense(gamma));
        let (x, gamma) = (rows(&x, d), rows(&gamma, d));
        let epsilon = epsilon as f32;
        fresh(
            shape,
            d,
            #[inline(always)]
            |i, out| {
                kernels::rms_norm(out, x(i), gamma(0), epsilon);
            },
        )
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
        let [_, d] = shape_of(&x);
        let (x, gamma) = (dense(x), dense(gamma));
        let (x, gamma) = (rows(&x, d), rows(&gamma, d));
        let epsilon = epsilon as f32;
        in_place(
            grad,
            d,
            #[inline(always)]
            |i, row| {
                kernels::rms_norm_backward(row, x(i), gamma(0), epsilon);
            },
        )
    }

    fn rotate_halves(x: FlexTensor, cos: FlexTensor, sin: FlexTensor) -> FlexTensor {
        if !all_f32([&x, &cos, &sin]) {
            return composed::rotate_halves::<Self>(x, cos, sin);
        }
        let [_, heads, seq, dim] = shape_of(&x);
        let shape = x.layout().shape().clone();
        // Heads come as a view of `[batch, seq, heads, dim]`; only rows must be whole.
        let whole = x.layout().strides()[3] == 1 && x.layout().has_positive_strides();
        let x = if whole { x } else { dense(x) };
        let [per_batch, per_head, per_slot, _] = strides_of(&x);
        let (start, values) = (x.layout().start_offset(), x.storage::<f32>());
        let (cos, sin) = (dense(cos), dense(sin));
        let (cos, sin) = (rows(&cos, dim), rows(&sin, dim));
        fresh(
            shape,
            dim,
            #[inline(always)]
            |i, out| {
                let (batch, head, slot) = (i / (heads * seq), i / seq % heads, i % seq);
                let at = start + batch * per_batch + head * per_head + slot * per_slot;
                let angle = batch * seq + slot;
                kernels::rotate_halves(out, &values[at..at + dim], cos(angle), sin(angle));
            },
        )
    }

    fn stored_product(x: FlexTensor, weight: StoredMatrix) -> FlexTensor {
        let [n, _] = shape_of(&x);
        if n > thin::MOST_ROWS || !all_f32([&x]) {
            return composed::stored_product::<Self>(x, weight);
        }
        let [d_out, _] = weight.shape();
        let x = dense(x);
        let y = thin::stored_product(x.storage::<f32>(), &weight);
        tensor(y, [n, d_out].into())
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
        let rows = thin::Rows { numbers, stride };
        let y = thin::product(x.storage::<f32>(), rows, [d_in, d_out]);
        tensor(y, [n, d_out].into())
    }
}

/// The number of keys up to the last that a query sees; all where it sees none.
fn seen(bias: &[f32]) -> usize {
    let last = bias.iter().rposition(|bias| *bias > HIDDEN / 2.0);
    last.map_or(bias.len(), |last| last + 1)
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

/// The tensor with its numbers in order and nothing else in its buffer.
fn dense(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// Row `i` of a dense tensor.
fn rows<'a>(dense: &'a FlexTensor, width: usize) -> impl Fn(usize) -> &'a [f32] + Sync + Send {
    let values = dense.storage::<f32>();
    #[inline(always)]
    move |i| &values[i * width..(i + 1) * width]
}

/// A tensor of `shape` whose rows `work` fills in.
#[inline(always)]
fn fresh(shape: Shape, width: usize, work: impl Fn(usize, &mut [f32]) + Sync + Send) -> FlexTensor {
    let mut out = vec![0.0; shape.num_elements()];
    kernels::each_row(&mut out, width, work);
    tensor(out, shape)
}

/// `tensor` with every row changed by `work`, in its own memory where nobody else looks at it.
#[inline(always)]
fn in_place(
    tensor: FlexTensor,
    width: usize,
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) -> FlexTensor {
    let mut tensor = dense(tensor);
    kernels::each_row(tensor.storage_mut::<f32>(), width, work);
    tensor
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
