//! PersonalLLM, whose people are simulated: weights over ten reward models.
//!
//! `namkoong-lab/PersonalLLM` holds eight responses to each prompt and the scores of the ten models, and no people. Here each
//! model is one user, the person who is of one mind with it: she prefers the response that it scores highest to the lowest one,
//! which are the pairs that LoRe takes. `PersonalLLM_InteractionDatabase` holds what simulated people chose: pairs `response_1_a`,
//! `response_1_b` with `chosen_1`, and so on.

use super::Judged;
use crate::comparison::Prompt;
use crate::error::DataError;
use crate::general::{TIE, source_of, verdict};
use crate::records::Fields;

pub(super) const SCORED: &[&str] = &[
    "prompt",
    "response_1",
    "response_8",
    "response_1_gemma_2b",
    "response_8_oasst_pythia_1b",
];
pub(super) const CHOSEN: &[&str] = &[
    "person_id",
    "prompt_1",
    "response_1_a",
    "response_1_b",
    "chosen_1",
];

const RESPONSES: usize = 8;
const MODELS: [&str; 10] = [
    "gemma_2b",
    "gemma_7b",
    "mistral_raft",
    "mistral_ray",
    "mistral_weqweasdas",
    "llama3_sfairx",
    "oasst_deberta_v3",
    "beaver_7b",
    "oasst_pythia_7b",
    "oasst_pythia_1b",
];

pub(super) fn decode(fields: &Fields) -> Result<Judged, DataError> {
    match fields.contains("person_id") {
        true => chosen(fields),
        false => scored(fields),
    }
}

fn scored(fields: &Fields) -> Result<Judged, DataError> {
    let mut judged = Judged::new(fields);
    let prompt = Prompt::Text(fields.text("prompt")?);
    let source = source_of(&prompt);
    let responses = (1..=RESPONSES).map(|n| fields.text(&format!("response_{n}")));
    let responses: Vec<String> = responses.collect::<Result<_, _>>()?;
    for model in MODELS {
        let scores = (1..=RESPONSES).map(|n| fields.number(&format!("response_{n}_{model}")));
        let scores: Vec<f64> = scores.collect::<Result<_, _>>()?;
        // Of equal scores the first counts, as in numpy.
        let place = |is_better: fn(f64, f64) -> bool| {
            (1..RESPONSES).fold(0, |best, n| match is_better(scores[n], scores[best]) {
                true => n,
                false => best,
            })
        };
        let (best, worst) = (place(|a, b| a > b), place(|a, b| a < b));
        match best == worst {
            true => judged.left_out.push(TIE),
            false => judged.add(
                Some(model),
                prompt.clone(),
                Some(&source),
                [&responses[best], &responses[worst]],
            ),
        }
    }
    Ok(judged)
}

fn chosen(fields: &Fields) -> Result<Judged, DataError> {
    let mut judged = Judged::new(fields);
    let person = fields.name("person_id")?;
    for n in 1.. {
        let column = format!("prompt_{n}");
        if !fields.contains(&column) {
            break;
        }
        // People have different numbers of choices; the columns of the others are empty.
        let Some(prompt) = fields.optional_text(&column)? else {
            continue;
        };
        let verdict = verdict(fields, &format!("chosen_{n}"), &["a", "b"])?;
        let first = fields.text(&format!("response_{n}_a"))?;
        let second = fields.text(&format!("response_{n}_b"))?;
        let prompt = Prompt::Text(prompt);
        judged.add_verdict(Some(&person), prompt, verdict, [&first, &second]);
    }
    Ok(judged)
}
