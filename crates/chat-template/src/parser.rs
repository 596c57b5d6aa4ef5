//! Tokens to statements, by Jinja's grammar with loop controls and `{% generation %}`.

mod calls;
mod expression;
mod primary;

use std::sync::Arc;

use crate::ast::{Expr, ExprKind, Loop, Macro, Statement, StatementKind, Target, Uses};
use crate::error::{Fallible, syntax};
use crate::lexer::{Placed, Token, tokens};

/// Statements within statements, and expressions within expressions as they are written. The parser calls itself as deep.
const MOST_NESTED: u32 = 80;
/// Expressions within expressions as they are evaluated.
const DEEPEST: u32 = 200;
/// Operands of one chain of operators.
const LONGEST_CHAIN: usize = 1000;

/// Reads a template.
pub(crate) fn parse(source: &str) -> Fallible<Vec<Statement>> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        nested: 0,
        macros: Vec::new(),
    };
    let (body, _) = parser.block(&[])?;
    Ok(body)
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    nested: u32,
    /// What the bodies of the macros around speak of.
    macros: Vec<Uses>,
}

impl Parser {
    fn token(&self) -> &Token {
        &self.tokens[self.at].token // invariant: `at` never passes `Token::End`.
    }

    fn line(&self) -> u32 {
        self.tokens[self.at].line
    }

