//! The program `prlhf`: train, check, evaluate and use personalised language models.

mod best_of;
mod chat;
mod check;
mod estimate;
mod eval;
mod generate;
mod inspect;
mod inspect_run;
mod judge;
mod merge;
mod prepare;
mod profile;
mod sampling;
mod score;
mod show;
mod train;
mod trained;
mod users;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use terminal::{
    INTERRUPTED, Output, Profile, WhileRead, end_at_signals, fail, logging, say, stopped,
};
use trainer::{TrainError, memory};

/// Language models that learn who prefers what, from comparisons that carry a user id.
#[derive(Parser)]
#[command(version, after_help = TOUR)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const TOUR: &str = "\
A first tour, with a configuration of your own (configs/example.toml documents every key):
  prlhf check --config run.toml                      what is in the data, does it fit, how long will it take
  prlhf train --config run.toml --out runs/mine      train; Ctrl-C saves, --resume goes on
  prlhf eval --run runs/mine --data test.jsonl       accuracy by users and prompts, calibration
  prlhf generate --run runs/mine --user anna --prompt 'How do I boil an egg?'
  prlhf chat --run runs/mine --user anna

Results go to standard output, logs to standard error (RUST_LOG sets their level). Exit codes: 0 done, 1 error,
2 wrong arguments, 130 stopped by Ctrl-C, SIGTERM or SIGHUP (a training run saves first).";

#[derive(Subcommand)]
enum Command {
    /// Train adapters and user model on comparisons.
    #[command(after_help = TRAIN)]
    Train(train::TrainArgs),
    /// Look at data and model before training.
    #[command(after_help = CHECK)]
    Check(check::CheckArgs),
    /// Measure accuracy and calibration on comparisons, by users and prompts, or compare two runs.
    #[command(after_help = EVAL)]
    Eval(eval::EvalArgs),
    /// Write responses for users.
    #[command(after_help = GENERATE)]
    Generate(generate::GenerateArgs),
    /// Tell what texts are worth to users, by a reward model.
    #[command(after_help = SCORE)]
    Score(score::ScoreArgs),
    /// Talk to the model as one of its users.
    #[command(after_help = CHAT)]
    Chat(chat::ChatArgs),
    /// List, add, fit, remove, export and import users.
    #[command(after_help = USERS)]
    Users(users::UsersArgs),
    /// Merge adapters into their base model, as a model for any program.
    #[command(after_help = MERGE)]
    Merge(merge::MergeArgs),
    /// Describe a model, adapters, a checkpoint, a run, a configuration, or comparisons.
    #[command(after_help = INSPECT)]
    Inspect(inspect::InspectArgs),
}

const TRAIN: &str = "\
--mode online makes a policy of a reward model or of a judge: for the prompts and users of data.train it samples online.num_generations
responses each, has --reward score them for the user, or the language model at --judge-url compare them, and moves towards the better ones
(online.method: rloo, grpo, or dpo, which makes the best and the worst a comparison for [objective]). metrics.jsonl has reward, kl,
lengths and shares of empty and cut responses of each step, and by user of each validation; docs/online.md says more.
A judge is told the user's user_text, or a few of the user's comparisons. Its answers are kept in judge/ of the run, so that a run that goes on asks
nothing twice; `prlhf check --mode online --judge-url URL --judge-model NAME` says how much will be asked.

