//! Means, and how sure they are.

use crate::Interval;
use crate::interval::Z;

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

/// The 95 % interval of the mean of values that are about normal, such as a figure's in several seeds (Student's t). `None` for fewer than two.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let (mean, error) = (mean(values)?, standard_error(values)?);
    let half = error * T.get(values.len() - 2).copied().unwrap_or(Z);
    Some(Interval {
        low: mean - half,
        high: mean + half,
    })
}

/// The 97.5 % quantiles of Student's t with 1, 2, ... degrees of freedom.
const T: [f64; 30] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010,
    2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687,
    2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
];

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
