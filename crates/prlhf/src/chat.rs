//! `prlhf chat`: a conversation with what was trained, as one of its users.

use std::io::BufRead;

use clap::Args;
use terminal::Output;
use trainer::TrainError;
use trainer::inference::{Engine, Job};
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pref_data::{Message, Prompt};
use trainer::tokenise::SpecialTokens;
use trainer::user_model::UserRef;

use crate::prepare::fit_prompts;
use crate::sampling::SamplingArgs;
use crate::trained::TrainedArgs;

/// Arguments of `prlhf chat`.
#[derive(Args, Debug)]
pub struct ChatArgs {
    /// Who answers.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// As whom you speak; default: the generic user.
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// How tokens are chosen.
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

const HELP: &str = "/user ID speaks as another user, /user as the generic one; /reset forgets the conversation; \
                    /quit ends it";

struct Chat<'a> {
    engine: &'a Engine,
    sampling: SamplingConfig,
    user: UserRef,
    history: Vec<Message>,
    /// Without a chat template every line is a prompt of its own.
    template: bool,
    /// Somebody sits at a terminal.
    prompted: bool,
}

/// Reads lines from `input` and answers each on `out`, word by word, until the end of the input or `/quit`. Errors, and
/// with somebody there (`prompted`) prompt and help, go to `notes`.
///
/// # Errors
/// Adapters that cannot be opened, an unknown `--user`, or a broken stream; inside the conversation an error is noted
/// and the conversation goes on.
pub fn run(
    args: &ChatArgs,
    (input, prompted): (&mut dyn BufRead, bool),
    notes: &mut Output<'_>,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let mut opened = args.trained.open()?;
    opened.engine.validate_writer()?;
    opened.engine = opened.engine.with_special_tokens(SpecialTokens::Text); // What is typed is text.
    let (engine, sampling) = (
        &opened.engine,
        args.sampling.over(&opened.config().sampling),
    );
    fit_prompts(engine, sampling.max_new_tokens)?;
    let user = match &args.user {
        Some(id) => engine.user(id)?,
        None => UserRef::Generic,
    };
    let mut chat = Chat {
        template: engine.formatter().tokenizer().chat_template().is_some(),
        sampling,
        engine,
        user,
        history: Vec::new(),
        prompted,
    };
    if prompted {
        notes.line(HELP)?;
    }
    if !chat.template {
        notes.line("the model has no chat template: every line is a prompt of its own")?;
    }
    chat.converse(input, notes, out)
}

impl Chat<'_> {
    fn converse(
        &mut self,
        input: &mut dyn BufRead,
        notes: &mut Output<'_>,
        out: &mut Output<'_>,
    ) -> Result<(), TrainError> {
        loop {
            if self.prompted {
                notes.text(&format!("{}> ", printable::id(self.name())))?;
            }
            let mut line = String::new();
            let read = input.read_line(&mut line);
            let stream = "input";
            if read.map_err(|source| TrainError::Stream { stream, source })? == 0 {
                return Ok(());
            }
            let line = line.trim();
            match line.split_once(char::is_whitespace).unwrap_or((line, "")) {
                ("", _) => {}
                ("/quit", _) => return Ok(()),
                ("/reset", _) => self.history.clear(),
                ("/user", id) => match self.switch(id.trim()) {
                    Ok(()) => self.history.clear(),
                    Err(error) => notes.line(format_args!("error: {error}"))?,
                },
                (command, _) if command.starts_with('/') => notes.line(HELP)?,
                _ => self.answer(line, notes, out)?,
            }
        }
    }

    fn name(&self) -> &str {
        match &self.user {
            UserRef::Generic => "generic",
            UserRef::Id(id) => id,
        }
    }

    fn switch(&mut self, id: &str) -> Result<(), TrainError> {
        self.user = match id {
            "" => UserRef::Generic,
            id => self.engine.user(id)?,
        };
        Ok(())
    }

    fn answer(
        &mut self,
        line: &str,
        notes: &mut Output<'_>,
        out: &mut Output<'_>,
    ) -> Result<(), TrainError> {
        self.remember("user", line);
        let prompt = match self.template {
            true => Prompt::Chat(self.history.clone()),
            false => Prompt::Text(line.into()),
        };
        let job = Job::new(prompt, self.user.clone(), self.sampling.clone());
        let mut written = Ok(());
        let answer = self.engine.stream(&job, |piece| {
            if written.is_ok() {
                written = out.text(piece);
            }
        });
        written?;
        out.line("")?;
        match answer {
            Ok(response) => self.remember("assistant", &response.text),
            Err(error) => {
                self.history.pop();
                notes.line(format_args!("error: {error}"))?;
            }
        }
        Ok(())
    }

    fn remember(&mut self, role: &str, content: &str) {
        self.history.push(Message::new(role, content));
    }
}
