//! Expressions, from the loosest operator to the tightest.

use super::{LONGEST_CHAIN, Parser};
use crate::ast::{Comparator, Expr, ExprKind, Operator};
use crate::error::{Fallible, syntax};
use crate::lexer::Token;

/// The deepest of some expressions.
pub(super) fn deepest<'a>(inner: impl IntoIterator<Item = &'a Expr>) -> u32 {
    inner.into_iter().map(|expr| expr.depth).max().unwrap_or(0)
}

impl Parser {
    pub(super) fn expression(&mut self) -> Fallible<Expr> {
        self.nest(Self::conditional_expression)
    }

    /// One expression, or several with commas between them, which are a tuple.
    pub(super) fn tuple(
        &mut self,
        with_condition: bool,
        ends: &[&str],
        in_parentheses: bool,
    ) -> Fallible<Expr> {
        let line = self.line();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            if self.is_tuple_end(ends) {
                break;
            }
            items.push(match with_condition {
                true => self.expression()?,
                false => self.nest(Self::or)?,
            });
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
        }
        if !is_tuple {
            if let Some(only) = items.pop() {
                return Ok(only);
            }
            if !in_parentheses {
                return self.unexpected("an expression");
            }
        }
        let depth = deepest(&items);
        self.node(line, ExprKind::Tuple(items), depth)
    }

    fn conditional_expression(&mut self) -> Fallible<Expr> {
        let line = self.line();
        let mut value = self.or()?;
        while self.skip_name("if") {
            let condition = self.or()?;
            let otherwise = match self.skip_name("else") {
                true => Some(self.expression()?),
                false => None,
            };
            let depth = deepest([&value, &condition].into_iter().chain(&otherwise));
            let kind = ExprKind::Conditional(condition, value, otherwise);
            value = self.node(line, kind, depth)?;
        }
        Ok(value)
    }

    /// Operands between operators of one kind.
    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Fallible<Expr>,
        skip: fn(&mut Self) -> bool,
        kind: fn(Vec<Expr>) -> ExprKind,
    ) -> Fallible<Expr> {
        let line = self.line();
        let first = operand(self)?;
        if !skip(self) {
            return Ok(first);
        }
        let mut operands = vec![first];
        loop {
            operands.push(operand(self)?);
            self.check_chain(operands.len())?;
            if !skip(self) {
                break;
            }
        }
        let depth = deepest(&operands);
        self.node(line, kind(operands), depth)
    }

    fn check_chain(&self, length: usize) -> Fallible<()> {
        if length <= LONGEST_CHAIN {
            return Ok(());
        }
        let problem = format!("more than {LONGEST_CHAIN} operands in one expression");
        Err(syntax(self.line(), problem))
    }

    fn or(&mut self) -> Fallible<Expr> {
        self.chain(Self::and, |parser| parser.skip_name("or"), ExprKind::Or)
    }

    fn and(&mut self) -> Fallible<Expr> {
        self.chain(Self::not, |parser| parser.skip_name("and"), ExprKind::And)
    }

    fn not(&mut self) -> Fallible<Expr> {
        let line = self.line();
        if !self.skip_name("not") {
            return self.compare();
        }
        let inner = self.nest(Self::not)?;
        let depth = inner.depth;
        self.node(line, ExprKind::Not(inner), depth)
    }

    fn compare(&mut self) -> Fallible<Expr> {
        let line = self.line();
        let first = self.sum()?;
        let mut others = Vec::new();
        while let Some(comparator) = self.comparator() {
            others.push((comparator, self.sum()?));
            self.check_chain(others.len())?;
        }
        if others.is_empty() {
            return Ok(first);
        }
        let depth = deepest(others.iter().map(|(_, expr)| expr).chain([&first]));
        self.node(line, ExprKind::Compare(first, others), depth)
    }

    fn comparator(&mut self) -> Option<Comparator> {
        let comparator = match self.token() {
            Token::Operator("==") => Comparator::Equal,
            Token::Operator("!=") => Comparator::NotEqual,
            Token::Operator("<") => Comparator::Less,
            Token::Operator("<=") => Comparator::LessOrEqual,
            Token::Operator(">") => Comparator::Greater,
            Token::Operator(">=") => Comparator::GreaterOrEqual,
            Token::Name(name) if &**name == "in" => Comparator::In,
            Token::Name(name)
                if &**name == "not"
                    && matches!(self.following(), Token::Name(next) if &**next == "in") =>
            {
                self.advance();
                Comparator::NotIn
            }
            _ => return None,
        };
        self.advance();
        Some(comparator)
    }

    fn binary(
        &mut self,
        operand: fn(&mut Self) -> Fallible<Expr>,
        operators: &[(&str, Operator)],
    ) -> Fallible<Expr> {
        let line = self.line();
        let first = operand(self)?;
        let mut others = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.skip_operator(text))
        {
            others.push((*operator, operand(self)?));
            self.check_chain(others.len())?;
        }
        if others.is_empty() {
            return Ok(first);
        }
        let depth = deepest(others.iter().map(|(_, expr)| expr).chain([&first]));
        self.node(line, ExprKind::Binary(first, others), depth)
    }

    fn sum(&mut self) -> Fallible<Expr> {
        const OPERATORS: [(&str, Operator); 2] = [("+", Operator::Add), ("-", Operator::Subtract)];
        self.binary(Self::concat, &OPERATORS)
    }

    fn concat(&mut self) -> Fallible<Expr> {
        self.chain(
            Self::product,
            |parser| parser.skip_operator("~"),
            ExprKind::Concat,
        )
    }

    fn product(&mut self) -> Fallible<Expr> {
        const OPERATORS: [(&str, Operator); 4] = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("//", Operator::FloorDivide),
            ("%", Operator::Modulo),
        ];
        self.binary(Self::power, &OPERATORS)
    }

    fn power(&mut self) -> Fallible<Expr> {
        self.binary(|parser| parser.unary(true), &[("**", Operator::Power)])
    }

    fn unary(&mut self, with_filters: bool) -> Fallible<Expr> {
        let line = self.line();
        let kind = if self.skip_operator("-") {
            Some(ExprKind::Negative as fn(Expr) -> ExprKind)
        } else if self.skip_operator("+") {
            Some(ExprKind::Positive as fn(Expr) -> ExprKind)
        } else {
            None
        };
        let mut expr = match kind {
            Some(kind) => {
                let inner = self.nest(|parser| parser.unary(false))?;
                let depth = inner.depth;
                self.node(line, kind(inner), depth)?
            }
            None => self.primary()?,
        };
        expr = self.postfix(expr)?;
        if with_filters {
            expr = self.filters_and_tests(expr)?;
        }
        Ok(expr)
    }
}
