//! Sums and products of rows.

pub(crate) fn mean_of(rows: &[Vec<f32>], width: usize) -> Vec<f32> {
    combined(rows, &vec![1.0 / rows.len() as f64; rows.len()], width)
}

/// A weighted sum of vectors.
pub(crate) fn combined(vectors: &[Vec<f32>], weights: &[f64], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for (vector, weight) in vectors.iter().zip(weights) {
        let terms = sum.iter_mut().zip(vector);
        terms.for_each(|(sum, &x)| *sum += weight * f64::from(x));
    }
    sum.into_iter().map(|x| x as f32).collect()
}

pub(crate) fn between(from: &[f32], to: &[f32], share: f32) -> Vec<f32> {
    let mix = |(&from, &to): (&f32, &f32)| from + share * (to - from);
    from.iter().zip(to).map(mix).collect()
}

pub(crate) fn plus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(x, y)| x + y).collect()
}

pub(crate) fn minus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y));
    products.sum()
}
