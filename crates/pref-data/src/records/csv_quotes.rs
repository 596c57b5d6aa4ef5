//! Quotes in CSV files. The `csv` crate takes `"a" b` for `a b`; what stands in a cell would be altered in silence.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

/// Where quotes end before their cells do: offsets of bytes, in their order.
#[derive(Clone, Default)]
pub(super) struct EarlyEnds(Rc<RefCell<VecDeque<u64>>>);

impl EarlyEnds {
    /// Whether there is one before this offset; takes all of them away.
    pub(super) fn any_before(&self, end: u64) -> bool {
        let mut ends = self.0.borrow_mut();
        let before = ends.iter().take_while(|at| **at < end).count();
        ends.drain(..before).next().is_some()
    }
}

/// Bytes of a CSV file that are watched on their way.
pub(super) struct Watched<R> {
    input: R,
    delimiter: u8,
    state: State,
    /// Bytes that have gone by.
    passed: u64,
    found: EarlyEnds,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the first byte of a cell.
    Start,
    Plain,
    Quoted,
    /// Behind a quote in a cell that began with one.
    Closed,
}

impl<R> Watched<R> {
    pub(super) fn new(input: R, delimiter: u8) -> (Self, EarlyEnds) {
        let found = EarlyEnds::default();
        let watched = Self {
            input,
            delimiter,
            state: State::Start,
            passed: 0,
            found: found.clone(),
        };
        (watched, found)
    }

    fn watch(&mut self, byte: u8) {
        const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
        let is_quote = byte == b'"';
        let ends_cell = byte == self.delimiter || matches!(byte, b'\r' | b'\n');
        let at = self.passed;
        self.passed += 1;
        self.state = match self.state {
            State::Quoted if is_quote => State::Closed,
            State::Quoted => State::Quoted,
            State::Closed if is_quote => State::Quoted,
            _ if ends_cell => State::Start,
            State::Start if is_quote => State::Quoted,
            State::Start if usize::try_from(at).is_ok_and(|at| MARK.get(at) == Some(&byte)) => {
                State::Start
            }
            State::Closed => {
                self.found.0.borrow_mut().push_back(at);
                State::Plain
            }
            State::Start | State::Plain => State::Plain,
        };
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        for byte in &buffer[..read] {
            self.watch(*byte);
        }
        Ok(read)
    }
}
