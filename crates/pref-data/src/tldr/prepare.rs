//! From official files to data that can be trained on: filter, rank, simulate where wanted, split.

use std::path::Path;

use super::filter::OTHER_POLICY;
use super::official_split::split_official;
use super::simulate::{EQUAL_TEXTS, simulate};
use super::{
    PolicyFilter, Population, PopulationChoice, PopulationError, TldrRecord, TldrStats, Workers,
    read,
};
use crate::comparison::{Comparison, UserId};
use crate::error::{DataError, SplitError};
use crate::reader::ReadOptions;
use crate::records;
use crate::skipped::Skipped;
use crate::split::{Split, SplitOrigin, SplitRatios, split_by_source};

/// The reason for training comparisons that are left out because their worker is unseen (reference 4.1, step 6).
const UNSEEN_IN_TRAINING: &str = "training comparison of an unseen worker";
/// The reason for comparisons beyond [`TldrOptions::max_characters`].
const TOO_LONG: &str = "prompt and response have too many characters";
/// The reason for published validation records that share a post or pair with training.
const ON_TWO_SIDES: &str = "validation comparison that shares its post or pair with training";

/// The choices of the experiment; the default is the paper's with 10 workers.
#[derive(Clone, Debug, PartialEq)]
pub struct TldrOptions {
    /// How to treat broken records.
    pub read: ReadOptions,
    /// Which policies' summaries are compared.
    pub filter: PolicyFilter,
    /// How many workers are seen.
    pub top_workers: usize,
    /// Majority and minority, or the workers' own choices.
    pub population: PopulationChoice,
    /// Shares of posts. Where the files hold an official training part only the proportion of validation to test
    /// counts.
    pub ratios: SplitRatios,
    /// Seed of the split.
    pub split_seed: u64,
    /// Comparisons whose prompt and longer response together have more Unicode characters are left out; the paper's
    /// limit is 4800 (reference 4.1, step 7; the authors' count includes some ten characters of identifier text).
    pub max_characters: Option<usize>,
}

impl Default for TldrOptions {
    fn default() -> Self {
        Self {
            read: ReadOptions::default(),
            filter: PolicyFilter::Sft,
            top_workers: 10,
            population: PopulationChoice::default(),
            ratios: SplitRatios::default(),
            split_seed: 0,
            max_characters: Some(4800),
        }
    }
}

/// What the experiment trains and evaluates on.
#[derive(Clone, Debug)]
pub struct TldrData {
    /// Training comparisons of seen workers; validation and test comparisons of all workers.
    pub split: Split,
    /// What unseen workers judged on the training side: on nobody's side, for whoever wants comparisons of posts that are not tested.
    pub unseen: Vec<Comparison>,
    /// The ranking.
    pub workers: Workers,
    /// The simulated groups, if any.
    pub population: Population,
    /// Records read.
    pub records: usize,
    /// What was left out, by reason.
    pub skipped: Skipped,
    /// What keeps the experiment from running on these data; [`TldrData::load`] gives an error instead.
    pub obstacles: Vec<String>,
}

impl TldrData {
    /// Reads and prepares.
    ///
    /// Workers are ranked by their filtered training records. Where the files do not hold both `train` and other records,
    /// they are ranked by all filtered records, before the split by post, so that the ranking is the same for every
    /// split seed.
    ///
    /// # Errors
    /// [`DataError`]: unreadable or broken input, nothing left after the filter, a population without both groups, too
    /// few posts to split.
    pub fn load<P: AsRef<Path>>(paths: &[P], options: &TldrOptions) -> Result<Self, DataError> {
        Self::load_as(paths, options, false)
    }

    /// As [`TldrData::load`], for their statistics: a missing group, too few posts, or a policy filter that keeps nothing is
    /// listed in [`TldrData::obstacles`]. Then one group is empty, all is training, all policies count.
    ///
    /// # Errors
    /// [`DataError`]: unreadable or broken input, or files without a record.
    pub fn survey<P: AsRef<Path>>(paths: &[P], options: &TldrOptions) -> Result<Self, DataError> {
        Self::load_as(paths, options, true)
    }

    fn load_as<P: AsRef<Path>>(
        paths: &[P],
        options: &TldrOptions,
        tolerant: bool,
    ) -> Result<Self, DataError> {
        let (records, skipped) = read(paths, options.read)?.read_all()?;
        let mut data = Self::build(records, skipped, options, tolerant);
        if let Err(DataError::Empty { paths: names, .. }) = &mut data {
            *names = records::names(paths);
        }
        data
    }

    /// As [`TldrData::load`], from records in memory; `skipped` is the account so far.
    ///
    /// # Errors
    /// As [`TldrData::load`].
    pub fn prepare(
        records: Vec<TldrRecord>,
        skipped: Skipped,
        options: &TldrOptions,
    ) -> Result<Self, DataError> {
        Self::build(records, skipped, options, false)
    }

