//! What was set for other modes.

use trainer::config::{OnlineMethod, Setting};

use super::Mode;

/// What was set on the command line and is not read in this mode, in sentences.
pub fn idle(mode: Mode, method: OnlineMethod, set: &[Setting]) -> Vec<String> {
    /// Keys that `[sft]` has of its own, and those of users.
    const OTHERS: [&str; 8] = [
        "epochs",
        "max_steps",
        "batch",
        "learning_rate",
        "warmup_steps",
        "max_grad_norm",
        "users_learning_rate",
        "user_rows_learning_rate",
    ];
    let keys = set.iter().map(Setting::key);
    let why = |key: &&str| {
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        match (mode, section) {
            (Mode::Pdpo | Mode::Reward | Mode::Online, "sft") => Some("without --mode sft"),
            (Mode::Pdpo | Mode::Sft | Mode::Online, "reward") => Some("without --mode reward"),
            (Mode::Pdpo | Mode::Sft | Mode::Reward, "online" | "judge") => {
                Some("without --mode online")
            }
            (Mode::Sft, "users" | "objective") => Some("with --mode sft"),
            (Mode::Reward, "objective") if !matches!(name, "alpha" | "branches") => {
                Some("with --mode reward, which reads alpha and branches alone of [objective]")
            }
            (Mode::Online, "objective") if name != "alpha" && method != OnlineMethod::Dpo => {
                Some("with that online.method, which reads alpha alone of [objective]")
            }
            (Mode::Sft, "training") if OTHERS.contains(&name) => {
                Some("with --mode sft, which has steps, batch and rate in [sft]")
            }
            _ => None,
        }
    };
    keys.filter_map(|key| {
        Some(format!(
            "`{key}` is set, which has no effect {}",
            why(&key)?
        ))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mode_does_not_read_is_told() {
        let set = [
            "training.epochs=2",
            "training.micro_rows=2",
            "users.user_tokens=2",
            "objective.beta=0.2",
            "objective.alpha=0.2",
            "objective.branches=sampled",
            "reward.head=user",
            "online.method=grpo",
            "judge.examples=2",
            "sft.steps=2",
            "sampling.top_k=2",
        ]
        .map(|text| text.parse().unwrap());
        let of = |mode, method| -> Vec<String> {
            let told = idle(mode, method, &set).into_iter();
            told.map(|line| line.split('`').nth(1).unwrap().to_owned())
                .collect()
        };
        let keys = |mode| of(mode, OnlineMethod::Rloo);
        let of_others = [
            "reward.head",
            "online.method",
            "judge.examples",
            "sft.steps",
        ];
        assert_eq!(keys(Mode::Pdpo), of_others);
        let of_online = [
            "objective.beta",
            "objective.branches",
            "reward.head",
            "sft.steps",
        ];
        assert_eq!(keys(Mode::Online), of_online);
        let dpo = of(Mode::Online, OnlineMethod::Dpo);
        assert_eq!(dpo, ["reward.head", "sft.steps"]);
        let of_preferences = [
            "training.epochs",
            "users.user_tokens",
            "objective.beta",
            "objective.alpha",
            "objective.branches",
            "reward.head",
            "online.method",
            "judge.examples",
        ];
        assert_eq!(keys(Mode::Sft), of_preferences);
        let of_rewards = [
            "objective.beta",
            "online.method",
            "judge.examples",
            "sft.steps",
        ];
        assert_eq!(keys(Mode::Reward), of_rewards);
    }
}
