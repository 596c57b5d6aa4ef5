//! `cargo xtask torture`: runs are killed and their disks filled at random times; resumed, they must be the runs that nothing
//! happened to.

mod faults;
mod traces;
mod world;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use faults::{Fault, Random};
use traces::Traces;
use world::{Program, World};

/// Kills training runs (SIGKILL, SIGTERM, SIGINT, SIGHUP) and fills their disks at random times, resumes them, and compares them
/// with a run that nothing happened to: adapters, users, log-probs and metrics to the bit, and the names of all files. Now and then
/// two programs want one folder: one of them must be refused.
///
/// Of ten rounds four are of `prlhf train`, two of `prlhf train --mode reward`, two of two programs at once, one of `bench` with a system of every
/// kind, and one of a finished `bench` whose report is written again: after every kill and every full disk there is one whole report, and nothing beside it. Needs a Unix; about six
/// seconds a round on two cores.
///
/// Next steps:
///   cargo xtask torture                     20 rounds
///   cargo xtask torture --rounds 100 --seed 7
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct TortureArgs {
    /// How many runs.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: u32,
    /// When what happens.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Times that the writing of one report is interrupted.
const REPORTS: u64 = 12;

/// Times that a run is interrupted, at most, before it may go on to its end.
const FAULTS: u64 = 3;

/// Tortures; fails at the first run that differs, and leaves its folder.
pub fn run(args: &TortureArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut world = World::new()?;
    let mut random = Random::new(args.seed);
    for round in 0..args.rounds {
        let start = Instant::now();
        let out = world.folder.join(format!("round-{round}"));
        let told = match round % 10 {
            4 => interrupted(&world, Program::Bench, &out, &mut random),
            9 => reported(&world, &out, &mut random),
            2 | 7 => shared(&world, &out),
            3 | 8 => interrupted(&world, Program::Reward, &out, &mut random),
            _ => interrupted(&world, Program::Prlhf, &out, &mut random),
        };
        let told = told.map_err(|problem| {
            world.keep();
            format!(
                "round {round} of seed {}: {problem}\nIts folder: {}",
                args.seed,
                out.display()
            )
        })?;
        std::fs::remove_dir_all(&out)?;
        eprintln!(
            "{:>3}  {:.1} s  {told}",
            round + 1,
            start.elapsed().as_secs_f64()
        );
    }
    eprintln!(
        "All {} runs are as those that nothing happened to.",
        args.rounds
    );
    Ok(ExitCode::SUCCESS)
}

/// A run that is interrupted, goes on, and is compared.
fn interrupted(
    world: &World,
    program: Program,
    out: &Path,
    random: &mut Random,
) -> Result<String, Box<dyn Error>> {
    let mut told = vec![program.name().to_owned()];
    for number in 0..1 + random.below(FAULTS) {
        let fault = Fault::new(random, world.seconds(program));
        told.push(fault.to_string());
        let ended = world.start(program, out, number > 0, &fault)?.ended()?;
        ended
            .validate(&fault)
            .map_err(|e| format!("{}: {e}", told.join(", ")))?;
    }
    let ended = world.start(program, out, true, &Fault::None)?.ended()?;
    let told = told.join(", ");
    ended
        .validate(&Fault::None)
        .map_err(|e| format!("{told}, resumed: {e}"))?;
    let found = Traces::read(out)?;
    found
        .validate(world.whole(program))
        .map_err(|e| format!("{told}: {e}"))?;
    Ok(told)
}

/// A finished experiment that writes its report again, killed and on full disks.
fn reported(world: &World, out: &Path, random: &mut Random) -> Result<String, Box<dyn Error>> {
    let start = |resume, fault: &Fault| {
        let ended = world.start(Program::Bench, out, resume, fault)?.ended()?;
        ended.validate(fault)?;
        Ok::<_, Box<dyn Error>>(())
    };
    start(false, &Fault::None)?;
    let again = Instant::now();
    start(true, &Fault::None)?;
    let seconds = again.elapsed().as_secs_f64();
    for _ in 0..REPORTS {
        let fault = Fault::of_report(random, seconds);
        let found = start(true, &fault).and_then(|()| {
            if matches!(fault, Fault::Signal(..)) {
                // Who is killed moves nothing any more: the next start does, which has room for nothing else.
                start(true, &Fault::FullDisk(1))?;
            }
            Traces::read(out)?.validate(world.whole(Program::Bench))?;
            world.validate_report(out)
        });
        found.map_err(|e| format!("bench, its report written again, {fault}: {e}"))?;
    }
    Ok(format!("bench, its report written again, {REPORTS} times"))
}

/// Two programs that want one folder: one trains, the other is refused.
fn shared(world: &World, out: &Path) -> Result<String, Box<dyn Error>> {
    let [first, second] = [(); 2].map(|()| world.start(Program::Prlhf, out, false, &Fault::None));
    let ended = [first?.ended()?, second?.ended()?];
    let refused = ended.iter().filter(|e| e.code == Some(1)).count();
    let done = ended.iter().filter(|e| e.code == Some(0)).count();
    if (done, refused) != (1, 1) {
        let errors = ended.map(|e| e.error).join("\n");
        return Err(
            format!("two programs at once: {done} done, {refused} refused\n{errors}").into(),
        );
    }
    let found = Traces::read(out)?;
    found.validate(world.whole(Program::Prlhf))?;
    Ok("two programs at once: one was refused".into())
}
