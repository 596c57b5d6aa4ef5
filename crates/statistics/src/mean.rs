//! Means, and how sure they are.

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard error of the mean: the sample's standard deviation (divisor n - 1) over the root of n. `None` for fewer than
/// two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let deviation = (squares(values)? / (n - 1.0)).sqrt();
    Some(deviation / n.sqrt())
}

/// Standard error of the mean of a whole population: its standard deviation (divisor n) over the root of n. `None` for
/// fewer than two values.
pub fn population_standard_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let variance = squares(values)? / n;
    Some((variance / n).sqrt())
}

/// Sum of the squared distances from the mean; `None` for fewer than two values.
fn squares(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    Some(values.iter().map(|value| (value - mean).powi(2)).sum())
}
