//! Several micro-batches at a time: on the threads of one CPU, and on several devices.
//!
//! burn-flex spreads large matrix products over the cores and runs everything between them on the calling thread, about
//! 40 % of a training step. Here every core has a micro-batch and a thread pool of its own instead. Results come back in
//! the order of the items, so sums do not depend on which thread is done first.
//!
//! A further device holds a copy of the frozen weights and, for every batch, gets the weights that training changes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use llm_backbone::Model;
use llm_backbone::device::is_cpu;

/// The micro-batches to have in work at a time on `device`: one per core on the CPU, one elsewhere.
pub(crate) fn on(device: &Device) -> usize {
    if !is_cpu(device) {
        return 1;
    }
    thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// The micro-batches of training to have in work at a time on `model`'s device: `asked`, 0 for what suits it.
pub(crate) fn of(model: &Model, asked: usize) -> usize {
    if model.has_dropout() {
        return 1; // The order of the draws is part of the result.
    }
    match (on(&model.device()), asked) {
        (1, _) => 1,
        (cores, 0) => cores,
        (_, asked) => asked,
    }
}

/// `work` of every item, on up to `threads` threads, in the order of the items.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    map_with(items, &vec![(); threads.max(1)], |(), item| work(item))
}

/// As [`map`], on one thread per element of `workers`, which must not be empty; the thread's element goes to `work` too.
pub(crate) fn map_with<W: Sync, T: Sync, R: Send>(
    items: &[T],
    workers: &[W],
    work: impl Fn(&W, &T) -> R + Sync,
) -> Vec<R> {
    let workers = &workers[..workers.len().min(items.len())];
    let (first, others) = match workers {
        [] => return Vec::new(),
        [only] => return items.iter().map(|item| work(only, item)).collect(),
        [first, others @ ..] => (first, others),
    };
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let run = |worker: &W| {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(i) else {
                return;
            };
            let result = work(worker, item);
            if let Ok(mut slot) = done[i].lock() {
                *slot = Some(result);
            }
        }
    };
    thread::scope(|scope| {
        for worker in others {
            scope.spawn(|| on_one_core(|| run(worker)));
        }
        on_one_core(|| run(first));
    });
    done.into_iter()
        .filter_map(|slot| slot.into_inner().ok().flatten())
        .collect()
}

/// Runs `work` where burn-flex finds one thread, so that matrix products of several micro-batches do not wait for each
/// other.
fn on_one_core(work: impl FnOnce() + Send) {
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// The same module with leaves of its own in the autodiff graph: backward passes of two modules that share leaves would
/// wait for each other. Parameter ids stay, so gradients add up.
pub(crate) fn with_own_leaves<M: Module>(module: &M) -> M {
    struct OwnLeaves;
    impl ModuleMapper for OwnLeaves {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, value, mapper) = param.consume();
            let value = match value.is_require_grad() {
                true => leaf(value),
                false => value,
            };
            Param::from_mapped_value(id, value, mapper)
        }
    }
    module.clone().map(&mut OwnLeaves)
}

/// A tensor that a graph begins with, on its device and with its way of gradient checkpointing.
fn leaf<const D: usize>(value: Tensor<D>) -> Tensor<D> {
    value.detach().require_grad()
}

/// `copy`, which is `module` on another device, with `module`'s values in all that training changes.
pub(crate) fn refreshed<M: Module>(copy: &M, module: &M) -> M {
    struct Collect<'a>(&'a mut GradientsParams);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0.register(param.id, param.val().detach());
            }
        }
    }
    struct Replace<'a>(&'a mut GradientsParams);
    impl ModuleMapper for Replace<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, value, mapper) = param.consume();
            let value = match self.0.remove::<D>(id) {
                Some(new) => leaf(new.to_device(&value.device())),
                None => value,
            };
            Param::from_mapped_value(id, value, mapper)
        }
    }
    let mut values = GradientsParams::new();
    module.visit(&mut Collect(&mut values));
    copy.clone().map(&mut Replace(&mut values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();
        let squares: Vec<usize> = items.iter().map(|i| i * i).collect();
        for threads in [1, 2, 7, 200] {
            assert_eq!(map(&items, threads, |i| i * i), squares);
        }
        assert!(map(&items[..0], 4, |i| *i).is_empty());
    }
}