    fn build(
        records: Vec<TldrRecord>,
        mut skipped: Skipped,
        options: &TldrOptions,
        tolerant: bool,
    ) -> Result<Self, DataError> {
        let count = records.len();
        let mut obstacles = Vec::new();
        let mut filter = options.filter;
        if tolerant && count > 0 && !records.iter().any(|record| filter.keeps(record)) {
            filter = PolicyFilter::All;
            obstacles.push(format!(
                "none of {count} records compares two supervised policies; the numbers are those of all (`policies = \"all\"`)"
            ));
        }
        let kept = filtered(records, filter, &mut skipped);
        let official =
            kept.iter().any(TldrRecord::is_train) && kept.iter().any(|record| !record.is_train());
        let workers = rank(&kept, official, options.top_workers);
        if workers.seen().is_empty() {
            let found = format!("{count} records ({skipped})");
            let paths = "the records".into();
            return Err(DataError::Empty { paths, found });
        }
        let population = match Population::choose(&workers, &options.population) {
            Err(error) if tolerant && error.is_of_the_draw() => {
                obstacles.push(error.to_string());
                Population::choose_unchecked(&workers, &options.population)?
            }
            chosen => chosen?,
        };
        let sides = comparisons(&kept, &population, options.max_characters, &mut skipped)?;
        let unsplit = tolerant.then(|| [&sides.0[..], &sides.1].concat());
        let (mut split, left_out) = match (split(sides, official, options), unsplit) {
            (Err(error @ SplitError::TooFewSources { .. }), Some(all)) => {
                obstacles.push(error.to_string());
                let mut split = Split::empty(SplitOrigin::BySource);
                split.train = all;
                (split, Vec::new())
            }
            (split, _) => split?,
        };
        for comparison in left_out {
            skipped.add(ON_TWO_SIDES, comparison.source);
        }
        let unseen = without_unseen(&mut split.train, &workers, &mut skipped);
        Ok(Self {
            split,
            unseen,
            workers,
            population,
            records: count,
            skipped,
            obstacles,
        })
    }

    /// The statistics of Table 3; evaluation is validation and test together.
    pub fn stats(&self) -> TldrStats {
        let evaluation: Vec<&Comparison> = self
            .split
            .validation
            .iter()
            .chain(&self.split.test)
            .collect();
        let stats = TldrStats::of(
            &self.split.train,
            &evaluation,
            &self.workers,
            &self.population,
        );
        TldrStats {
            obstacles: self.obstacles.clone(),
            ..stats
        }
    }

    /// Seen workers by rank, the users of a model.
    pub fn users(&self) -> Vec<UserId> {
        self.workers
            .seen()
            .iter()
            .map(|worker| worker.id.clone())
            .collect()
    }
}

/// By post, the published training part as it is; with what is on no side.
fn split(
    (train, others): (Vec<Comparison>, Vec<Comparison>),
    official: bool,
    options: &TldrOptions,
) -> Result<(Split, Vec<Comparison>), SplitError> {
    if official {
        return split_official(train, others, &options.ratios, options.split_seed);
    }
    let all = train.into_iter().chain(others).collect();
    let split = split_by_source(all, &options.ratios, options.split_seed)?;
    Ok((split, Vec::new()))
}

fn filtered(
    records: Vec<TldrRecord>,
    filter: PolicyFilter,
    skipped: &mut Skipped,
) -> Vec<TldrRecord> {
    let keep = |record: &TldrRecord| {
        let keeps = filter.keeps(record);
        if !keeps {
            skipped.add(OTHER_POLICY, record.post_key());
        }
        keeps
    };
    records.into_iter().filter(keep).collect()
}

fn rank(records: &[TldrRecord], official: bool, top: usize) -> Workers {
    let of = |wanted: bool| {
        let part = records
            .iter()
            .filter(move |record| !official || record.is_train() == wanted);
        part.map(|record| &record.worker)
    };
    Workers::rank(of(true), of(false), top)
}

/// Comparisons, simulated or as stated, of the official training part and of the other parts.
fn comparisons(
    records: &[TldrRecord],
    population: &Population,
    max_characters: Option<usize>,
    skipped: &mut Skipped,
) -> Result<(Vec<Comparison>, Vec<Comparison>), DataError> {
    let (mut train, mut others) = (Vec::new(), Vec::new());
    for record in records {
        let comparison = match population.is_simulated() {
            true => {
                let unknown = || PopulationError::UnknownWorker(record.worker.clone());
                simulate(
                    record,
                    population.group(&record.worker).ok_or_else(unknown)?,
                )
            }
            false => record.stated(),
        };
        match comparison {
            None => skipped.add(EQUAL_TEXTS, record.post_key()),
            Some(comparison) if is_too_long(&comparison, max_characters) => {
                skipped.add(TOO_LONG, comparison.source)
            }
            Some(comparison) if record.is_train() => train.push(comparison),
            Some(comparison) => others.push(comparison),
        }
    }
    Ok((train, others))
}

fn is_too_long(comparison: &Comparison, limit: Option<usize>) -> bool {
    let (chosen, rejected) = comparison.lengths();
    limit.is_some_and(|limit| comparison.prompt.characters() + chosen.max(rejected) > limit)
}

/// Takes the comparisons of unseen workers out.
fn without_unseen(
    train: &mut Vec<Comparison>,
    workers: &Workers,
    skipped: &mut Skipped,
) -> Vec<Comparison> {
    let is_seen = |comparison: &Comparison| {
        let user = comparison.user.as_ref();
        user.is_some_and(|user| workers.is_seen(user))
    };
    let (seen, unseen): (Vec<Comparison>, Vec<Comparison>) =
        std::mem::take(train).into_iter().partition(is_seen);
    *train = seen;
    for comparison in &unseen {
        skipped.add(UNSEEN_IN_TRAINING, &comparison.source);
    }
    unseen
}
