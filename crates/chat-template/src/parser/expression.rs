//! Expressions, from the loosest operator to the tightest.

use std::sync::Arc;

use super::{LONGEST_CHAIN, Parser};
use crate::ast::{Arguments, Comparator, Expr, ExprKind, Operator};
use crate::error::{Fallible, syntax};
use crate::lexer::Token;

/// The deepest of some expressions.
fn deepest<'a>(inner: impl IntoIterator<Item = &'a Expr>) -> u32 {
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

    fn primary(&mut self) -> Fallible<Expr> {
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

    fn postfix(&mut self, mut expr: Expr) -> Fallible<Expr> {
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

    fn call(&mut self, expr: Expr) -> Fallible<Expr> {
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

    fn filters_and_tests(&mut self, mut expr: Expr) -> Fallible<Expr> {
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
