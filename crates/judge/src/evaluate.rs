//! Judging a list of items.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::chat::Message;
use crate::client::{Answer, JudgeClient};
use crate::error::JudgeError;
use crate::outcome::{Item, Outcome, Unjudged, Unparsable};
use crate::prompt::PromptFile;
use crate::verdict::{Choice, Position, Verdict};

/// An evaluation is given up after so many failed questions in a row: one item may be too long for a judge, but not
/// each.
const FAILURES_IN_A_ROW: usize = 3;

/// How often it is asked whether to go on, while no answer comes.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Judges every item. `progress` is called with the answered questions and all questions, at first with what the cache
/// knew, then after every answer and a few times a second; where it says `false`, judging ends once the calls under way have. Questions
/// that are the same are asked once. Answers without a verdict are not kept: the next evaluation asks again.
///
/// A question that fails leaves its item unjudged, and the rest goes on. A used up budget, a server that refuses the key or
/// the address, three failed questions in a row, or an answer that cannot be kept ends the evaluation: what was judged
/// is in the outcome, the reason in [`Outcome::stopped`], which is a [`JudgeError::CalledOff`] within where `progress` said so.
///
/// # Errors
/// [`JudgeError::Template`] if an item does not fit the prompts; nothing has been asked then.
pub fn judge_all(
    client: &JudgeClient,
    prompt: &PromptFile,
    items: &[Item],
    position: Position,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Outcome, JudgeError> {
    let calls = client.calls();
    let plan = Plan::new(client, prompt, items, position)?;
    let has_verdict = |answer: &Answer| prompt.labels().read(&answer.text).is_some();
    let kept = plan.questions.iter().map(|q| client.cached(q));
    let mut answers: Vec<_> = kept.map(|answer| answer.filter(has_verdict)).collect();
    let open: Vec<usize> = (0..answers.len())
        .filter(|&i| answers[i].is_none())
        .collect();
    let cached = answers.len() - open.len();
    let mut failures = HashMap::new();
    let mut done = cached;
    let stopped = match progress(cached, answers.len()) {
        false => Some(JudgeError::CalledOff),
        true => ask_all((client, &has_verdict), &plan.questions, &open, |news| {
            match news {
                Some((question, Ok(answer))) => {
                    answers[question] = Some(answer);
                    done += 1;
                }
                Some((question, Err(error))) => {
                    failures.insert(question, error.to_string());
                }
                None => {}
            }
            progress(done, answers.len())
        }),
    };
    let mut outcome = plan.read(prompt, items, &answers, &failures);
    outcome.calls = client.calls() - calls;
    outcome.cached = cached;
    outcome.stopped = stopped.map(|error| with_left(error, outcome.unjudged.len()));
    Ok(outcome)
}

/// Which questions an item needs, each with whether ours is shown first.
type Asked = Vec<(usize, bool)>;

struct Plan {
    questions: Vec<Vec<Message>>,
    /// None of them for two outputs that are the same.
    asked: Vec<Asked>,
}

impl Plan {
    fn new(
        client: &JudgeClient,
        prompt: &PromptFile,
        items: &[Item],
        position: Position,
    ) -> Result<Self, JudgeError> {
        let mut questions = Vec::new();
        let mut known = HashMap::new();
        let mut asked = Vec::new();
        for item in items {
            let mut of_item = Vec::new();
            let orders: &[bool] = match item.ours == item.theirs {
                true => &[],
                false => position.orders(&item.user, &item.id),
            };
            for &ours_first in orders {
                let messages = prompt.messages(item, ours_first)?;
                let place = *known
                    .entry(client.key(&messages))
                    .or_insert(questions.len());
                if place == questions.len() {
                    questions.push(messages);
                }
                of_item.push((place, ours_first));
            }
            asked.push(of_item);
        }
        Ok(Self { questions, asked })
    }

    fn read(
        &self,
        prompt: &PromptFile,
        items: &[Item],
        answers: &[Option<Answer>],
        failures: &HashMap<usize, String>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        for (index, (item, asked)) in items.iter().zip(&self.asked).enumerate() {
            let missing = asked.iter().find(|(place, _)| answers[*place].is_none());
            if let Some((place, _)) = missing {
                let reason = failures.get(place).cloned();
                outcome.unjudged.push(Unjudged {
                    index,
                    id: item.id.clone(),
                    reason: reason.unwrap_or_else(|| JudgeError::CalledOff.to_string()),
                });
            }
            let mut verdicts = Vec::new();
            for &(place, ours_first) in asked {
                let Some(answer) = &answers[place] else {
                    continue;
                };
                match prompt.labels().read(&answer.text) {
                    Some(choice) => verdicts.push(counted(&mut outcome, choice, ours_first)),
                    None => outcome.unparsable.push(Unparsable {
                        index,
                        id: item.id.clone(),
                        answer: answer.text.clone(),
                        cut: answer.cut,
                    }),
                }
            }
            outcome.identical += usize::from(asked.is_empty());
            let whole = verdicts.len() == asked.len();
            let verdict = whole.then(|| agreed(&verdicts));
            let both = matches!(verdicts[..], [one, other] if one != other);
            outcome.places.disagreements += u64::from(both);
            outcome.verdicts.push(verdict);
        }
        outcome
    }
}

fn counted(outcome: &mut Outcome, choice: Choice, ours_first: bool) -> Verdict {
    outcome.places.count(choice);
    choice.verdict(ours_first)
}

/// The verdict on which all orders agree, else a tie.
fn agreed(verdicts: &[Verdict]) -> Verdict {
    match verdicts {
        [first, rest @ ..] if rest.iter().all(|verdict| verdict == first) => *first,
        _ => Verdict::Tie,
    }
}

/// A question, and what came of it.
type News<'a> = (usize, Result<Answer, &'a JudgeError>);

