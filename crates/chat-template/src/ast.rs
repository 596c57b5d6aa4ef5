//! What a template is made of.

use std::sync::Arc;

/// An expression and where it stands.
#[derive(Debug)]
pub(crate) struct Expr {
    pub kind: Box<ExprKind>,
    pub line: u32,
    /// How many expressions are nested in it, itself included.
    pub depth: u32,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    None,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Arc<str>),
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attribute(Expr, Arc<str>),
    Item(Expr, Expr),
    Slice(Expr, [Option<Expr>; 3]),
    Call(Expr, Arguments),
    /// The value is absent at the head of a block's filters.
    Filter(Option<Expr>, Arc<str>, Arguments),
    Test(Expr, Arc<str>, Arguments),
    Not(Expr),
    Negative(Expr),
    Positive(Expr),
    /// A value, then operators with their right sides, from left to right.
    Binary(Expr, Vec<(Operator, Expr)>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Concat(Vec<Expr>),
    Compare(Expr, Vec<(Comparator, Expr)>),
    /// Condition, value, value otherwise.
    Conditional(Expr, Expr, Option<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub positional: Vec<Expr>,
    pub named: Vec<(Arc<str>, Expr)>,
    /// `*list`.
    pub more: Option<Expr>,
    /// `**dict`.
    pub more_named: Option<Expr>,
}

/// What can be assigned to.
#[derive(Debug)]
pub(crate) enum Target {
    Name(Arc<str>),
    Attribute(Arc<str>, Arc<str>),
    Tuple(Vec<Target>),
}

/// A macro, or the body of a `{% call %}`.
#[derive(Debug)]
pub(crate) struct Macro {
    pub name: Arc<str>,
    pub parameters: Vec<Arc<str>>,
    /// Of the last parameters.
    pub defaults: Vec<Expr>,
    pub body: Vec<Statement>,
    /// What the body speaks of beside its parameters: `varargs`, `kwargs`, `caller`.
    pub uses: Uses,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    pub varargs: bool,
    pub kwargs: bool,
    pub caller: bool,
}

#[derive(Debug)]
pub(crate) struct Statement {
    pub kind: StatementKind,
    pub line: u32,
}

#[derive(Debug)]
pub(crate) enum StatementKind {
    Data(Arc<str>),
    Print(Expr),
    If(Vec<(Expr, Vec<Statement>)>, Vec<Statement>),
    For(Arc<Loop>),
    Set(Target, Expr),
    SetBlock(Target, Option<Expr>, Vec<Statement>),
    With(Vec<(Target, Expr)>, Vec<Statement>),
    Macro(Arc<Macro>),
    /// A call whose `caller` is the macro.
    CallBlock(Expr, Arc<Macro>),
    FilterBlock(Expr, Vec<Statement>),
    /// A body with variables of its own: `{% generation %}`, `{% block %}`.
    Scope(Vec<Statement>),
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Loop {
    pub target: Target,
    pub items: Expr,
    pub condition: Option<Expr>,
    pub recursive: bool,
    pub body: Vec<Statement>,
    pub otherwise: Vec<Statement>,
}
