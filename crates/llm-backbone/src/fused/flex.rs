//! The operations on burn's CPU backend: tensors are taken apart for `cpu-kernels`.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape, TensorData};
use cpu_kernels::{Activation, AttentionShape, StoredMatrix, View, Weights};

use super::{FusedOps, composed};
use crate::packed::{PackedWeight, SharedInput, Through, Way};

/// Products with fewer rows, inner steps or columns, as those of a head of attention, are faster without tiles: numbers are packed for too few
/// operations.
const LEAST: usize = 128;
/// The same of rows where the other side is cut already.
const LEAST_FOR_PACKED: usize = 64;

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
        let (seen, kept) = in_profile(Kernel::Attention, products_of_pairs(2, sizes), || {
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
        let [for_q, for_k, for_v] =
            in_profile(Kernel::Attention, products_of_pairs(4, sizes), || {
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
        let [_, d] = shape_of(&gate);
        let [mut gate, up, mut grad] = [gate, up, grad].map(dense);
        let outs = [gate.storage_mut::<f32>(), grad.storage_mut::<f32>()];
        cpu_kernels::gated_backward(outs, up.storage::<f32>(), d, act);
        (gate, grad)
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
        if let Some(product) = product_of_matrices(&a, &b) {
            return product;
        }
        let shape = a.layout().shape();
        let columns = b.layout().shape()[shape.num_dims() - 1];
        let flops = 2 * shape.num_elements() * columns;
        in_profile(Kernel::Gemm, flops, || Self::float_matmul(a, b))
    }

    fn pack(weight: FlexTensor, packed: PackedWeight) -> FlexTensor {
        if !amx::is_supported() || !all_f32([&weight]) {
            return weight;
        }
        for way in [Way::Forward, Way::Backward] {
            let side = composed::right_side::<Self>(weight.clone(), way);
            if let Some(lines) = lines(&side) {
                packed.keep(way, side.clone(), || amx::Packed::new(lines));
            }
        }
        weight
    }

    fn frozen_product(x: FlexTensor, weight: FlexTensor, through: Through) -> FlexTensor {
        let right = composed::right_side::<Self>(weight, through.way);
        let product = through_frozen((&x, &right), None, &through);
        product.unwrap_or_else(|| Self::product(x, right))
    }

    fn frozen_product_and(
        x: FlexTensor,
        weight: FlexTensor,
        u: FlexTensor,
        v: FlexTensor,
        through: Through,
    ) -> FlexTensor {
        let right = composed::right_side::<Self>(weight, through.way);
        let sum = through_frozen((&x, &right), Some([&u, &v]), &through);
        sum.unwrap_or_else(|| Self::float_add(Self::product(x, right), Self::product(u, v)))
    }

    fn low_product(x: FlexTensor, factor: FlexTensor, input: SharedInput) -> FlexTensor {
        let ([n, d], [_, r]) = (shape_of(&x), shape_of(&factor));
        let sides = match are_for_tiles(&[n, d]) && all_f32([&x, &factor]) {
            true => lines(&x).zip(lines(&factor)),
            false => None,
        };
        let Some((left, right)) = sides else {
            return Self::product(x, factor);
        };
        let product = in_profile(Kernel::Tiles, 2 * n * d * r, || {
            let right = amx::Right::Plain(right);
            with_input((&x, left), &input, r, |left| left.times(right))
        });
        tensor(product, [n, r].into())
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

/// What makes a matrix product.
#[derive(Clone, Copy)]
enum Kernel {
    Tiles,
    Gemm,
    Attention,
}

/// Matrix products, the passes between those of attention among them, in the span that a profile counts them by (`trainer::profile`).
fn in_profile<R>(kernel: Kernel, flops: usize, products: impl FnOnce() -> R) -> R {
    let flops = flops as u64;
    let span = match kernel {
        Kernel::Tiles => tracing::trace_span!(target: "prlhf::profile", "tiles", flops),
        Kernel::Gemm => tracing::trace_span!(target: "prlhf::profile", "gemm", flops),
        Kernel::Attention => tracing::trace_span!(target: "prlhf::profile", "attention", flops),
    };
    span.in_scope(products)
}

/// Operations of so many products of each query with the keys in front of it.
fn products_of_pairs(count: usize, sizes: AttentionShape) -> usize {
    let AttentionShape { queries, keys, .. } = sizes;
    let pairs = queries * (2 * keys + 1).saturating_sub(queries) / 2;
    count * 2 * pairs * sizes.dim * sizes.heads * sizes.batch
}

/// Whether products in f32 with these rows, inner steps and columns are for tiles.
fn are_for_tiles(lengths: &[usize]) -> bool {
    lengths.iter().all(|length| *length >= LEAST) && amx::is_supported()
}

/// `a b` of two matrices, with the processor's tiles where it has them and the product is large enough; none where they are not in f32.
fn product_of_matrices(a: &FlexTensor, b: &FlexTensor) -> Option<FlexTensor> {
    let ranks = [a, b].map(|side| side.layout().shape().num_dims());
    if ranks != [2, 2] || !all_f32([a, b]) {
        return None;
    }
    let ([m, k], [_, n]) = (shape_of(a), shape_of(b));
    let (flops, on_tiles) = (2 * m * k * n, are_for_tiles(&[m, k, n]));
    let product = match (on_tiles, lines(a), lines(b)) {
        (true, Some(left), Some(right)) => in_profile(Kernel::Tiles, flops, || {
            amx::Left::new(left, 0).times(amx::Right::Plain(right))
        }),
        _ => {
            let pair = [side(a)?, side(b)?];
            in_profile(Kernel::Gemm, flops, || {
                cpu_kernels::sum_of_products(&[pair])
            })
        }
    };
    Some(tensor(product, [m, n].into()))
}

/// `x right`, or `x right + u v`, in memory that nobody clears first; none where some are not matrices of f32.
fn through_frozen(
    (x, right): (&FlexTensor, &FlexTensor),
    also: Option<[&FlexTensor; 2]>,
    through: &Through,
) -> Option<FlexTensor> {
    if !all_f32([x, right]) || !also.is_none_or(all_f32) {
        return None;
    }
    let ([m, k], [_, n]) = (shape_of(x), shape_of(right));
    let room = also.map_or(0, |[u, _]| shape_of::<2>(u)[1]);
    let flops = 2 * m * (k + room) * n;
    let numbers = match on_tiles((x, right), also, through) {
        Some((left, right, thin)) => in_profile(Kernel::Tiles, flops, || {
            with_input((x, left), &through.input, room, |left| match thin {
                Some(thin) => left.times_and(right, thin),
                None => left.times(right),
            })
        }),
        None => {
            let mut pairs = vec![[side(x)?, side(right)?]];
            if let Some([u, v]) = also {
                pairs.push([side(u)?, side(v)?]);
            }
            in_profile(Kernel::Gemm, flops, || cpu_kernels::sum_of_products(&pairs))
        }
    };
    Some(tensor(numbers, [m, n].into()))
}

/// Sides of a product, and those of a thin one that is added to it, as tiles take them.
type OnTiles<'a> = (amx::View<'a>, amx::Right<'a>, Option<[amx::View<'a>; 2]>);

/// The sides of [`through_frozen`] for tiles; none where it is not for them.
fn on_tiles<'a>(
    (x, right): (&'a FlexTensor, &'a FlexTensor),
    also: Option<[&'a FlexTensor; 2]>,
    through: &'a Through,
) -> Option<OnTiles<'a>> {
    let ([m, k], [_, n]) = (shape_of(x), shape_of(right));
    let kept = through.weight.get(through.way, right);
    let right = match kept {
        Some(packed) if m >= LEAST_FOR_PACKED && k.min(n) >= LEAST => amx::Right::Packed(packed),
        _ if are_for_tiles(&[m, k, n]) => amx::Right::Plain(lines(right)?),
        _ => return None,
    };
    let thin = match also {
        Some([u, v]) => Some([lines(u)?, lines(v)?]),
        None => None,
    };
    Some((lines(x)?, right, thin))
}

/// What `work` makes of `x`, cut for tiles with room for `room` inner steps more.
fn with_input<R>(
    (x, lines): (&FlexTensor, amx::View<'_>),
    input: &SharedInput,
    room: usize,
    work: impl FnOnce(&mut amx::Left) -> R,
) -> R {
    /// A block of steps, since the next layer may have an adapter where this one has none.
    const LEAST_ROOM: usize = 32;
    let cut = || amx::Left::new(lines, room.max(LEAST_ROOM));
    input.with(x, room, cut, work)
}

/// The numbers from the first one of the tensor on; none where strides are negative.
fn numbers(tensor: &FlexTensor) -> Option<&[f32]> {
    let layout = tensor.layout();
    let all = layout
        .has_positive_strides()
        .then(|| tensor.storage::<f32>());
    all?.get(layout.start_offset()..)
}

/// A matrix whose rows or columns are whole; none where neither are.
fn lines(tensor: &FlexTensor) -> Option<amx::View<'_>> {
    let numbers = numbers(tensor)?;
    let [rows, columns] = shape_of(tensor);
    match strides_of(tensor) {
        // What is no matrix but a line has any stride.
        [_, 1] if rows == 1 => amx::View::of_rows(numbers, [1, columns], columns),
        [stride, 1] => amx::View::of_rows(numbers, [rows, columns], stride),
        [1, stride] => {
            let columns = amx::View::of_rows(numbers, [columns, rows], stride)?;
            Some(columns.transposed())
        }
        _ => None,
    }
}

/// A matrix, however its numbers lie; none where strides are negative.
fn side(tensor: &FlexTensor) -> Option<cpu_kernels::Side<'_>> {
    cpu_kernels::Side::new(numbers(tensor)?, shape_of(tensor), strides_of(tensor))
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
