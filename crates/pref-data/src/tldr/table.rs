//! Table 3 as plain text.

use std::fmt;

use super::{Accuracies, Group, GroupCounts, TldrStats};

impl fmt::Display for TldrStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let evaluation = self.evaluation();
        match self.population_seed {
            Some(seed) => writeln!(f, "Simulated population of seed {seed}")?,
            None => writeln!(f, "Simulated population of given ranks")?,
        }
        writeln!(
            f,
            "{:<34} {:>8} {:>18} {:>18}",
            "", "all", "majority", "minority"
        )?;
        line(f, "seen workers", &self.workers, None)?;
        line(f, "training comparisons", &self.train, None)?;
        line(f, "evaluation, seen workers", &self.evaluation_seen, None)?;
        line(
            f,
            "  as a share of all evaluation",
            &self.evaluation_seen,
            Some(evaluation),
        )?;
        line(
            f,
            "evaluation, unseen workers",
            &self.evaluation_unseen,
            None,
        )?;
        line(
            f,
            "  as a share of all evaluation",
            &self.evaluation_unseen,
            Some(evaluation),
        )?;
        writeln!(f, "{:<34} {evaluation:>8}", "evaluation, all workers")?;
        self.fmt_ratio(f)?;
        self.fmt_yardsticks(f)?;
        self.fmt_workers(f)?;
        for obstacle in &self.obstacles {
            writeln!(f, "\nThe experiment cannot run on these data: {obstacle}.")?;
        }
        Ok(())
    }
}

/// A line of counts; percentages are of `whole`, or of the line's own total.
fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    counts: &GroupCounts,
    whole: Option<usize>,
) -> fmt::Result {
    let total = counts.total();
    let percent = |group| counts.percent(group, whole.unwrap_or(total));
    let cell = |group| format!("{} ({:.2} %)", counts.get(group), percent(group));
    let (majority, minority) = (cell(Group::Majority), cell(Group::Minority));
    writeln!(f, "{name:<34} {total:>8} {majority:>18} {minority:>18}")
}

impl TldrStats {
    fn fmt_ratio(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ratio) = &self.length_ratio else {
            return Ok(());
        };
        writeln!(
            f,
            "\nLonger over shorter text: median {:.2}, 10 % below {:.2}, 90 % below {:.2}, largest {:.2}",
            ratio.median, ratio.p10, ratio.p90, ratio.max
        )
    }

    fn fmt_yardsticks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<34} {:>8} {:>8} {:>9} {:>9}",
            "accuracy of", "top", "generic", "majority", "minority"
        )?;
        for (name, accuracies) in [
            ("always the longer text", &self.yardsticks.always_longer),
            ("a perfect personalised model", &self.yardsticks.perfect),
        ] {
            let Accuracies {
                top,
                generic,
                majority,
                minority,
            } = accuracies;
            let [top, generic, majority, minority] =
                [top, generic, majority, minority].map(percent);
            writeln!(
                f,
                "{name:<34} {top:>8} {generic:>8} {majority:>9} {minority:>9}"
            )?;
        }
        Ok(())
    }

    fn fmt_workers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:>4}  {:<32} {:<9} {:<7} {:>6} {:>6}",
            "rank", "worker", "group", "", "train", "eval"
        )?;
        for line in &self.per_worker {
            let seen = if line.seen { "seen" } else { "unseen" };
            writeln!(
                f,
                "{:>4}  {:<32} {:<9} {seen:<7} {:>6} {:>6}",
                line.rank,
                printable::id(line.worker.as_str()),
                line.group,
                line.train,
                line.evaluation
            )?;
        }
        Ok(())
    }
}

fn percent(share: &Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.2} %", 100.0 * share))
}
