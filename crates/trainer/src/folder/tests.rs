use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Files in a folder, as a run leaves them.
fn fill(dir: &Path, names: &[&str]) {
    for name in names {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
}

/// What lies below a folder, but for the marker.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path.strip_prefix(dir).unwrap().display().to_string()),
            }
        }
    }
    found.retain(|name| name != MARKER);
    found.sort();
    found
}

/// A run that has ended, with folders of its own.
fn run(dir: &Path, made: &[&str]) {
    let mut folder = RunFolder::claim(dir, Start::New, &[]).unwrap();
    let made: Vec<String> = made.iter().map(|&name| name.into()).collect();
    folder.begin(Start::New, &made, &[]).unwrap();
}

fn replace(dir: &Path, inputs: &[PathBuf]) -> Result<(), TrainError> {
    RunFolder::claim(dir, Start::Replace, inputs)?.begin(Start::Replace, &[], inputs)
}

#[test]
fn a_run_is_replaced_and_nobody_elses_files_are() {
    let dir = folder();
    let dir = dir.path();
    run(dir, &["dpo"]);
    fill(
        dir,
        &[
            "config.toml",
            "metrics.jsonl",
            "adapters/adapter_config.json",
            "checkpoint.new/state.json",
            "plots/accuracies.svg",
            "dpo/checkpoint/optimizer.bpk",
            "dpo/result.json",
            "dpo/.result.json.Ab12Cd.tmp",
            "dpo/reference/evaluated-0123456789abcdef.jsonl",
            "reference/reference-0123456789abcdef.jsonl",
        ],
    );
    let others = [
        "adapters/README.md",
        "dpo/data.jsonl",
        "mine/config.toml",
        "mine/result.json",
        "model.safetensors",
        "reference/mine.jsonl",
        "train.jsonl",
    ];
    fill(dir, &others);
    replace(dir, &[]).unwrap();
    assert_eq!(files(dir), others);
}

#[test]
fn a_folder_that_no_run_has_marked_is_not_replaced() {
    let dir = folder();
    fill(dir.path(), &["config.toml", "adapters/adapter_config.json"]);
    let before = files(dir.path());
    let error = replace(dir.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("not of a run"), "{error}");
    assert_eq!(files(dir.path()), before);
    assert!(!dir.path().join(MARKER).exists());
}

#[test]
fn what_a_run_reads_is_not_replaced() {
    let dir = folder();
    run(dir.path(), &[]);
    fill(dir.path(), &["config.toml", "adapters/adapter_config.json"]);
    for input in ["config.toml", "adapters"] {
        let error = replace(dir.path(), &[dir.path().join(input)]).unwrap_err();
        assert!(error.to_string().contains("is read by this run"), "{error}");
    }
    assert_eq!(files(dir.path()).len(), 2);
    // A folder of data with all runs below it is none of its files.
    replace(dir.path(), &[dir.path().parent().unwrap().into()]).unwrap();
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_second_run_in_the_same_folder_is_refused_until_the_first_has_ended() {
    let dir = folder();
    let first = RunFolder::claim(dir.path(), Start::New, &[]).unwrap();
    for start in [Start::New, Start::Resume, Start::Replace] {
        let error = RunFolder::claim(dir.path(), start, &[]).unwrap_err();
        let expected = format!("is in use by process {}", std::process::id());
        assert!(error.to_string().contains(&expected), "{error}");
    }
    assert!(RunFolder::validate_idle(dir.path()).is_err());
    drop(first);
    RunFolder::validate_idle(dir.path()).unwrap();
    RunFolder::claim(dir.path(), Start::New, &[]).unwrap();
}

#[test]
fn who_does_not_take_long_is_waited_for() {
    let dir = folder();
    let adapters = dir.path().join("adapters");
    fs::create_dir(&adapters).unwrap();
    fs::write(dir.path().join(MARKER), "").unwrap();
    let first = RunFolder::hold(&adapters).unwrap();
    let none = std::time::Duration::ZERO;
    let error = RunFolder::hold_after_others(&adapters, none, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("is in use"), "{error}");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let long = std::time::Duration::from_secs(600);
            let mut told = |who: &str| sender.send(who.to_owned()).unwrap();
            RunFolder::hold_after_others(&adapters, long, &mut told).map(drop)
        });
        assert_eq!(
            receiver.recv().unwrap(),
            format!("process {}", std::process::id())
        );
        drop(first);
        second.join().unwrap().unwrap();
    });
}

#[test]
fn a_run_that_does_not_begin_leaves_no_trace() {
    let parent = folder();
    let dir = parent.path().join("run");
    drop(RunFolder::claim(&dir, Start::New, &[]).unwrap());
    assert!(!dir.exists());
    RunFolder::validate(&dir, Start::Resume, &[]).unwrap();
    assert!(!dir.exists());
}

