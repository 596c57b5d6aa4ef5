//! Which policies' summaries are compared.

use super::TldrRecord;

/// The reason under which filtered records are counted.
pub(super) const OTHER_POLICY: &str = "a summary of another policy than supervised fine-tuning";

/// Which comparisons to keep by the policies that wrote the two summaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyFilter {
    /// Both by supervised fine-tuning, as in the paper (reference 4.1, step 1): each name contains `sup` and contains
    /// neither `ppo` nor `cnn`.
    #[default]
    Sft,
    /// All.
    All,
}

impl PolicyFilter {
    /// Whether a record is kept.
    pub fn keeps(self, record: &TldrRecord) -> bool {
        match self {
            PolicyFilter::All => true,
            PolicyFilter::Sft => record
                .summaries
                .iter()
                .all(|summary| is_sft(&summary.policy)),
        }
    }
}

fn is_sft(policy: &str) -> bool {
    policy.contains("sup") && !policy.contains("ppo") && !policy.contains("cnn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_real_files_are_told_apart() {
        for policy in ["sup4_6b", "sup4_6b_t0.7", "sup4_6b_p.95", "sup4_12b_t0.7"] {
            assert!(is_sft(policy), "{policy}");
        }
        for policy in ["ref", "sup4_ppo_rm4_t.7", "sup_cnndm_6b", "lead-3"] {
            assert!(!is_sft(policy), "{policy}");
        }
    }
}
