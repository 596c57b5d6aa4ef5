//! Memory: what this process takes and what is free, where the system tells (Linux), and what training will take.

use llm_backbone::Model;
use llm_backbone::device::is_cpu;

use crate::config::Checkpointing;
use crate::error::TrainError;

/// Forgets the peak so far, so that the next [`peak_bytes`] speaks of what follows.
pub fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident set since the start or the last reset; none where the system does not tell.
pub fn peak_bytes() -> Option<u64> {
    status("VmHWM:")
}

/// The resident set now; none where the system does not tell.
pub fn current_bytes() -> Option<u64> {
    status("VmRSS:")
}

/// What programs can still take without swapping; none where the system does not tell.
pub(crate) fn available_bytes() -> Option<u64> {
    field("/proc/meminfo", "MemAvailable:")
}

fn status(name: &str) -> Option<u64> {
    field("/proc/self/status", name)
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Bytes that a training step takes beside the model when `rows` rows of `longest` tokens are in work at a time: what the
/// graph keeps of each block for the backward pass, and the gradient on its way through one.
pub(crate) fn of_step(model: &Model, how: Checkpointing, rows: usize, longest: usize) -> u64 {
    let tokens = rows * longest;
    let (blocks, d) = (model.costs().blocks, model.d_model());
    let per_block = model.activations_per_token(longest);
    let numbers = match how {
        Checkpointing::Blocks => tokens * (blocks * d + 2 * per_block),
        Checkpointing::None | Checkpointing::Operations => tokens * (blocks + 1) * per_block,
    };
    4 * numbers as u64
}

/// That a training step fits.
///
/// # Errors
/// [`TrainError::Memory`] where the system says that less is free; not on a GPU, whose memory it does not know.
pub(crate) fn validate_step(
    model: &Model,
    how: Checkpointing,
    rows: usize,
    longest: usize,
) -> Result<(), TrainError> {
    let needed = of_step(model, how, rows, longest);
    let on_cpu = is_cpu(&model.device());
    match available_bytes().filter(|_| on_cpu) {
        Some(available) if needed > available => Err(TrainError::Memory {
            needed,
            available,
            rows,
            longest,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::flops::tests::model;

    #[test]
    fn a_step_keeps_the_same_of_every_token_and_block() {
        // Widths as in `model`. Per token and block: 4 * 8, queries and output 2 * 8, keys and values 2 * 4,
        // probabilities 2 * 10, and 3 * 16.
        let (tokens, per_block) = (6 * 10, 32 + 16 + 8 + 20 + 48);
        let kept = of_step(&model(3), Checkpointing::None, 6, 10);
        assert_eq!(kept, 4 * tokens * 4 * per_block);
        let blockwise = of_step(&model(3), Checkpointing::Blocks, 6, 10);
        assert_eq!(blockwise, 4 * tokens * (3 * 8 + 2 * per_block));
    }

    #[test]
    fn a_step_that_cannot_fit_is_refused_with_advice() {
        if available_bytes().is_none() {
            return;
        }
        let how = Checkpointing::None;
        let error = validate_step(&model(1), how, 1 << 20, 1 << 16).expect_err("a refusal");
        let message = error.to_string();
        assert!(
            message.contains("1048576 rows of up to 65536 tokens"),
            "{message}"
        );
        assert!(message.contains("lower training.micro_rows"), "{message}");
        assert!(validate_step(&model(1), how, 8, 100).is_ok());
    }
}