    fn following(&self) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + 1).min(last)].token
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn is_operator(&self, operator: &str) -> bool {
        matches!(self.token(), Token::Operator(found) if *found == operator)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.token(), Token::Name(found) if &**found == name)
    }

    fn skip_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        if found {
            self.advance();
        }
        found
    }

    fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        if found {
            self.advance();
        }
        found
    }

    fn unexpected<T>(&self, expected: &str) -> Fallible<T> {
        let found = match self.token() {
            Token::End => "the end of the template".into(),
            Token::BlockEnd | Token::VariableEnd => "the end of the tag".into(),
            Token::Name(name) => format!("`{name}`"),
            Token::Operator(operator) => format!("`{operator}`"),
            Token::Text(_) => "a text".into(),
            Token::Integer(_) | Token::Float(_) => "a number".into(),
            Token::Data(_) | Token::VariableBegin | Token::BlockBegin => "text or a tag".into(),
        };
        Err(syntax(
            self.line(),
            format!("found {found}, expected {expected}"),
        ))
    }

    fn expect_operator(&mut self, operator: &str) -> Fallible<()> {
        match self.skip_operator(operator) {
            true => Ok(()),
            false => self.unexpected(&format!("`{operator}`")),
        }
    }

    fn expect(&mut self, token: &Token, expected: &str) -> Fallible<()> {
        if self.token() != token {
            return self.unexpected(expected);
        }
        self.advance();
        Ok(())
    }

    fn name(&mut self) -> Fallible<Arc<str>> {
        match self.token() {
            Token::Name(name) => {
                let name = Arc::clone(name);
                self.advance();
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    /// Counts a level of nesting while `inner` reads it.
    fn nest<T>(&mut self, inner: impl FnOnce(&mut Self) -> Fallible<T>) -> Fallible<T> {
        self.nested += 1;
        if self.nested > MOST_NESTED {
            return Err(syntax(
                self.line(),
                format!("more than {MOST_NESTED} levels of nesting"),
            ));
        }
        let result = inner(self);
        self.nested -= 1;
        result
    }

    fn node(&self, line: u32, kind: ExprKind, inner: u32) -> Fallible<Expr> {
        let depth = inner + 1;
        if depth > DEEPEST {
            let problem = format!("an expression nested more than {DEEPEST} levels deep");
            return Err(syntax(line, problem));
        }
        let kind = Box::new(kind);
        Ok(Expr { kind, line, depth })
    }

    /// Statements up to a tag of one of these names, which is told and read but for its end; without names, to the end of
    /// the template.
    fn block(&mut self, ends: &[&str]) -> Fallible<(Vec<Statement>, String)> {
        let opened = self.line();
        let mut body = Vec::new();
        loop {
            let line = self.line();
            match self.token() {
                Token::Data(text) => {
                    let kind = StatementKind::Data(Arc::clone(text));
                    body.push(Statement { kind, line });
                    self.advance();
                }
                Token::VariableBegin => {
                    self.advance();
                    let shown = self.tuple(true, &[], false)?;
                    self.expect(&Token::VariableEnd, "`}}`")?;
                    let kind = StatementKind::Print(shown);
                    body.push(Statement { kind, line });
                }
                Token::BlockBegin => {
                    self.advance();
                    if let Token::Name(name) = self.token()
                        && ends.contains(&&**name)
                    {
                        let end = name.to_string();
                        self.advance();
                        return Ok((body, end));
                    }
                    let statement = self.nest(|parser| parser.statement(line))?;
                    body.extend(statement);
                    self.expect(&Token::BlockEnd, "`%}`")?;
                }
                Token::End if ends.is_empty() => return Ok((body, String::new())),
                _ => {
                    let expected =
                        format!("`{}` for the tag in line {opened}", ends.join("` or `"));
                    return self.unexpected(&expected);
                }
            }
        }
    }

    /// The rest of a tag, then statements up to one of these names.
    fn body(&mut self, ends: &[&str]) -> Fallible<(Vec<Statement>, String)> {
        self.skip_operator(":");
        self.expect(&Token::BlockEnd, "`%}`")?;
        self.block(ends)
    }

    fn only_body(&mut self, end: &str) -> Fallible<Vec<Statement>> {
        Ok(self.body(&[end])?.0)
    }

    fn statement(&mut self, line: u32) -> Fallible<Vec<Statement>> {
        let name = self.name()?;
        let kind = match &*name {
            "if" => self.conditional()?,
            "for" => self.for_loop()?,
            "set" => self.set()?,
            "with" => self.with()?,
            "macro" => {
                let name = self.name()?;
                StatementKind::Macro(self.macro_named(name)?)
            }
            "call" => self.call_block()?,
            "filter" => {
                let filter = self.filters(None, true)?;
                StatementKind::FilterBlock(filter, self.only_body("endfilter")?)
            }
            "generation" => StatementKind::Scope(self.only_body("endgeneration")?),
            "block" => self.named_block()?,
            "autoescape" => self.autoescape(line)?,
            "break" => StatementKind::Break,
            "continue" => StatementKind::Continue,
            "print" => return self.print(line),
            "include" | "import" | "from" | "extends" => {
                let problem = format!("`{name}`: a chat template cannot read other templates");
                return Err(syntax(line, problem));
            }
            _ => return Err(syntax(line, format!("unknown tag `{name}`"))),
        };
        Ok(vec![Statement { kind, line }])
    }

    fn conditional(&mut self) -> Fallible<StatementKind> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple(false, &[], false)?;
            let (body, end) = self.body(&["elif", "else", "endif"])?;
            branches.push((test, body));
            match end.as_str() {
                "elif" => {}
                "else" => {
                    let otherwise = self.only_body("endif")?;
                    return Ok(StatementKind::If(branches, otherwise));
                }
                _ => return Ok(StatementKind::If(branches, Vec::new())),
            }
        }
    }

    fn for_loop(&mut self) -> Fallible<StatementKind> {
        let target = self.target(&["in"], false)?;
        if !self.skip_name("in") {
            return self.unexpected("`in`");
        }
        let items = self.tuple(false, &["recursive"], false)?;
        let condition = match self.skip_name("if") {
            true => Some(self.expression()?),
            false => None,
        };
        let recursive = self.skip_name("recursive");
        let (body, end) = self.body(&["endfor", "else"])?;
        let otherwise = match end.as_str() {
            "else" => self.only_body("endfor")?,
            _ => Vec::new(),
        };
        Ok(StatementKind::For(Arc::new(Loop {
            target,
            items,
            condition,
            recursive,
            body,
            otherwise,
        })))
    }

    fn set(&mut self) -> Fallible<StatementKind> {
        let target = self.target(&[], true)?;
        if self.skip_operator("=") {
            return Ok(StatementKind::Set(target, self.tuple(true, &[], false)?));
        }
        let filter = match self.is_operator("|") {
            true => Some(self.filters(None, false)?),
            false => None,
        };
        let body = self.only_body("endset")?;
        Ok(StatementKind::SetBlock(target, filter, body))
    }

    fn with(&mut self) -> Fallible<StatementKind> {
        let mut values = Vec::new();
        while *self.token() != Token::BlockEnd {
            if !values.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target(&[], false)?;
            self.expect_operator("=")?;
            values.push((target, self.expression()?));
        }
        Ok(StatementKind::With(values, self.only_body("endwith")?))
    }

    fn call_block(&mut self) -> Fallible<StatementKind> {
        let line = self.line();
        let (parameters, defaults) = match self.is_operator("(") {
            true => self.signature()?,
            false => Default::default(),
        };
        let call = self.expression()?;
        if !matches!(*call.kind, ExprKind::Call(..)) {
            return Err(syntax(line, "`call` without a call"));
        }
        let (body, uses) = self.macro_body("endcall")?;
        let caller = Macro {
            name: "caller".into(),
            parameters,
            defaults,
            body,
            uses,
        };
        Ok(StatementKind::CallBlock(call, Arc::new(caller)))
    }

    fn macro_named(&mut self, name: Arc<str>) -> Fallible<Arc<Macro>> {
        let (parameters, defaults) = self.signature()?;
        let (body, uses) = self.macro_body("endmacro")?;
        Ok(Arc::new(Macro {
            name,
            parameters,
            defaults,
            body,
            uses,
        }))
    }

    fn macro_body(&mut self, end: &str) -> Fallible<(Vec<Statement>, Uses)> {
        self.macros.push(Uses::default());
        let body = self.only_body(end)?;
        Ok((body, self.macros.pop().unwrap_or_default()))
    }

    fn signature(&mut self) -> Fallible<(Vec<Arc<str>>, Vec<Expr>)> {
        let (mut parameters, mut defaults) = (Vec::new(), Vec::new());
        self.expect_operator("(")?;
        while !self.is_operator(")") {
            if !parameters.is_empty() {
                self.expect_operator(",")?;
            }
            parameters.push(self.name()?);
            if self.skip_operator("=") {
                defaults.push(self.expression()?);
            } else if !defaults.is_empty() {
                return self.unexpected("a default, as the parameter before has one");
            }
        }
        self.expect_operator(")")?;
        Ok((parameters, defaults))
    }

    fn named_block(&mut self) -> Fallible<StatementKind> {
        let name = self.name()?;
        while self.skip_name("scoped") || self.skip_name("required") {}
        let body = self.only_body("endblock")?;
        self.skip_name(&name);
        Ok(StatementKind::Scope(body))
    }

    /// Nothing is escaped by itself, and no chat template asks for it.
    fn autoescape(&mut self, line: u32) -> Fallible<StatementKind> {
        let wanted = self.expression()?;
        match *wanted.kind {
            ExprKind::Bool(false) => Ok(StatementKind::Scope(self.only_body("endautoescape")?)),
            _ => Err(syntax(line, "`autoescape` is not supported")),
        }
    }

    fn print(&mut self, line: u32) -> Fallible<Vec<Statement>> {
        let mut shown = Vec::new();
        while *self.token() != Token::BlockEnd {
            if !shown.is_empty() {
                self.expect_operator(",")?;
            }
            let kind = StatementKind::Print(self.expression()?);
            shown.push(Statement { kind, line });
        }
        Ok(shown)
    }

    /// What is assigned to: names, also in tuples, and where it is allowed attributes of namespaces.
    fn target(&mut self, ends: &[&str], attributes: bool) -> Fallible<Target> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            if !targets.is_empty() {
                self.expect_operator(",")?;
            }
            if self.is_tuple_end(ends) {
                break;
            }
            targets.push(self.single_target(attributes)?);
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
        }
        match (targets.pop(), is_tuple) {
            (Some(only), false) => Ok(only),
            (Some(last), true) => {
                targets.push(last);
                Ok(Target::Tuple(targets))
            }
            (None, _) => self.unexpected("a name to assign to"),
        }
    }

    fn single_target(&mut self, attributes: bool) -> Fallible<Target> {
        if self.skip_operator("(") {
            let inner = self.nest(|parser| parser.target(&[], attributes))?;
            self.expect_operator(")")?;
            return Ok(inner);
        }
        if ["true", "false", "none", "True", "False", "None"]
            .iter()
            .any(|constant| self.is_name(constant))
        {
            return self.unexpected("a name to assign to");
        }
        let name = self.name()?;
        if attributes && self.skip_operator(".") {
            return Ok(Target::Attribute(name, self.name()?));
        }
        Ok(Target::Name(name))
    }

    fn is_tuple_end(&self, ends: &[&str]) -> bool {
        match self.token() {
            Token::VariableEnd | Token::BlockEnd | Token::End => true,
            Token::Operator(operator) => *operator == ")",
            Token::Name(name) => ends.contains(&&**name),
            _ => false,
        }
    }
}