#[test]
fn a_resume_touches_nothing_where_there_is_nothing_to_resume() {
    let dir = folder();
    fill(dir.path(), &["metrics.jsonl", "config.toml"]);
    let error = RunFolder::claim(dir.path(), Start::Resume, &[]).unwrap_err();
    assert!(error.to_string().contains("no checkpoint"), "{error}");
    assert!(!dir.path().join(MARKER).exists());
    // A run from before there were markers goes on.
    fill(dir.path(), &["checkpoint/state.json"]);
    RunFolder::claim(dir.path(), Start::Resume, &[]).unwrap();
}

#[test]
fn a_resume_sweeps_what_a_killed_run_left_half_written() {
    let dir = folder();
    run(dir.path(), &["dpo"]);
    fill(
        dir.path(),
        &[
            ".config.toml.Ab12Cd.tmp",
            ".notes.txt.Ab12Cd.tmp",
            "dpo/.result.json.Ab12Cd.tmp",
            "dpo/result.json",
        ],
    );
    let mut folder = RunFolder::claim(dir.path(), Start::Resume, &[]).unwrap();
    folder.begin(Start::Resume, &[], &[]).unwrap();
    assert_eq!(
        files(dir.path()),
        [".notes.txt.Ab12Cd.tmp", "dpo/result.json"]
    );
}

#[test]
fn the_configuration_of_the_user_is_left_as_it_is() {
    let dir = folder();
    run(dir.path(), &[]);
    let path = dir.path().join(CONFIG);
    fs::write(&path, "# mine").unwrap();
    let folder = RunFolder::claim(dir.path(), Start::Resume, &[]).unwrap();
    folder
        .write_config("seed = 1", std::slice::from_ref(&path))
        .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine");
    folder.write_config("seed = 1", &[]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "seed = 1");
}

#[test]
fn folders_in_those_of_a_run_and_the_reports_of_others_stay() {
    let dir = folder();
    run(dir.path(), &[]);
    let mine = [
        "adapters/best/adapter_config.json",
        "checkpoint/backup/state.json",
        "plots/mine.svg",
        "report.md",
    ];
    fill(dir.path(), &mine);
    fill(
        dir.path(),
        &["adapters/adapter_config.json", "checkpoint/state.json"],
    );
    replace(dir.path(), &[]).unwrap();
    assert_eq!(files(dir.path()), mine);
}

#[test]
fn the_folder_of_an_experiment_and_those_in_it_are_no_place_for_a_run() {
    let dir = folder();
    run(dir.path(), &["dpo"]);
    RunFolder::validate_own(dir.path()).unwrap();
    fill(dir.path(), &["clock", "dpo/result.json"]);
    for inner in [dir.path().to_path_buf(), dir.path().join("dpo")] {
        let error = RunFolder::validate_own(&inner).unwrap_err().to_string();
        assert!(error.contains("is the folder of an experiment"), "{error}");
    }
}

#[test]
fn whoever_changes_adapters_of_an_experiment_keeps_it_out_and_is_kept_out_by_it() {
    for place in [
        "dpo/adapters",
        "split-1/dpo/adapters",
        "split-1/seed-2/dpo/user-3/adapters",
    ] {
        let dir = folder();
        run(dir.path(), &["dpo", "split-1"]);
        fill(
            dir.path(),
            &["clock", &format!("{place}/adapter_config.json")],
        );
        let adapters = dir.path().join(place);
        let process = format!("in use by process {}", std::process::id());
        let experiment = RunFolder::claim(dir.path(), Start::Resume, &[]).unwrap();
        let error = RunFolder::hold(&adapters).unwrap_err().to_string();
        assert!(error.contains(&process), "{place}: {error}");
        drop(experiment);
        let held = RunFolder::hold(&adapters).unwrap();
        let error = RunFolder::claim(dir.path(), Start::Resume, &[]).unwrap_err();
        assert!(error.to_string().contains(&process), "{place}: {error}");
        drop(held);
        // The experiment still knows which folders are its own.
        fill(dir.path(), &["dpo/result.json"]);
        replace(dir.path(), &[]).unwrap();
        assert!(!dir.path().join("dpo/result.json").exists(), "{place}");
    }
}

#[test]
fn whoever_changes_adapters_keeps_runs_and_others_out() {
    let dir = folder();
    run(dir.path(), &[]);
    fill(dir.path(), &["adapters/adapter_config.json"]);
    let adapters = dir.path().join("adapters");
    let held = RunFolder::hold(&adapters).unwrap();
    let process = format!("in use by process {}", std::process::id());
    let error = RunFolder::hold(&adapters).unwrap_err().to_string();
    assert!(error.contains(&process), "{error}");
    let error = RunFolder::claim(dir.path(), Start::Resume, &[]).unwrap_err();
    assert!(error.to_string().contains(&process), "{error}");
    drop(held);
    RunFolder::hold(&adapters).unwrap();
}
