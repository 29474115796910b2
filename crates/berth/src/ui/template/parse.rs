//! Tokens → nodes.

use super::funcs;
use super::lex::Token;
use super::value::Value;

/// A piece of a template.
#[derive(Debug)]
pub enum Node {
    /// Plain text.
    Text(String),
    /// `{{pipeline}}`
    Action(Pipe),
    /// `if … else if … else`: the branches in order, then what is left.
    If(Vec<(Pipe, Vec<Node>)>, Vec<Node>),
    /// `with … else`
    With(Vec<(Pipe, Vec<Node>)>, Vec<Node>),
    /// `range … else`
    Range(Pipe, Vec<Node>, Vec<Node>),
    /// `break`
    Break,
    /// `continue`
    Continue,
}

/// `$a, $b := command | command`
#[derive(Debug)]
pub struct Pipe {
    /// Variables that take the result.
    pub variables: Vec<String>,
    /// They are new (`:=`), not changed (`=`).
    pub declares: bool,
    /// Each gives its value to the next as the last argument.
    pub commands: Vec<Vec<Operand>>,
}

/// A word of a command.
#[derive(Debug)]
pub enum Operand {
    /// `.`
    Dot,
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`
    Variable(String, Vec<String>),
    /// A constant.
    Literal(Value),
    /// A function.
    Function(String),
    /// `(pipeline).A.B`
    Group(Box<Pipe>, Vec<String>),
}

/// Parses a whole template.
pub fn nodes(tokens: Vec<Token>) -> Result<Vec<Node>, String> {
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        loops: 0,
        depth: 0,
    };
    let (nodes, end) = parser.list()?;
    match end {
        Stop::Text => Ok(nodes),
        Stop::Closed => Err("`{{end}}` without an opening".into()),
        Stop::Else(_) => Err("`{{else}}` without an opening".into()),
    }
}

/// Groups and blocks nested deeper than this are an error rather than a stack overflow.
const DEPTH_MAX: usize = 100;

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    loops: usize,
    depth: usize,
}

/// What ended a list of nodes.
enum Stop {
    /// The template itself.
    Text,
    /// `{{end}}`
    Closed,
    /// With `if` or `with` and its pipeline: `{{else if …}}`.
    Else(Option<(String, Pipe)>),
}

type Branches = (Vec<(Pipe, Vec<Node>)>, Vec<Node>);

impl Parser {
    fn list(&mut self) -> Result<(Vec<Node>, Stop), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("the template is nested too deep".into());
        }
        let mut nodes = Vec::new();
        let end = loop {
            match self.tokens.next() {
                None => break Stop::Text,
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    if let Some(end) = self.action(&mut nodes)? {
                        break end;
                    }
                }
            }
        };
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn action(&mut self, nodes: &mut Vec<Node>) -> Result<Option<Stop>, String> {
        let keyword = match self.tokens.peek() {
            Some(Token::Word(word)) if KEYWORDS.contains(&word.as_str()) => word.clone(),
            Some(Token::Close) => return Err("an action is empty".into()),
            _ => {
                let pipe = self.pipe(&Token::Close)?;
                nodes.push(Node::Action(pipe));
                return Ok(None);
            }
        };
        self.tokens.next();
        match keyword.as_str() {
            "end" => return self.close("end").map(|()| Some(Stop::Closed)),
            "else" => return self.else_branch().map(Some),
            "if" | "with" => {
                let pipe = self.pipe(&Token::Close)?;
                let (branches, rest) = self.branches(pipe, &keyword)?;
                nodes.push(if keyword == "if" {
                    Node::If(branches, rest)
                } else {
                    Node::With(branches, rest)
                });
            }
            "range" => {
                let pipe = self.pipe(&Token::Close)?;
                nodes.push(self.range(pipe)?);
            }
            "break" | "continue" if self.loops > 0 => {
                self.close(&keyword)?;
                nodes.push(if keyword == "break" {
                    Node::Break
                } else {
                    Node::Continue
                });
            }
            "break" | "continue" => return Err(format!("`{{{{{keyword}}}}}` outside of a range")),
            other => return Err(format!("`{other}` is not supported in templates here")),
        }
        Ok(None)
    }

    fn close(&mut self, after: &str) -> Result<(), String> {
        match self.tokens.next() {
            Some(Token::Close) => Ok(()),
            _ => Err(format!("unexpected words after `{after}`")),
        }
    }

    fn else_branch(&mut self) -> Result<Stop, String> {
        match self.tokens.next() {
            Some(Token::Close) => Ok(Stop::Else(None)),
            Some(Token::Word(word)) if word == "if" || word == "with" => {
                let pipe = self.pipe(&Token::Close)?;
                Ok(Stop::Else(Some((word, pipe))))
            }
            _ => Err("unexpected words after `else`".into()),
        }
    }

    fn branches(&mut self, first: Pipe, keyword: &str) -> Result<Branches, String> {
        let mut branches = Vec::new();
        let mut pipe = first;
        loop {
            let (body, end) = self.list()?;
            branches.push((pipe, body));
            match end {
                Stop::Closed => return Ok((branches, Vec::new())),
                Stop::Text => return Err(format!("`{keyword}` is not closed with `{{{{end}}}}`")),
                Stop::Else(Some((word, next))) if word == keyword => pipe = next,
                Stop::Else(Some((word, _))) => return Err(format!("`else {word}` in `{keyword}`")),
                Stop::Else(None) => return self.last_branch(keyword).map(|rest| (branches, rest)),
            }
        }
    }

    fn last_branch(&mut self, keyword: &str) -> Result<Vec<Node>, String> {
        match self.list()? {
            (rest, Stop::Closed) => Ok(rest),
            (_, Stop::Text) => Err(format!("`{keyword}` is not closed with `{{{{end}}}}`")),
            (_, Stop::Else(_)) => Err(format!("`{keyword}` has an `else` after its last `else`")),
        }
    }

    fn range(&mut self, pipe: Pipe) -> Result<Node, String> {
        self.loops += 1;
        let (body, end) = self.list()?;
        self.loops -= 1;
        match end {
            Stop::Closed => Ok(Node::Range(pipe, body, Vec::new())),
            Stop::Else(None) => Ok(Node::Range(pipe, body, self.last_branch("range")?)),
            Stop::Else(Some(_)) => Err("`else if` in `range`".into()),
            Stop::Text => Err("`range` is not closed with `{{end}}`".into()),
        }
    }

    /// A pipeline up to `until`, which is consumed.
    fn pipe(&mut self, until: &Token) -> Result<Pipe, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("the template is nested too deep".into());
        }
        let (variables, declares, mut command) = self.declaration()?;
        let mut commands = Vec::new();
        loop {
            match self.tokens.next() {
                Some(token) if token == *until => break,
                Some(Token::Pipe) if !command.is_empty() => {
                    commands.push(std::mem::take(&mut command))
                }
                Some(Token::Chain(fields)) => chain(&mut command, fields)?,
                Some(Token::LeftParen) => {
                    let inner = self.pipe(&Token::RightParen)?;
                    command.push(Operand::Group(Box::new(inner), Vec::new()));
                }
                Some(token) => command.push(operand(token)?),
                None => return Err("a pipeline is not closed".into()),
            }
        }
        if command.is_empty() {
            return Err("a command is missing in a pipeline".into());
        }
        commands.push(command);
        self.depth -= 1;
        check_constants(&commands)?;
        Ok(Pipe {
            variables,
            declares,
            commands,
        })
    }

    /// `$x :=`, `$i, $x :=` or `$x =`; else the variable already belongs to the first command.
    fn declaration(&mut self) -> Result<(Vec<String>, bool, Vec<Operand>), String> {
        let Some(Token::Variable(..)) = self.tokens.peek() else {
            return Ok((Vec::new(), false, Vec::new()));
        };
        let Some(Token::Variable(name, fields)) = self.tokens.next() else {
            return Err("a variable is missing".into());
        };
        let declares = match self.tokens.peek() {
            Some(Token::Declare) => true,
            Some(Token::Assign) => false,
            Some(Token::Comma) => return self.second_variable(name),
            _ => return Ok((Vec::new(), false, vec![Operand::Variable(name, fields)])),
        };
        self.tokens.next();
        Ok((vec![name], declares, Vec::new()))
    }

    fn second_variable(
        &mut self,
        first: String,
    ) -> Result<(Vec<String>, bool, Vec<Operand>), String> {
        self.tokens.next();
        match (self.tokens.next(), self.tokens.next()) {
            (Some(Token::Variable(second, _)), Some(Token::Declare)) => {
                Ok((vec![first, second], true, Vec::new()))
            }
            _ => Err("expected `$a, $b := …`".into()),
        }
    }
}

const KEYWORDS: &[&str] = &[
    "if", "else", "end", "range", "with", "break", "continue", "define", "template", "block",
];

fn operand(token: Token) -> Result<Operand, String> {
    Ok(match token {
        Token::Dot => Operand::Dot,
        Token::Field(fields) => Operand::Field(fields),
        Token::Variable(name, fields) => Operand::Variable(name, fields),
        Token::Str(text) => Operand::Literal(Value::Str(text)),
        Token::Int(value) => Operand::Literal(Value::Int(value)),
        Token::Float(value) => Operand::Literal(Value::Float(value)),
        Token::Word(word) => match word.as_str() {
            "true" => Operand::Literal(Value::Bool(true)),
            "false" => Operand::Literal(Value::Bool(false)),
            "nil" => Operand::Literal(Value::Nil),
            name if funcs::exists(name) => Operand::Function(word),
            name => return Err(format!("function `{name}` does not exist")),
        },
        Token::Pipe => return Err("a command is missing before `|`".into()),
        Token::Declare | Token::Assign => return Err("only a variable can be assigned".into()),
        other => return Err(format!("unexpected {} in a template", describe(&other))),
    })
}

fn describe(token: &Token) -> &'static str {
    match token {
        Token::RightParen => "`)`",
        Token::Comma => "`,`",
        Token::Close => "`}}`",
        _ => "token",
    }
}

/// `.A` behind `)` goes to the group before it.
fn chain(command: &mut [Operand], fields: Vec<String>) -> Result<(), String> {
    match command.last_mut() {
        Some(Operand::Group(_, chain)) => {
            chain.extend(fields);
            Ok(())
        }
        _ => Err("a field without a value before it".into()),
    }
}

/// Go refuses a constant that is given arguments, at parse time.
fn check_constants(commands: &[Vec<Operand>]) -> Result<(), String> {
    for (index, command) in commands.iter().enumerate() {
        if let (Operand::Literal(value), true) = (&command[0], index > 0 || command.len() > 1) {
            return Err(format!(
                "`{value}` is not a function, but is given arguments"
            ));
        }
    }
    Ok(())
}
