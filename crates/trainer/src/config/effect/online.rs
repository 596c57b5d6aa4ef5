//! Keys that change nothing in an online run.

use pdpo_loss::Branches;

use super::{Idle, idle_objective};
use crate::config::{Config, OnlineMethod, OnlineSection};

impl Config {
    /// Every key of `[online]` and `[objective]` that has another value than its default, and that the method of `[online]` does not
    /// read.
    pub fn without_effect_online(&self) -> Vec<String> {
        let mut idle = Idle(Vec::new());
        online(&self.online, &mut idle);
        if self.online.method != OnlineMethod::Dpo {
            let why = "with --mode online and online.method other than dpo, which read alpha alone of [objective]";
            idle_objective(&self.objective, why, &mut idle);
            let branches = (&self.objective.branches, &Branches::default());
            idle.add("objective.branches", branches, why);
        }
        idle.0
    }
}

fn online(section: &OnlineSection, idle: &mut Idle) {
    let default = OnlineSection::default();
    let (rloo, grpo, dpo) = match section.method {
        OnlineMethod::Rloo => (true, false, false),
        OnlineMethod::Grpo => (false, true, false),
        OnlineMethod::Dpo => (false, false, true),
    };
    if dpo {
        let why = "with online.method = \"dpo\", whose pull is objective.beta";
        idle.add("online.beta", (&section.beta, &default.beta), why);
        let why = "with online.method = \"dpo\", which has no ratio to clip";
        idle.add("online.epsilon", (&section.epsilon, &default.epsilon), why);
    } else if section.num_iterations == 1 {
        let why =
            "with online.num_iterations = 1: the policy is still the one that wrote the responses";
        idle.add("online.epsilon", (&section.epsilon, &default.epsilon), why);
    }
    if !rloo {
        let values = (&section.normalize_advantages, &false);
        let why = "without online.method = \"rloo\"";
        idle.add("online.normalize_advantages", values, why);
    }
    if !grpo {
        let why = "without online.method = \"grpo\"";
        let scales = (&section.scale_rewards, &default.scale_rewards);
        idle.add("online.scale_rewards", scales, why);
        let losses = (&section.loss_type, &default.loss_type);
        idle.add("online.loss_type", losses, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_online_methods_are_told() {
        for (text, expected) in [
            ("", &[][..]),
            (
                "[online]\nmethod = \"grpo\"\nscale_rewards = \"none\"\nepsilon = 0.1\nnum_iterations = 2",
                &[],
            ),
            (
                "[online]\nmethod = \"grpo\"\nepsilon = 0.1\nnormalize_advantages = true",
                &["online.epsilon", "online.normalize_advantages"],
            ),
            (
                "[online]\nscale_rewards = \"none\"\nloss_type = \"grpo\"\n[objective]\nnll_weight = 0.5",
                &[
                    "online.scale_rewards",
                    "online.loss_type",
                    "objective.nll_weight",
                ],
            ),
            (
                "[online]\nmethod = \"dpo\"\nbeta = 0.5\nepsilon = 0.1\n[objective]\nloss = \"ipo\"",
                &["online.beta", "online.epsilon"],
            ),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            let told = config.without_effect_online();
            let keys: Vec<&str> = told.iter().filter_map(|s| s.split('`').nth(1)).collect();
            assert_eq!(keys, expected, "{text}");
        }
    }
}
