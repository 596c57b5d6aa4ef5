//! Learning rates: linear warm-up, then a cosine to zero, one rate for the adapters and one for the user model. LoRA+ gives the second
//! factors of adapters one of their own, `reward.learning_rate` the head of a reward model.

use burn::module::{ParamGroup, ParamId};
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{
    ModuleLearningRate, ModuleLrScheduler, ModuleLrSchedulerConfig,
};
use burn::optim::lr_scheduler::sequential::SequentialLrSchedulerConfig;
use llm_backbone::{LoraConfig, Model};

use crate::config::TrainingSection;
use crate::error::TrainError;
use crate::head;

/// Where the user model sits inside the [`Policy`](crate::policy::Policy) module.
const USERS: &str = "users";

/// The parameters of the user model.
pub(crate) fn users_group() -> ParamGroup {
    ParamGroup::from_predicate(USERS)
}

/// Rates by step.
pub struct Schedule {
    scheduler: ModuleLrScheduler,
    /// The rate of the users' rows over that of the shared tensors.
    rows: f64,
}

/// The rates of one step.
pub struct Rates {
    /// For burn's optimiser.
    pub module: ModuleLearningRate,
    /// Of the adapters.
    pub adapters: f64,
    /// Of the shared tensors of the user model.
    pub users: f64,
    /// Of the users' rows.
    pub rows: f64,
}

impl Schedule {
    /// A schedule over `total` steps that continues after `done` of them.
    ///
    /// # Errors
    /// Rates or lengths that burn's schedulers refuse.
    pub fn new(config: &TrainingSection, total: usize, done: usize) -> Result<Self, TrainError> {
        Self::of(config, Vec::new(), (total, done))
    }

    /// The same where `lora` may give some weights of the adapters a rate of their own (LoRA+), and a head may have another one.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_lora(
        config: &TrainingSection,
        (model, lora): (&Model, &LoraConfig),
        head: Option<f64>,
        (total, done): (usize, usize),
    ) -> Result<Self, TrainError> {
        let ratio = lora.loraplus_lr_ratio;
        let faster = (ratio != 1.0).then(|| {
            let group = ParamGroup::from_ids(model.loraplus_params());
            (group, config.learning_rate * ratio)
        });
        let head = head.map(|rate| (head::group(), rate));
        let apart = faster.into_iter().chain(head).collect();
        Self::of(config, apart, (total, done))
    }

    /// With groups that have rates of their own.
    fn of(
        config: &TrainingSection,
        apart: Vec<(ParamGroup, f64)>,
        (total, done): (usize, usize),
    ) -> Result<Self, TrainError> {
        let warmup = config.warmup_steps.min(total / 2);
        let build = |rate: f64| -> LrSchedulerConfig {
            let cosine = CosineAnnealingLrSchedulerConfig::new(rate, (total - warmup).max(1));
            if warmup == 0 {
                return LrSchedulerConfig::Cosine(cosine);
            }
            let linear = LinearLrSchedulerConfig::new(rate / warmup as f64, rate, warmup);
            LrSchedulerConfig::Sequential(SequentialLrSchedulerConfig::new(
                vec![
                    LrSchedulerConfig::Linear(linear),
                    LrSchedulerConfig::Cosine(cosine),
                ],
                vec![warmup],
            ))
        };
        let mut groups = ModuleLrSchedulerConfig::new(build(config.learning_rate))
            .with_group(users_group(), build(config.users_rate()));
        for (group, rate) in apart {
            groups = groups.with_group(group, build(rate));
        }
        let scheduler = groups
            .init()
            .map_err(|problem| TrainError::config("training", problem, "a valid schedule"))?;
        let rows = config.user_rows_rate() / config.users_rate();
        let mut schedule = Self { scheduler, rows };
        for _ in 0..done {
            schedule.next();
        }
        Ok(schedule)
    }

    /// The rates of the next step.
    #[allow(clippy::should_implement_trait)] // There is always a next one.
    pub fn next(&mut self) -> Rates {
        let module = self.scheduler.step();
        let any = ParamId::from(0);
        let users = module.lr_from_param(any, Some(USERS));
        Rates {
            adapters: module.base(),
            users,
            rows: users * self.rows,
            module,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> TrainingSection {
        TrainingSection {
            learning_rate: 1e-3,
            users_learning_rate: 1e-2,
            user_rows_learning_rate: 1e-1,
            warmup_steps: 4,
            ..Default::default()
        }
    }

    #[test]
    fn rates_rise_linearly_then_fall_to_zero_each_in_its_group() {
        let mut schedule = Schedule::new(&config(), 20, 0).unwrap();
        let rates: Vec<Rates> = (0..20).map(|_| schedule.next()).collect();
        assert!((rates[0].adapters - 2.5e-4).abs() < 1e-9);
        assert!(rates[1].adapters > rates[0].adapters);
        assert!((rates[4].adapters - 1e-3).abs() < 1e-5);
        assert!(rates[19].adapters < 1e-4);
        assert!(
            rates
                .iter()
                .all(|r| (r.users / r.adapters - 10.0).abs() < 1e-6
                    && (r.rows / r.users - 10.0).abs() < 1e-6)
        );
    }

    #[test]
    fn a_resumed_schedule_goes_on_where_it_was() {
        let mut whole = Schedule::new(&config(), 20, 0).unwrap();
        for _ in 0..7 {
            whole.next();
        }
        let mut resumed = Schedule::new(&config(), 20, 7).unwrap();
        assert_eq!(whole.next().adapters, resumed.next().adapters);
    }
}
