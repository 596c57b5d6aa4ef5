//! What every experiment takes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

const SETTINGS: &str = "Settings";
const ABLATIONS: &str = "The paper's ablations";

/// The flags that all experiments have.
#[derive(clap::Args, Default)]
pub struct Common {
    /// Size of the run, see above [default: tiny].
    #[arg(long, value_parser = ["tiny", "small", "paper"])]
    preset: Option<String>,
    /// Files in the official layout, or folders of them [default: the mini data in datasets/mini].
    #[arg(long, value_name = "PATH", num_args = 1.., value_parser = existing)]
    pub data: Vec<PathBuf>,
    /// A Hugging Face directory, a GGUF file or a hub id, instead of the preset's model.
    #[arg(long, value_name = "SOURCE")]
    pub model: Option<OsString>,
    /// Where it computes: `flex` (CPU), `cuda:N` (NVIDIA GPU number N), `wgpu` or `wgpu:N` (other GPUs). Several with
    /// commas between them share the work of a step [default: flex].
    #[arg(long, value_parser = device)]
    device: Option<String>,
    /// Moves initialisation, order and sampling [default: 0].
    #[arg(long)]
    seed: Option<u64>,
    /// Several seeds with commas between them, such as 0,1,2: each has a run in a folder of its own below --out, and the report
    /// pools them.
    #[arg(long, value_name = "A,B,C", conflicts_with = "seed", value_parser = seeds)]
    seeds: Option<String>,
    /// Folder for the report and the adapters [default: runs/EXPERIMENT-PRESET].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Goes on with the run in --out.
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Replaces the run in --out.
    #[arg(long)]
    force: bool,
    /// Shows the statistics of the data and stops; needs no model, writes nothing and has no seed but the data's own.
    #[arg(long, conflicts_with_all = ["out", "seed", "seeds", "resume", "force"])]
    stats: bool,
    /// Soft tokens per user, T_u.
    #[arg(long, help_heading = ABLATIONS, value_name = "N")]
    user_tokens: Option<usize>,
    /// Weight of the user's own loss against the generic user's, 0 to 1.
    #[arg(long, help_heading = ABLATIONS, value_name = "X")]
    alpha: Option<f64>,
    /// Another preference loss than the preset's, such as ipo, with that loss's default settings; docs/losses.md has the names.
    #[arg(long, help_heading = ABLATIONS, value_name = "NAME")]
    loss: Option<String>,
    /// Leaves out the shared e_0: a user's soft tokens are its own row alone.
    #[arg(long, help_heading = ABLATIONS)]
    no_generic: bool,
    /// Clusters of the cluster-based user model.
    #[arg(long, help_heading = ABLATIONS, value_name = "K")]
    clusters: Option<usize>,
    /// Only these systems, for example `vanilla-dpo,pdpo-individual`.
    #[arg(long, help_heading = SETTINGS, value_name = "A,B,C")]
    systems: Option<String>,
    /// A configuration file instead of the preset's in configs/.
    #[arg(long, help_heading = SETTINGS, value_name = "FILE", value_parser = existing)]
    config: Option<PathBuf>,
    /// Sets any key of the configuration, with the last word: `training.learning_rate=1e-4` for all systems,
    /// `systems.pdpo-cluster.training.epochs=2` for one. May be given several times; configs/README.md says more.
    #[arg(long, help_heading = SETTINGS, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<String>,
}

impl Common {
    /// Makes paths absolute that were typed in the folder `here`.
    pub fn move_paths(&mut self, here: &Path) {
        let paths = self.data.iter_mut();
        for path in paths.chain(&mut self.out).chain(&mut self.config) {
            *path = here.join(&path);
        }
        if let Some(model) = &mut self.model {
            let path = here.join(&model);
            if path.exists() {
                *model = path.into(); // else a hub id
            }
        }
    }

    /// Whether the preset's own model must be fetched.
    pub fn needs_small_model(&self) -> bool {
        self.preset.as_deref() == Some("small") && self.model.is_none() && !self.stats
    }

    /// The cargo features of `bench` that the devices need.
    pub fn device_features(&self) -> impl Iterator<Item = &'static str> {
        let names = self.device.as_deref().unwrap_or_default();
        let features = [("cuda", "bench/cuda"), ("wgpu", "bench/wgpu")];
        let needed = features.map(|(kind, feature)| names.contains(kind).then_some(feature));
        needed.into_iter().flatten()
    }

    /// Whether the model may be on a hub, or a judge behind https: so it is for all that is not known to be otherwise.
    pub fn is_online(&self) -> bool {
        let elsewhere = |model: &OsString| !Path::new(model).exists();
        let named = |set: &String| set.starts_with("model.") || set.starts_with("judge.");
        let preset = self.preset.as_deref().unwrap_or("tiny");
        let hub_preset = !["tiny", "small"].contains(&preset) && self.model.is_none();
        self.model.as_ref().is_some_and(elsewhere)
            || (hub_preset && !self.stats)
            || self.config.is_some()
            || self.set.iter().any(named)
    }

    /// What `bench` is given: the flags as they came, and the fetched model.
    pub fn flags(&self, fetched: Option<PathBuf>) -> Vec<OsString> {
        let model = self.model.clone().or(fetched.map(Into::into));
        let mut flags = Vec::new();
        for path in &self.data {
            flags.extend(["--data".into(), path.into()]);
        }
        for (flag, value) in [
            ("--preset", text(&self.preset)),
            ("--model", model),
            ("--device", text(&self.device)),
            ("--seed", text(&self.seed)),
            ("--seeds", text(&self.seeds)),
            ("--out", self.out.clone().map(Into::into)),
            ("--user-tokens", text(&self.user_tokens)),
            ("--alpha", text(&self.alpha)),
            ("--loss", text(&self.loss)),
            ("--clusters", text(&self.clusters)),
            ("--systems", text(&self.systems)),
            ("--config", self.config.clone().map(Into::into)),
        ] {
            flags.extend(value.into_iter().flat_map(|value| [flag.into(), value]));
        }
        for assignment in &self.set {
            flags.extend(["--set".into(), assignment.into()]);
        }
        for (flag, set) in [
            ("--resume", self.resume),
            ("--force", self.force),
            ("--stats", self.stats),
            ("--no-generic", self.no_generic),
        ] {
            flags.extend(set.then(|| flag.into()));
        }
        flags
    }
}

/// A value as it is typed.
pub fn text<T: ToString>(value: &Option<T>) -> Option<OsString> {
    value.as_ref().map(|value| value.to_string().into())
}

/// Checked here, since the build comes before `bench` can check it.
pub fn existing(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.exists() {
        Ok(path)
    } else {
        Err("there is no such file or folder".into())
    }
}

fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.into()),
        _ => Err("expected KEY=VALUE, such as training.learning_rate=1e-4".into()),
    }
}

fn seeds(text: &str) -> Result<String, String> {
    match text.split(',').all(|seed| seed.parse::<u64>().is_ok()) {
        true => Ok(text.into()),
        false => Err("expected whole numbers with commas between them, such as 0,1,2".into()),
    }
}

fn device(text: &str) -> Result<String, String> {
    let known = |name: &str| match name.split_once(':') {
        Some((kind, number)) => ["cuda", "wgpu"].contains(&kind) && number.parse::<u32>().is_ok(),
        None => ["flex", "wgpu"].contains(&name),
    };
    match text.split(',').all(known) {
        true => Ok(text.into()),
        false => Err(
            "expected `flex`, `cuda:N`, `wgpu` or `wgpu:N`, or several with commas between them"
                .into(),
        ),
    }
}
