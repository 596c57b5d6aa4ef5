//! Quantiles of a sample.

use serde::Serialize;

/// Some quantiles, with linear interpolation between ordered values (numpy's default).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Smallest value.
    pub min: f64,
    /// A tenth is below.
    pub p10: f64,
    /// A quarter is below.
    pub p25: f64,
    /// Half is below.
    pub median: f64,
    /// Three quarters are below.
    pub p75: f64,
    /// Nine tenths are below.
    pub p90: f64,
    /// Largest value.
    pub max: f64,
}

impl Quantiles {
    /// `None` for no values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let below = place.floor() as usize;
            let above = (below + 1).min(last);
            values[below] + (values[above] - values[below]) * place.fract()
        };
        Some(Self {
            min: at(0.0),
            p10: at(0.1),
            p25: at(0.25),
            median: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            max: at(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_between_values() {
        assert_eq!(Quantiles::of(vec![]), None);
        let quantiles = Quantiles::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            (quantiles.min, quantiles.median, quantiles.max),
            (1.0, 2.5, 4.0)
        );
        assert_eq!((quantiles.p25, quantiles.p75), (1.75, 3.25));
        let one = Quantiles::of(vec![7.0]).unwrap();
        assert_eq!((one.min, one.p90, one.max), (7.0, 7.0, 7.0));
    }
}
