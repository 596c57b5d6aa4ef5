//! Table 3 as plain text.

use std::fmt;

use super::{Accuracies, Group, GroupCounts, TldrStats};

impl fmt::Display for TldrStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let evaluation = self.evaluation();
        match (self.simulated, self.population_seed) {
            (false, _) => writeln!(f, "What the annotators chose, nobody simulated")?,
            (true, Some(seed)) => writeln!(f, "Simulated population of seed {seed}")?,
            (true, None) => writeln!(f, "Simulated population of given ranks")?,
        }
        match self.simulated {
            true => writeln!(
                f,
                "{:<34} {:>8} {:>18} {:>18}",
                "", "all", "majority", "minority"
            )?,
            false => writeln!(f, "{:<34} {:>8}", "", "all")?,
        }
        const SHARE: &str = "  as a share of all evaluation";
        let (seen, unseen) = (&self.evaluation_seen, &self.evaluation_unseen);
        self.line(f, "seen workers", &self.workers, None)?;
        self.line(f, "training comparisons", &self.train, None)?;
        self.line(f, "evaluation, seen workers", seen, None)?;
        self.line(f, SHARE, seen, Some(evaluation))?;
        self.line(f, "evaluation, unseen workers", unseen, None)?;
        self.line(f, SHARE, unseen, Some(evaluation))?;
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

impl TldrStats {
    /// A line of counts, all and of each group; percentages are of `whole`, or of the line's own total.
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        counts: &GroupCounts,
        whole: Option<usize>,
    ) -> fmt::Result {
        let total = counts.total();
        if !self.simulated {
            return match whole {
                None => writeln!(f, "{name:<34} {total:>8}"),
                Some(whole) => {
                    let share = 100.0 * total as f64 / whole.max(1) as f64;
                    writeln!(f, "{name:<34} {share:>6.2} %")
                }
            };
        }
        let percent = |group| counts.percent(group, whole.unwrap_or(total));
        let cell = |group| format!("{} ({:.2} %)", counts.get(group), percent(group));
        let (majority, minority) = (cell(Group::Majority), cell(Group::Minority));
        writeln!(f, "{name:<34} {total:>8} {majority:>18} {minority:>18}")
    }

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
        let row =
            |f: &mut fmt::Formatter<'_>, name: &str, [top, generic, groups @ ..]: [&str; 4]| {
                write!(f, "{name:<34} {top:>8} {generic:>8}")?;
                if self.simulated {
                    let [majority, minority] = groups;
                    write!(f, " {majority:>9} {minority:>9}")?;
                }
                writeln!(f)
            };
        writeln!(f)?;
        let names = ["top", "generic", "majority", "minority"];
        row(f, "accuracy of", names)?;
        let longer = (
            "always the longer text",
            Some(&self.yardsticks.always_longer),
        );
        let perfect = (
            "a perfect personalised model",
            self.yardsticks.perfect.as_ref(),
        );
        for (name, accuracies) in [longer, perfect] {
            let Some(accuracies) = accuracies else {
                continue;
            };
            let Accuracies {
                top,
                generic,
                majority,
                minority,
            } = accuracies;
            let cells = [top, generic, majority, minority].map(percent);
            row(f, name, cells.each_ref().map(String::as_str))?;
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
                line.group.map_or("-", Group::as_str),
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