The folder of a run holds config.toml (as used), metrics.jsonl (one line a step), adapters/ (PEFT's layout and the user
model; the best validation's), checkpoint/ and reference/ (log-probs, computed once), and .prlhf-run, which marks and locks it:
--force replaces files that a run wrote, and only in folders so marked. Ctrl-C, SIGTERM and SIGHUP save, or end what has not begun to train; a
second one, half a second later or more, ends at once.

Examples:
  prlhf train --config run.toml                      into runs/run
  prlhf train --config run.toml --out runs/a --seed 1
  prlhf train --config run.toml --out runs/b --set training.learning_rate=1e-4 --set objective.beta=0.2
  prlhf train --config run.toml --out runs/a --resume
  prlhf train --config run.toml --out runs/sft --mode sft
  prlhf train --config run.toml --out runs/reward --mode reward
  prlhf train --config run.toml --out runs/online --mode online --reward runs/reward
  prlhf train --config run.toml --out runs/grpo --mode online --reward runs/reward --set online.method=grpo --set online.max_new_tokens=64
  prlhf train --config run.toml --out runs/judged --mode online --judge-url http://localhost:8080/v1 --judge-model NAME --judge-calls 2000
  prlhf train --config run.toml --plain --profile     where the time goes, beside this machine's matrix products
  prlhf train --config run.toml --plain --profile=150 the same beside a rate of 150 GFLOP/s";

const CHECK: &str = "\
data.train names files and folders (JSON Lines, JSON, CSV, TSV, Parquet, Arrow; .gz and .zst too), hf://OWNER/NAME for a data set of the hub, or
- for standard input. Columns: prompt, chosen, rejected, user; [data.columns] maps other names, data.layout says whose layout files have. prompt.special_tokens says whether the text of special tokens in raw data is one. `--show 3` shows what is trained, as tokens.

Exit code 0 means that training can start. Time and memory are counted from shapes, on a GPU against training.gpu_memory_gb and at
training.gpu_tflops, and then measured on two comparisons. Warnings tell, with an example each, where data, tokenizer and chat template
do not go together.

Examples:
  prlhf check --config run.toml
  prlhf check --config run.toml --no-estimate --show 3      three comparisons as the tokens that are trained
  prlhf check --config run.toml --mode reward               as a reward model
  prlhf check --config run.toml --mode online --judge-url http://localhost:8080/v1 --judge-model NAME   how much a judge will be asked";

const EVAL: &str = "\
A comparison is ranked right if the implicit reward, beta * (log-prob under the policy - under the base model), is higher
for the preferred response; of a reward model, if the reward is. Users whom the model does not know are ranked as the generic user. A prompt is seen if it was
trained on. Calibration asks how often the preferred response was the one that the policy gives a probability of so much,
sigmoid(difference of rewards).

--answers asks what else a few answers of a user could be used for, on the comparisons of users who have some: each way has accuracy, the difference
to the generic user with its interval, the tokens of a request, and the seconds that a user takes. Policies of all kinds can read answers or a sentence in
the prompt; what they make of them is measured against the base model without them. Users without answers are left out of these rows, and told.
Adapters of each user's own are `cargo xtask repro onboarding`'s. Nothing is written to the run
but log-probs of the base model, which later evaluations read.

Examples:
  prlhf eval --run runs/a --data test.jsonl
  prlhf eval --run runs/a --data test.jsonl --answers answers.jsonl --json a.json
  prlhf eval --run runs/vanilla --data test.jsonl --answers answers.jsonl --ways nearest-in-prompt,profile --json b.json
  prlhf eval --compare 'b.json#nearest-in-prompt' 'a.json#fitted'
  prlhf eval --adapters runs/a/adapters --model path/to/model --data test.jsonl more/ --json a.json
  prlhf eval --compare runs/a runs/b --data test.jsonl
  prlhf eval --compare a.json b.json                 no model is needed";

const GENERATE: &str = "\
Examples:
  prlhf generate --run runs/a --user anna --user ben --generic --prompt 'How do I boil an egg?'
  prlhf generate --run runs/a --user anna --prompts prompts.jsonl --json > responses.jsonl
  prlhf generate --adapters runs/a/adapters --model path/to/model --greedy --prompt 'Hello'
  prlhf generate --run runs/a --user anna --prompt 'Hello' --best-of 8 --reward runs/reward";

const SCORE: &str = "\
One JSON object a line: user, known (whether the model knows the user; the generic user's reward stands for others), prompt, response,
reward. Rewards of one prompt can be compared; sigmoid(difference) is how likely the first is to be preferred.

Examples:
  prlhf score --run runs/reward --data texts.jsonl > rewards.jsonl
  prlhf score --run runs/reward --data texts.csv --set prompt.max_response_length=512";

const CHAT: &str = "\
Commands inside: /user ID, /user (the generic user), /reset, /quit.

Examples:
  prlhf chat --run runs/a --user anna
  echo 'How do I boil an egg?' | prlhf chat --run runs/a --user anna";

const USERS: &str = "\
Examples:
  prlhf users --run runs/a list
  prlhf users fit --run runs/a --user emma --data emma.jsonl
  prlhf users profile --run runs/a --user emma --prompts prompts.txt
  prlhf users profile --run runs/a --user emma --prompts prompts.txt --paragraph judge --judge-url http://localhost:8080/v1 --judge-model NAME
  prlhf users --run runs/a export anna anna.json
  prlhf users --run runs/a remove anna
  prlhf users --run runs/a import anna.json";

const MERGE: &str = "\
The merged model is a Hugging Face folder: weights, config.json, tokenizer and chat template. A user model is not merged: it
stays beside the adapters, and the merged model is the same for everybody.

Examples:
  prlhf merge --run runs/sft                         into runs/sft/merged
  prlhf merge --adapters lora/ --model path/to/model --out models/mine --dtype bf16";

const INSPECT: &str = "\
Examples:
  prlhf inspect path/to/model.gguf
  prlhf inspect runs/a
  prlhf inspect data.jsonl
  prlhf inspect run.toml                             the configuration with every default";

fn main() -> ExitCode {
    memory::keep();
    let cli = Cli::parse();
    let profile = match &cli.command {
        Command::Train(args) if args.profile.is_some() => Some(Profile::default()),
        _ => None,
    };
    logging::init_with(profile.clone());
    // A chat waits for what is typed; training saves, once it has read what it trains on.
    if !matches!(cli.command, Command::Chat(_)) {
        end_at_signals();
    }
    match run(&cli.command, profile.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(closed) if closed.is_closed_output() => ExitCode::SUCCESS,
        // What has nothing to save does not go on.
        Err(TrainError::Stopped) => {
            say("stopped");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => stopped("prlhf", &error).unwrap_or_else(|| fail(&error)),
    }
}

fn run(command: &Command, profile: Option<&Profile>) -> Result<(), TrainError> {
    // Not locked: the dashboard draws from a thread of its own.
    let mut stdout = io::stdout();
    let out = &mut Output(&mut stdout);
    match command {
        Command::Train(args) => {
            let start = Instant::now();
            let mut stdout = WhileRead::new(io::stdout());
            let out = &mut Output(&mut stdout);
            let result = train::run(args, out);
            let ran = matches!(result, Ok(()) | Err(TrainError::Interrupted { .. }));
            if let Some(profile) = profile.filter(|_| ran) {
                profile::print(args, profile, start.elapsed(), out)?;
            }
            result
        }
        Command::Check(args) => check::run(args, out),
        Command::Eval(args) => eval::run(args, out),
        Command::Generate(args) => generate::run(args, out),
        Command::Score(args) => score::run(args, out),
        Command::Chat(args) => {
            let mut stdin = io::stdin().lock();
            let prompted = stdin.is_terminal();
            let input = (&mut stdin as &mut dyn io::BufRead, prompted);
            chat::run(args, input, &mut Output(&mut io::stderr()), out)
        }
        Command::Users(args) => users::run(args, out),
        Command::Merge(args) => merge::run(args, out),
        Command::Inspect(args) => inspect::run(args, out),
    }
}