/// Whether an answer is kept.
type IsUsable<'a> = dyn Fn(&Answer) -> bool + Sync + 'a;

/// Asks the open questions from as many threads as the client may have calls under way. `take` is called in this
/// thread, as the answers come and while none does, and says whether to go on. Gives the reason if it ended early.
fn ask_all(
    (client, is_usable): (&JudgeClient, &IsUsable<'_>),
    questions: &[Vec<Message>],
    open: &[usize],
    mut take: impl FnMut(Option<News<'_>>) -> bool,
) -> Option<JudgeError> {
    let queue = Queue {
        client,
        is_usable,
        questions,
        open,
        next: AtomicUsize::new(0),
        ended: AtomicBool::new(false),
    };
    let mut stopped = None;
    let mut in_a_row = 0;
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..client.config().concurrency.min(open.len()) {
            let sender = sender.clone();
            scope.spawn(|| queue.work(sender));
        }
        drop(sender);
        loop {
            let goes_on = match receiver.recv_timeout(LOOK_EVERY) {
                Ok((question, Ok(answer))) => {
                    in_a_row = 0;
                    take(Some((question, Ok(answer))))
                }
                Ok((_, Err(JudgeError::CalledOff))) => true,
                Ok((question, Err(error))) => {
                    in_a_row += 1;
                    let goes_on = take(Some((question, Err(&error))));
                    if stopped.is_none() && (in_a_row >= FAILURES_IN_A_ROW || is_final(&error)) {
                        queue.ended.store(true, Ordering::Relaxed);
                        stopped = Some(error);
                    }
                    goes_on
                }
                Err(RecvTimeoutError::Timeout) => take(None),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !goes_on && stopped.is_none() {
                queue.ended.store(true, Ordering::Relaxed);
                stopped = Some(JudgeError::CalledOff);
            }
        }
    });
    stopped
}

struct Queue<'a> {
    client: &'a JudgeClient,
    is_usable: &'a IsUsable<'a>,
    questions: &'a [Vec<Message>],
    open: &'a [usize],
    next: AtomicUsize,
    ended: AtomicBool,
}

impl Queue<'_> {
    fn work(&self, sender: Sender<(usize, Result<Answer, JudgeError>)>) {
        while !self.ended.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&question) = self.open.get(next) else {
                return;
            };
            let messages = &self.questions[question];
            let result = (self.client).call(messages, self.is_usable, &self.ended);
            if sender.send((question, result)).is_err() {
                return;
            }
        }
    }
}

/// Whether every other question would fail the same way.
fn is_final(error: &JudgeError) -> bool {
    match error {
        // These may lie in the one question: too long, or not to the server's taste.
        JudgeError::Refused { status, .. } => !matches!(status, 400 | 413 | 422),
        JudgeError::Failing { .. } => false,
        _ => true,
    }
}

fn with_left(error: JudgeError, left: usize) -> JudgeError {
    match error {
        JudgeError::Budget { budget, last, .. } => JudgeError::Budget { budget, left, last },
        source => JudgeError::GivenUp {
            left,
            source: Box::new(source),
        },
    }
}
