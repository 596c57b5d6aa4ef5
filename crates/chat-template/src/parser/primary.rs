//! Names, constants, brackets, and what stands behind a value: attributes, items, slices.

use std::sync::Arc;

use super::Parser;
use super::expression::deepest;
use crate::ast::{Expr, ExprKind};
use crate::error::Fallible;
use crate::lexer::Token;

impl Parser {
    pub(super) fn primary(&mut self) -> Fallible<Expr> {
        let line = self.line();
        let kind = match self.token() {
            Token::Name(name) => {
                let name = Arc::clone(name);
                self.advance();
                self.name_or_constant(name)
            }
            Token::Text(text) => {
                let mut text = Arc::clone(text);
                self.advance();
                while let Token::Text(more) = self.token() {
                    text = format!("{text}{more}").into();
                    self.advance();
                }
                ExprKind::Text(text)
            }
            Token::Integer(number) => {
                let kind = ExprKind::Integer(*number);
                self.advance();
                kind
            }
            Token::Float(number) => {
                let kind = ExprKind::Float(*number);
                self.advance();
                kind
            }
            Token::Operator("(") => {
                self.advance();
                let inner = self.nest(|parser| parser.tuple(true, &[], true))?;
                self.expect_operator(")")?;
                return Ok(inner);
            }
            Token::Operator("[") => return self.list(),
            Token::Operator("{") => return self.dict(),
            _ => return self.unexpected("an expression"),
        };
        self.node(line, kind, 0)
    }

    fn name_or_constant(&mut self, name: Arc<str>) -> ExprKind {
        match &*name {
            "true" | "True" => return ExprKind::Bool(true),
            "false" | "False" => return ExprKind::Bool(false),
            "none" | "None" => return ExprKind::None,
            "varargs" => self.macros.iter_mut().for_each(|uses| uses.varargs = true),
            "kwargs" => self.macros.iter_mut().for_each(|uses| uses.kwargs = true),
            "caller" => self.macros.iter_mut().for_each(|uses| uses.caller = true),
            _ => {}
        }
        ExprKind::Name(name)
    }

    fn list(&mut self) -> Fallible<Expr> {
        let line = self.line();
        self.advance();
        let mut items = Vec::new();
        while !self.is_operator("]") {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator("]") {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        self.expect_operator("]")?;
        let depth = deepest(&items);
        self.node(line, ExprKind::List(items), depth)
    }

    fn dict(&mut self) -> Fallible<Expr> {
        let line = self.line();
        self.advance();
        let mut items = Vec::new();
        while !self.is_operator("}") {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect_operator(":")?;
            items.push((key, self.expression()?));
        }
        self.expect_operator("}")?;
        let depth = deepest(items.iter().flat_map(|(key, value)| [key, value]));
        self.node(line, ExprKind::Dict(items), depth)
    }

    pub(super) fn postfix(&mut self, mut expr: Expr) -> Fallible<Expr> {
        loop {
            expr = match self.token() {
                Token::Operator(".") => self.attribute(expr)?,
                Token::Operator("[") => self.subscript(expr)?,
                Token::Operator("(") => self.call(expr)?,
                _ => return Ok(expr),
            };
        }
    }

    fn attribute(&mut self, expr: Expr) -> Fallible<Expr> {
        let line = self.line();
        self.advance();
        let depth = expr.depth;
        if let Token::Integer(index) = self.token() {
            let index = self.node(line, ExprKind::Integer(*index), 0)?;
            self.advance();
            return self.node(line, ExprKind::Item(expr, index), depth);
        }
        let name = self.name()?;
        self.node(line, ExprKind::Attribute(expr, name), depth)
    }

    fn subscript(&mut self, expr: Expr) -> Fallible<Expr> {
        let line = self.line();
        self.advance();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            let start = match self.is_operator(":") {
                true => None,
                false => Some(self.expression()?),
            };
            if self.is_operator(":") {
                if is_tuple {
                    return self.unexpected("`]`");
                }
                return self.slice(line, expr, start);
            }
            items.extend(start);
            if !self.skip_operator(",") {
                break;
            }
            is_tuple = true;
        }
        self.expect_operator("]")?;
        let depth = deepest(&items);
        let index = match (items.pop(), is_tuple) {
            (Some(index), false) => index,
            (last, _) => {
                items.extend(last);
                self.node(line, ExprKind::Tuple(items), depth)?
            }
        };
        let depth = expr.depth.max(index.depth);
        self.node(line, ExprKind::Item(expr, index), depth)
    }

    fn slice(&mut self, line: u32, expr: Expr, start: Option<Expr>) -> Fallible<Expr> {
        let mut parts = [start, None, None];
        for part in &mut parts[1..] {
            if !self.skip_operator(":") {
                break;
            }
            if !self.is_operator(":") && !self.is_operator("]") {
                *part = Some(self.expression()?);
            }
        }
        self.expect_operator("]")?;
        let depth = deepest(parts.iter().flatten().chain([&expr]));
        self.node(line, ExprKind::Slice(expr, parts), depth)
    }
}
