//! Why a template could not be read or rendered.

/// An error of a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Error {
    /// What kind of error.
    pub kind: ErrorKind,
    /// The line in the template, from 1; 0 if unknown.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// Kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source is no template, or too large or too deeply nested for one.
    Syntax,
    /// The template itself refused what it was given (`raise_exception`).
    Refused,
    /// An operation that Python refuses too.
    Failed,
    /// Too deep a nesting.
    Limit,
    /// It took too long, or too much memory.
    Exhausted,
}

/// Errors are boxed, so that results stay small.
pub(crate) type Fallible<T> = Result<T, Box<Error>>;

fn error(kind: ErrorKind, line: u32, message: String) -> Box<Error> {
    Box::new(Error {
        kind,
        line,
        message,
    })
}

pub(crate) fn syntax(line: u32, message: impl Into<String>) -> Box<Error> {
    error(ErrorKind::Syntax, line, message.into())
}

/// The line is added by the statement in which it happens.
pub(crate) fn failed(message: impl Into<String>) -> Box<Error> {
    error(ErrorKind::Failed, 0, message.into())
}

pub(crate) fn refused(message: impl Into<String>) -> Box<Error> {
    error(ErrorKind::Refused, 0, message.into())
}

pub(crate) fn exhausted(message: impl Into<String>) -> Box<Error> {
    error(ErrorKind::Exhausted, 0, message.into())
}

pub(crate) fn limit(message: impl Into<String>) -> Box<Error> {
    error(ErrorKind::Limit, 0, message.into())
}

/// Places an error that has no line yet.
pub(crate) fn at<T>(line: u32, result: Fallible<T>) -> Fallible<T> {
    result.map_err(|mut error| {
        if error.line == 0 {
            error.line = line;
        }
        error
    })
}
