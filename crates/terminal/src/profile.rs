//! Where the time of a run goes: the listener of the spans that `trainer` marks its work with ([`trainer::profile`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use trainer::profile::{PRODUCTS, TARGET};

/// The phases inside a micro-batch.
const INSIDE: [&str; 4] = ["data", "forward", "loss", "backward"];

/// The order in which a table shows phases.
const ORDER: [&str; 9] = [
    "loading",
    "reference",
    "data",
    "forward",
    "loss",
    "backward",
    "optimiser",
    "validation",
    "logging",
];

/// Adds up the time and the arithmetic of spans, by name.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    totals: Arc<Mutex<Totals>>,
}

/// Time and arithmetic by name of span.
pub type Totals = BTreeMap<&'static str, Total>;

/// The spans of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Total {
    /// Time inside, of all threads together.
    pub time: Duration,
    /// Floating-point operations.
    pub flops: u64,
    /// What of it were matrix products, in the order of [`PRODUCTS`].
    pub products: [Products; PRODUCTS.len()],
}

/// The matrix products inside spans of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Products {
    /// Time on the threads that waited for them.
    pub time: Duration,
    /// Floating-point operations.
    pub flops: u64,
}

/// A phase of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// Its part of the time on the clock: where threads work side by side, each second is shared among them.
    pub seconds: f64,
    /// Floating-point operations per second of that time; none where they are not counted.
    pub rate: Option<f64>,
    /// What of it were matrix products; none where they are not marked.
    pub products: Option<Share>,
    /// The same by what made them, in the order of [`PRODUCTS`].
    pub each: [Option<Share>; PRODUCTS.len()],
}

/// A part of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Its part of the time on the clock.
    pub seconds: f64,
    /// Floating-point operations per second of that time; none where they are not counted.
    pub rate: Option<f64>,
}

impl Share {
    fn of(products: &[Products], scale: f64) -> Option<Self> {
        let time: Duration = products.iter().map(|each| each.time).sum();
        let flops = products.iter().map(|each| each.flops).sum();
        (!time.is_zero()).then(|| Self::new(time, flops, scale))
    }

    fn new(time: Duration, flops: u64, scale: f64) -> Self {
        let seconds = time.as_secs_f64() * scale;
        let counted = flops > 0 && seconds > 0.0;
        Self {
            seconds,
            rate: counted.then(|| flops as f64 / seconds),
        }
    }
}

