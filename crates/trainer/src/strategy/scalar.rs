//! Numbers of a [`Line`] as burn-train metrics, under their names in `metrics.jsonl`.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorReadError};
use burn::train::RegressionOutput;
use burn::train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes,
    NumericEntry, SerializedEntry,
};

use super::item::Item;
use crate::metrics::Line;
use crate::step::host;

/// One number of a line.
struct Number {
    name: &'static str,
    higher_is_better: bool,
    pick: fn(&Line) -> Option<f64>,
}

/// What steps and validations have in common, so many at the front of [`NUMBERS`].
const OF_BOTH_SPLITS: usize = 4;

const NUMBERS: [Number; 8] = [
    Number {
        name: "loss",
        higher_is_better: false,
        pick: |l| Some(l.loss),
    },
    Number {
        name: "rewards/accuracies",
        higher_is_better: true,
        pick: |l| Some(l.rewards_accuracies),
    },
    Number {
        name: "rewards/margins",
        higher_is_better: true,
        pick: |l| Some(l.rewards_margins),
    },
    Number {
        name: "comparisons_per_second",
        higher_is_better: true,
        pick: |l| Some(l.comparisons_per_second),
    },
    Number {
        name: "tokens_per_second",
        higher_is_better: true,
        pick: |l| l.tokens_per_second,
    },
    Number {
        name: "grad_norm",
        higher_is_better: false,
        pick: |l| l.grad_norm,
    },
    Number {
        name: "learning_rate",
        higher_is_better: true,
        pick: |l| l.learning_rate,
    },
    Number {
        name: "users_learning_rate",
        higher_is_better: true,
        pick: |l| l.users_learning_rate,
    },
];

/// A line for burn-train.
pub(super) fn item(line: &Line) -> Item {
    let device = Device::flex();
    let value = |n: &Number| (n.pick)(line).map_or(f32::NAN, |value| value as f32);
    let loss = Tensor::from_floats([line.loss as f32], &device);
    let output = Tensor::from_floats([NUMBERS.each_ref().map(value)], &device);
    RegressionOutput::new(loss, output.clone(), output)
}

/// The numbers of an item in the order of [`NUMBERS`]; no number where the line had none.
pub(super) struct Numbers(Vec<f32>);

impl Adaptor<Numbers> for Item {
    fn adapt(&self) -> Numbers {
        Numbers(host(self.output.clone()))
    }
}

/// One number of every item. Its mean over a split is the mean over the items.
#[derive(Clone)]
pub(super) struct Scalar {
    index: usize,
    name: MetricName,
    current: Option<f64>,
    sum: f64,
    count: usize,
}

impl Scalar {
    /// What steps and validations report.
    pub fn of_both_splits() -> impl Iterator<Item = Self> {
        (0..OF_BOTH_SPLITS).map(Self::new)
    }

    /// What steps alone report.
    pub fn of_training() -> impl Iterator<Item = Self> {
        (OF_BOTH_SPLITS..NUMBERS.len()).map(Self::new)
    }

    fn new(index: usize) -> Self {
        Self {
            index,
            name: Arc::new(NUMBERS[index].name.into()),
            current: None,
            sum: 0.0,
            count: 0,
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    fn shown(&self) -> String {
        format!("now {}, mean {}", digits(self.current), digits(self.mean()))
    }
}

/// Four digits after the point, or an exponent where they would show little.
fn digits(value: Option<f64>) -> String {
    match value {
        None => SerializedEntry::NOT_AVAILABLE.into(),
        Some(value) if value != 0.0 && value.abs() < 1e-2 => format!("{value:.2e}"),
        Some(value) => format!("{value:.4}"),
    }
}

impl Metric for Scalar {
    type Input = Numbers;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: NUMBERS[self.index].higher_is_better,
        }
        .into()
    }

    fn update(
        &mut self,
        numbers: &Numbers,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let number = numbers.0.get(self.index).copied();
        self.current = number.filter(|n| !n.is_nan()).map(f64::from);
        let Some(value) = self.current else {
            return Ok(SerializedEntry::not_available(None));
        };
        self.sum += value;
        self.count += 1;
        Ok(SerializedEntry::new(self.shown(), value.to_string()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        let serialized = self.final_value().serialize();
        Ok(SerializedEntry::new(self.shown(), serialized))
    }

    fn clear(&mut self) {
        (self.current, self.sum, self.count) = (None, 0.0, 0);
    }
}

impl Numeric for Scalar {
    fn value(&self) -> Option<NumericEntry> {
        self.current.map(NumericEntry::Value)
    }

    fn running_value(&self) -> Option<NumericEntry> {
        let count = self.count;
        self.mean()
            .map(|aggregated_value| NumericEntry::Aggregated {
                aggregated_value,
                count,
            })
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.mean().unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::data::dataloader::Progress;

    fn grad_norm() -> Scalar {
        Scalar::of_training()
            .find(|s| *s.name == "grad_norm")
            .unwrap()
    }

    fn update(metric: &mut Scalar, grad_norm: Option<f64>) -> SerializedEntry {
        let line = Line {
            grad_norm,
            ..Line::default()
        };
        let metadata = MetricMetadata {
            progress: Progress::new(1, 2, None),
            iteration: None,
            lr: None,
        };
        metric.update(&item(&line).adapt(), &metadata).unwrap()
    }

    #[test]
    fn a_split_has_the_mean_of_its_lines_and_the_next_one_starts_anew() {
        let mut metric = grad_norm();
        assert_eq!(update(&mut metric, Some(1.0)).serialized, "1");
        let shown = update(&mut metric, Some(0.001953125)).formatted;
        assert_eq!(shown, "now 1.95e-3, mean 0.5010");
        assert_eq!(metric.value().unwrap().current(), 0.001953125);
        assert_eq!(metric.final_value().current(), 0.5009765625);
        metric.clear();
        assert!(metric.value().is_none() && metric.running_value().is_none());
    }

    #[test]
    fn a_line_without_the_number_counts_for_nothing() {
        let mut metric = grad_norm();
        update(&mut metric, Some(3.0));
        assert!(update(&mut metric, None).is_not_available());
        assert!(metric.value().is_none());
        assert_eq!(metric.final_value().current(), 3.0);
    }
}
