//! The official layout: what real files hold, and the steps of the experiment.

use std::fs;

use pref_data::tldr::{
    self, PopulationChoice, PopulationError, Summary, TldrData, TldrOptions, TldrRecord,
};
use pref_data::{DataError, ReadOptions, Skipped, SplitOrigin};
use serde_json::json;
use tempfile::TempDir;

const POST: &str = r#"{"info":{"id":"t3_a","post":"Post.","title":"Title","subreddit":"pets"},"split":"train","summaries":[{"text":" short","policy":"sup1","note":null},{"text":" much longer","policy":"sup2","note":"ok"}],"choice":0,"worker":"w","batch":"b","extra":{"confidence":2}}"#;
const ARTICLE: &str = r#"{"info":{"site":"cnn","title":"Title","article":"News."},"split":"valid1","summaries":[{"text":" same","policy":"sup1","note":null},{"text":" same","policy":"sup2","note":null}],"choice":1,"worker":"v","batch":null,"extra":null}"#;

fn load(text: &str) -> Result<Vec<TldrRecord>, DataError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.json");
    fs::write(&path, text).unwrap();
    tldr::read(&[path], ReadOptions::default())?.collect()
}

fn record(post: &str, worker: &str, split: &str, texts: [&str; 2]) -> TldrRecord {
    TldrRecord {
        id: Some(post.into()),
        title: Some("Title".into()),
        text: "Post.".into(),
        subreddit: Some("pets".into()),
        summaries: texts.map(|text| Summary {
            text: text.into(),
            policy: "sup".into(),
        }),
        choice: 0,
        worker: worker.into(),
        split: split.into(),
    }
}

#[test]
fn a_post_is_read_whole_and_its_prompt_is_the_papers() {
    let record = load(POST).unwrap().remove(0);
    assert_eq!(
        record.prompt(),
        "SUBREDDIT: r/pets\nTITLE: Title\nPOST: Post.\nTL;DR: "
    );
    assert_eq!(record.post_key(), "t3_a");
    assert_eq!(
        record.summaries[0].text, " short",
        "the leading space stays"
    );
    assert_eq!((record.choice, record.is_train()), (0, true));
    assert_eq!(record.stated().unwrap().chosen, " short");
}

#[test]
fn an_article_without_id_is_named_by_its_text() {
    let record = load(ARTICLE).unwrap().remove(0);
    assert_eq!(record.prompt(), "TITLE: Title\nPOST: News.\nTL;DR: ");
    assert!(record.post_key().starts_with("text-"));
    assert_eq!(record.stated(), None, "equal texts");
}

#[test]
fn an_array_is_read_like_lines() {
    assert_eq!(
        load(&format!("[{POST},\n{ARTICLE}]")).unwrap(),
        load(&format!("{POST}\n{ARTICLE}")).unwrap()
    );
}