impl Profile {
    /// Whether a span is one of ours.
    pub fn wants(metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    /// The sums so far.
    pub fn totals(&self) -> Totals {
        self.locked().clone()
    }

    /// The sums since the start or the last call.
    pub fn take(&self) -> Totals {
        std::mem::take(&mut self.locked())
    }

    fn add<'a, S: LookupSpan<'a>>(&self, span: &SpanRef<'a, S>, time: Duration, flops: u64) {
        let kernel = |name| PRODUCTS.iter().position(|kernel| *kernel == name);
        let Some(kind) = kernel(span.name()) else {
            let mut totals = self.locked();
            let total = totals.entry(span.name()).or_default();
            total.time += time;
            total.flops += flops;
            return;
        };
        // Those inside of others are counted with them.
        let phase = span.parent().map(|outer| outer.name());
        if let Some(phase) = phase.filter(|name| kernel(name).is_none()) {
            let mut totals = self.locked();
            let products = &mut totals.entry(phase).or_default().products[kind];
            products.time += time;
            products.flops += flops;
        }
    }

    fn locked(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Phases in the order of a run; those that did not occur are left out.
pub fn phases(totals: &Totals) -> Vec<Phase> {
    let seconds = |name: &str| totals.get(name).map_or(0.0, |t| t.time.as_secs_f64());
    let inside: f64 = INSIDE.iter().map(|name| seconds(name)).sum();
    // Seconds on the clock per second of a thread.
    let scale = match inside > 0.0 {
        true => seconds("gradients") / inside,
        false => 1.0,
    };
    let known = |name| totals.get(name).map(|total| (name, total));
    let phases = ORDER.into_iter().filter_map(known);
    phases
        .map(|(name, total)| {
            let scale = if INSIDE.contains(&name) { scale } else { 1.0 };
            let Share { seconds, rate } = Share::new(total.time, total.flops, scale);
            let each = total.products.map(|each| Share::of(&[each], scale));
            Phase {
                name,
                seconds,
                rate,
                products: Share::of(&total.products, scale),
                each,
            }
        })
        .collect()
}

/// When a span was entered.
struct Entered(Instant);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Profile {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let mut flops = Flops(0);
        attributes.record(&mut flops);
        self.add(&span, Duration::ZERO, flops.0);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(Entered(Instant::now()));
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        if let Some(Entered(start)) = span.extensions_mut().remove() {
            self.add(&span, start.elapsed(), 0);
        }
    }
}

/// Reads a span's field `flops`.
struct Flops(u64);

impl Visit for Flops {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "flops" {
            self.0 += value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use tracing::trace_span;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::prelude::*;

    use super::*;

    /// What a profile hears of `work`.
    fn heard(work: impl FnOnce()) -> Profile {
        let profile = Profile::default();
        let layer = profile.clone().with_filter(filter_fn(Profile::wants));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, work);
        profile
    }

    #[test]
    fn spans_are_added_up_by_name_with_their_arithmetic() {
        let profile = heard(|| {
            for flops in [3u64, 4] {
                trace_span!(target: TARGET, "forward", flops).in_scope(|| {
                    trace_span!(target: TARGET, "loss").in_scope(|| {
                        std::thread::sleep(Duration::from_millis(5));
                    });
                });
            }
            trace_span!("forward", flops = 100u64).in_scope(|| {});
        });
        let totals = profile.totals();
        assert_eq!(totals["forward"].flops, 7);
        assert!(totals["loss"].time >= Duration::from_millis(10));
        assert!(totals["forward"].time >= totals["loss"].time);
        assert_eq!(totals.len(), 2);
        assert_eq!(profile.take(), totals);
        assert!(profile.take().is_empty());
    }

    #[test]
    fn products_are_added_up_in_the_phase_that_they_are_in() {
        let product = |flops: u64| {
            trace_span!(target: TARGET, "gemm", flops).in_scope(|| {
                std::thread::sleep(Duration::from_millis(5));
                trace_span!(target: TARGET, "tiles", flops = 50u64).in_scope(|| {});
            });
        };
        let profile = heard(|| {
            trace_span!(target: TARGET, "gradients").in_scope(|| {
                trace_span!(target: TARGET, "forward", flops = 10u64).in_scope(|| {
                    trace_span!("layer").in_scope(|| product(3));
                    product(4);
                });
                trace_span!(target: TARGET, "backward").in_scope(|| product(5));
            });
            product(100); // In no phase.
        });
        let totals = profile.totals();
        let (forward, backward) = (totals["forward"], totals["backward"]);
        let flops = |total: Total| (total.flops, total.products.map(|each| each.flops));
        assert_eq!(flops(forward), (10, [0, 7, 0]));
        assert_eq!(flops(backward), (0, [0, 5, 0]));
        let [_, by_gemm, _] = forward.products;
        assert!(by_gemm.time >= Duration::from_millis(10));
        assert!(forward.time >= by_gemm.time);
        assert_eq!(totals["gradients"].products, [Products::default(); 3]);
        assert_eq!(totals.len(), 3);
    }

    /// `llm-backbone` names its spans itself.
    #[test]
    fn products_of_a_model_are_among_those_that_are_known() {
        use trainer::burn::tensor::{Device, Tensor};
        use trainer::llm_backbone::matrix::Matrix;

        let profile = heard(|| {
            trace_span!(target: TARGET, "forward").in_scope(|| {
                let weight = Matrix::dense(Tensor::ones([150, 140], &Device::flex()));
                weight.product(Tensor::ones([130, 140], &Device::flex()));
            });
        });
        let totals = profile.take();
        let made = totals["forward"].products.map(|each| each.flops);
        assert_eq!(made.iter().sum::<u64>(), 2 * 130 * 140 * 150);
        assert_eq!(totals.len(), 1, "{totals:?}");
    }

    #[test]
    fn threads_side_by_side_share_the_time_on_the_clock() {
        let total = |seconds, flops| Total {
            time: Duration::from_secs(seconds),
            flops,
            products: [
                Products {
                    time: Duration::from_secs(seconds / 2 - seconds / 6),
                    flops: flops / 3,
                },
                Products::default(),
                Products {
                    time: Duration::from_secs(seconds / 6),
                    flops: 0,
                },
            ],
        };
        let totals = Totals::from([
            // Two threads: 20 s of work in 10 s.
            ("gradients", total(10, 0)),
            ("forward", total(6, 300)),
            ("backward", total(14, 0)),
            ("optimiser", total(1, 0)),
        ]);
        let found = phases(&totals);
        let names: Vec<_> = found.iter().map(|phase| phase.name).collect();
        assert_eq!(names, ["forward", "backward", "optimiser"]);
        let seconds: Vec<_> = found.iter().map(|phase| phase.seconds).collect();
        assert_eq!(seconds, [3.0, 7.0, 1.0]);
        assert_eq!(found[0].rate, Some(100.0));
        assert_eq!(found[1].rate, None);
        let products = |seconds, rate| Some(Share { seconds, rate });
        // 100 of 300 operations in 3 of 6 seconds of two threads.
        assert_eq!(found[0].products, products(1.5, Some(100.0 / 1.5)));
        assert_eq!(found[1].products, products(3.5, None));
        // Two of these three seconds on tiles, one in attention.
        assert_eq!(found[0].each[0], products(1.0, Some(100.0)));
        assert_eq!(found[0].each[1..], [None, products(0.5, None)]);
        assert_eq!(found[2].products, None);
    }
}
