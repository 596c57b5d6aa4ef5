//! Calls, filters and tests, with their arguments.

use std::sync::Arc;

use super::Parser;
use crate::ast::{Arguments, Expr, ExprKind};
use crate::error::{Fallible, syntax};
use crate::lexer::Token;

impl Parser {
    pub(super) fn call(&mut self, expr: Expr) -> Fallible<Expr> {
        let line = self.line();
        let (arguments, depth) = self.arguments()?;
        let depth = depth.max(expr.depth);
        self.node(line, ExprKind::Call(expr, arguments), depth)
    }

    /// Arguments in parentheses, and how deep they are.
    fn arguments(&mut self) -> Fallible<(Arguments, u32)> {
        self.expect_operator("(")?;
        let mut found = Arguments::default();
        let (mut depth, mut is_first) = (0, true);
        while !self.is_operator(")") {
            if !is_first {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            is_first = false;
            depth = depth.max(self.argument(&mut found)?);
        }
        self.expect_operator(")")?;
        Ok((found, depth))
    }

    fn argument(&mut self, found: &mut Arguments) -> Fallible<u32> {
        let late = found.more.is_some() || found.more_named.is_some();
        let line = self.line();
        let wrong = || {
            Err(syntax(
                line,
                "arguments in an order that a call does not have",
            ))
        };
        if self.skip_operator("*") {
            let value = self.expression()?;
            let depth = value.depth;
            return match found.more.replace(value).is_some() || found.more_named.is_some() {
                true => wrong(),
                false => Ok(depth),
            };
        }
        if self.skip_operator("**") {
            let value = self.expression()?;
            let depth = value.depth;
            return match found.more_named.replace(value) {
                Some(_) => wrong(),
                None => Ok(depth),
            };
        }
        if matches!(self.following(), Token::Operator("="))
            && let Token::Name(name) = self.token()
        {
            let name = Arc::clone(name);
            self.advance();
            self.advance();
            let value = self.expression()?;
            let depth = value.depth;
            found.named.push((name, value));
            return match found.more_named.is_some() {
                true => wrong(),
                false => Ok(depth),
            };
        }
        let value = self.expression()?;
        let depth = value.depth;
        found.positional.push(value);
        match late || !found.named.is_empty() {
            true => wrong(),
            false => Ok(depth),
        }
    }

    pub(super) fn filters_and_tests(&mut self, mut expr: Expr) -> Fallible<Expr> {
        loop {
            expr = match self.token() {
                Token::Operator("|") => self.filters(Some(expr), false)?,
                Token::Operator("(") => self.call(expr)?,
                Token::Name(name) if &**name == "is" => self.test(expr)?,
                _ => return Ok(expr),
            };
        }
    }

    /// `|name(...)|name ...`; the first stands without its `|` at the head of a `{% filter %}`.
    pub(super) fn filters(&mut self, mut value: Option<Expr>, without_bar: bool) -> Fallible<Expr> {
        let mut first = without_bar;
        loop {
            if !first {
                self.expect_operator("|")?;
            }
            first = false;
            let line = self.line();
            let name = self.dotted_name()?;
            let (arguments, depth) = match self.is_operator("(") {
                true => self.arguments()?,
                false => Default::default(),
            };
            let depth = depth.max(value.as_ref().map_or(0, |value| value.depth));
            let filter = self.node(line, ExprKind::Filter(value, name, arguments), depth)?;
            if !self.is_operator("|") {
                return Ok(filter);
            }
            value = Some(filter);
        }
    }

    fn dotted_name(&mut self) -> Fallible<Arc<str>> {
        let mut name = self.name()?;
        while self.skip_operator(".") {
            name = format!("{name}.{}", self.name()?).into();
        }
        Ok(name)
    }

    fn test(&mut self, expr: Expr) -> Fallible<Expr> {
        let line = self.line();
        self.advance();
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        let (arguments, depth) = match self.token() {
            Token::Operator("(") => self.arguments()?,
            Token::Operator("[" | "{") | Token::Text(_) | Token::Integer(_) | Token::Float(_) => {
                self.bare_argument()?
            }
            Token::Name(next) if !["else", "or", "and"].contains(&&**next) => {
                if &**next == "is" {
                    return Err(syntax(line, "tests cannot be chained with `is`"));
                }
                self.bare_argument()?
            }
            _ => Default::default(),
        };
        let depth = depth.max(expr.depth);
        let test = self.node(line, ExprKind::Test(expr, name, arguments), depth)?;
        match negated {
            false => Ok(test),
            true => {
                let depth = test.depth;
                self.node(line, ExprKind::Not(test), depth)
            }
        }
    }

    /// The one argument of a test that has no parentheses.
    fn bare_argument(&mut self) -> Fallible<(Arguments, u32)> {
        let value = self.nest(Self::primary)?;
        let value = self.postfix(value)?;
        let depth = value.depth;
        let arguments = Arguments {
            positional: vec![value],
            ..Arguments::default()
        };
        Ok((arguments, depth))
    }
}
