//! Keys of a preset that are set and change nothing.

use trainer::config::{Circumstances, Config};
use trainer::pref_data::{Comparison, Prompt};

use super::{ExperimentConfig, SystemConfig};
use crate::experiment::ExperimentData;

impl<D> ExperimentConfig<D> {
    /// Every key that changes nothing, in a sentence: of a system its own keys, of all systems those that none of them uses.
    pub(crate) fn without_effect(&self, data: &ExperimentData) -> Vec<String> {
        let trained: Vec<&SystemConfig> = self.systems.iter().filter(|s| s.is_trained()).collect();
        let idle: Vec<Vec<String>> = trained.iter().map(|s| self.idle(s, data)).collect();
        let mut found = Vec::new();
        if self.sampling.seed != 0 {
            let seed = self.sampling.seed;
            found.push(format!(
                "`sampling.seed` is {seed}, which has no effect here: --seed moves the draws"
            ));
        }
        if data.newcomers.users.is_empty() {
            let idle = trained.iter().filter(|system| system.newcomers);
            found.extend(idle.map(|system| {
                let key = format!("systems.{}.newcomers", system.name);
                format!("`{key}` is true, which has no effect here: the data have no newcomers")
            }));
        }
        let has_no_users = |s: &SystemConfig| s.users.is_none() && !s.adapter_per_user;
        if !data.newcomers.alternatives.are_none() && !self.systems.iter().any(has_no_users) {
            found.push(
                "`data.newcomers.alternatives` is set, which has no effect here: every system has users"
                    .into(),
            );
        }
        for (system, sentences) in trained.iter().zip(&idle) {
            for sentence in sentences {
                let own = system.says(sentence.split('`').nth(1).unwrap_or_default());
                let by_all = idle.iter().all(|others| others.contains(sentence));
                let told = match own {
                    true => sentence.replacen('`', &format!("`systems.{}.", system.name), 1),
                    false if by_all => sentence.clone(),
                    false => continue,
                };
                if !found.contains(&told) {
                    found.push(told);
                }
            }
        }
        found
    }

    fn idle(&self, system: &SystemConfig, data: &ExperimentData) -> Vec<String> {
        let config = Config {
            reward: system.settings.reward.clone(),
            prompt: self.prompt.clone(),
            users: system.users.clone(),
            lora: system.settings.lora.clone(),
            objective: system.settings.objective.clone(),
            training: system.settings.training.clone(),
            sampling: system.settings.sampling.clone(),
            ..Config::default()
        };
        let is_chat = |comparison: &Comparison| matches!(comparison.prompt, Prompt::Chat(_));
        let sides = [&data.train, &data.validation, &data.test];
        let mut idle = config.without_effect(&Circumstances {
            users: data.users.len(),
            validation: data.validation.len(),
            chats: sides.into_iter().flatten().any(is_chat),
            positions: usize::MAX,
            embedding_alone: false,
            packed: true,
        });
        if system.is_reward_model() {
            idle.extend(config.without_effect_on_rewards());
        }
        idle
    }
}