#[test]
fn broken_records_name_the_field() {
    let problem = |from: &str, to: &str| {
        let text = POST.replace(from, to);
        assert_ne!(text, POST);
        let message = load(&format!("{POST}\n{text}")).unwrap_err().to_string();
        message.split_once("batch.json:").unwrap().1.to_owned()
    };
    assert_eq!(
        problem(r#""choice":0"#, r#""choice":2"#),
        "2: field `choice`: expected 0 or 1, found the number 2"
    );
    assert_eq!(
        problem(r#""policy":"sup2""#, r#""policy":null"#),
        "2: field `summaries[1].policy`: expected text, found null"
    );
    assert!(problem(r#""worker":"w","#, "").starts_with("2: field `worker`"));
    assert!(problem(r#""post":"Post.","#, "").starts_with("2: field `info.post`"));
    assert!(
        problem(r#"[{"text":" short","policy":"sup1","note":null},"#, "[")
            .starts_with("2: field `summaries`")
    );
}

/// Workers a (4 training comparisons), b (3), c (1); posts t0.. in training, v0.. in validation.
fn small() -> Vec<TldrRecord> {
    let mut records = Vec::new();
    for (worker, count) in [("a", 4), ("b", 3), ("c", 1)] {
        for n in 0..count {
            let long = format!("longer text {n} of {worker}");
            records.push(record(&format!("t{n}"), worker, "train", ["short", &long]));
        }
    }
    for n in 0..8 {
        let worker = ["a", "b", "c", "d"][n % 4];
        let long = format!("longer text {n}");
        records.push(record(&format!("v{n}"), worker, "valid1", [&long, "brief"]));
    }
    records
}

fn options(minority: &[usize]) -> TldrOptions {
    TldrOptions {
        top_workers: 2,
        population: PopulationChoice::MinorityRanks(minority.to_vec()),
        ..TldrOptions::default()
    }
}

const UNSEEN_IN_TRAINING: &str = "training comparison of an unseen worker";
const OTHER_POLICY: &str = "a summary of another policy than supervised fine-tuning";

#[test]
fn official_training_records_make_the_training_part() {
    let data = TldrData::prepare(small(), Skipped::default(), &options(&[2, 4])).unwrap();
    assert_eq!(data.split.origin, SplitOrigin::Official);
    data.split.validate_disjoint().unwrap();
    assert_eq!(data.users(), ["a".into(), "b".into()]);
    assert_eq!(data.split.train.len(), 7);
    assert_eq!(data.skipped.count(UNSEEN_IN_TRAINING), 1);
    // Eight posts at 1 to 2.
    assert_eq!((data.split.validation.len(), data.split.test.len()), (3, 5));
    let stats = data.stats();
    assert_eq!((stats.workers.majority, stats.workers.minority), (1, 1));
    assert_eq!((stats.train.majority, stats.train.minority), (4, 3));
    assert_eq!(
        (
            stats.evaluation_seen.majority,
            stats.evaluation_seen.minority
        ),
        (2, 2)
    );
    assert_eq!(
        (
            stats.evaluation_unseen.majority,
            stats.evaluation_unseen.minority
        ),
        (2, 2)
    );
    let longer = stats.yardsticks.always_longer;
    assert_eq!((longer.top, longer.generic), (Some(0.5), Some(0.5)));
    assert_eq!((longer.majority, longer.minority), (Some(1.0), Some(0.0)));
    assert_eq!(stats.per_worker[3].worker, "d".into());
    assert!(stats.to_string().contains("training comparisons"));
}

#[test]
fn without_training_records_posts_are_split_and_the_origin_says_so() {
    let mut records = small();
    records
        .iter_mut()
        .for_each(|record| record.split = "valid2".into());
    let data = TldrData::prepare(records, Skipped::default(), &options(&[2])).unwrap();
    assert_eq!(data.split.origin, SplitOrigin::BySource);
    assert!(data.split.origin.to_string().contains("do not hold both"));
    data.split.validate_disjoint().unwrap();
    assert!(
        data.split
            .train
            .iter()
            .all(|item| data.workers.is_seen(item.user.as_ref().unwrap()))
    );
}

#[test]
fn everything_left_out_is_counted() {
    let mut records = small();
    records.push(record("v8", "a", "valid1", ["same", "same"]));
    records.push(record("v9", "a", "valid1", ["x", &"y".repeat(5000)]));
    records.push(record("t0", "a", "valid1", ["x", "yy"]));
    let mut other = record("v9", "a", "valid1", ["x", "yy"]);
    other.summaries[1].policy = "ref".into();
    records.push(other);
    let data = TldrData::prepare(records, Skipped::default(), &options(&[2])).unwrap();
    for reason in [
        "the two summaries are equal",
        "prompt and response have too many characters",
        "validation comparison that shares its post or pair with training",
        OTHER_POLICY,
        UNSEEN_IN_TRAINING,
    ] {
        assert_eq!(data.skipped.count(reason), 1, "{reason}");
    }
    let kept = data.split.train.len() + data.split.validation.len() + data.split.test.len();
    assert_eq!(kept as u64 + data.skipped.total(), data.records as u64);
}

#[test]
fn one_group_only_and_nothing_left_are_errors() {
    let result = TldrData::prepare(small(), Skipped::default(), &options(&[3]));
    assert!(matches!(
        result,
        Err(DataError::Population(PopulationError::MissingGroup { .. }))
    ));
    let mut records = small();
    records
        .iter_mut()
        .for_each(|record| record.summaries[0].policy = "ref".into());
    let error = TldrData::prepare(records, Skipped::default(), &options(&[2])).unwrap_err();
    assert!(error.to_string().contains("no comparison left"), "{error}");
    assert!(error.to_string().contains(OTHER_POLICY), "{error}");
}

/// Official records of these workers, one post each, all by these two policies.
fn official_file(workers: &[&str], policies: [&str; 2]) -> tempfile::NamedTempFile {
    let line = |(n, worker): (usize, &&str)| {
        let summaries = ["a longer summary", "short"];
        let summaries = [0, 1].map(|i| json!({"text": summaries[i], "policy": policies[i]}));
        let info = json!({"id": format!("t{n}"), "post": format!("post {n}"), "title": "T", "subreddit": "s"});
        let record = json!({"info": info, "split": "valid1", "summaries": summaries, "choice": 0, "worker": worker});
        format!("{record}\n")
    };
    let text: String = workers.iter().enumerate().map(line).collect();
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn statistics_are_told_of_data_that_make_no_experiment_with_the_reason_below() {
    let options = TldrOptions::default();
    let survey = |file: &tempfile::NamedTempFile| {
        assert!(TldrData::load(&[file.path()], &options).is_err());
        TldrData::survey(&[file.path()], &options).unwrap().stats()
    };
    // One worker is in one group, whatever is drawn.
    let stats = survey(&official_file(&["w"; 9], ["sup4"; 2]));
    assert_eq!((stats.workers.total(), stats.workers.minority), (1, 0));
    assert_eq!(stats.train.total() + stats.evaluation(), 9);
    assert_eq!(stats.obstacles.len(), 1);
    let text = stats.to_string();
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        "The experiment cannot run on these data: the draw of seed 3456 puts none of 1 seen workers into the \
         minority: expected both groups, choose another seed or share."
    );
    // One post cannot be split; it counts as training.
    let stats = survey(&official_file(&["w"], ["sup4"; 2]));
    assert_eq!((stats.train.total(), stats.obstacles.len()), (1, 2));
    // Other policies than the paper's.
    let workers = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let stats = survey(&official_file(&workers, ["sup4", "sup4_ppo"]));
    assert_eq!(stats.workers.total(), 9);
    assert!(
        stats.obstacles[0].contains("none of 9 records"),
        "{:?}",
        stats.obstacles
    );
    // Nothing at all is an error still.
    let nothing = official_file(&[], ["sup4"; 2]);
    assert!(TldrData::survey(&[nothing.path()], &options).is_err());
}

#[test]
fn real_annotators_choose_what_the_records_say_and_are_in_no_group() {
    let options = TldrOptions {
        population: PopulationChoice::Real,
        ..TldrOptions::default()
    };
    // One worker is enough: nobody is drawn into a group.
    let records: Vec<TldrRecord> = (0..20)
        .map(|n| TldrRecord {
            choice: n % 2,
            text: format!("Post {n}."),
            ..record(&format!("t{n}"), "w", "valid1", ["short", "much longer"])
        })
        .collect();
    let data = TldrData::prepare(records, Skipped::default(), &options).unwrap();
    let sides = [&data.split.train, &data.split.validation, &data.split.test];
    let all: Vec<_> = sides.into_iter().flatten().collect();
    assert_eq!(all.len(), 20);
    for comparison in all {
        let number: usize = comparison.source[1..].parse().unwrap();
        assert_eq!(comparison.chosen, ["short", "much longer"][number % 2]);
        assert_eq!(comparison.group, None);
    }
    let stats = data.stats();
    assert_eq!(
        (
            stats.workers.total(),
            stats.workers.ungrouped,
            stats.simulated
        ),
        (1, 1, false)
    );
    assert_eq!(stats.yardsticks.perfect, None);
    let text = stats.to_string();
    assert!(text.starts_with("What the annotators chose"), "{text}");
    assert!(!text.contains("majority "), "{text}");
}
