//! Runs nodes over a value.

use std::collections::BTreeMap;

use super::funcs;
use super::parse::{Node, Operand, Pipe};
use super::value::Value;

/// The output of `nodes` with `.` as `data`; `header`: docker's text functions leave text as it is.
pub fn run(nodes: &[Node], data: &Value, header: bool) -> Result<String, String> {
    let mut exec = Exec {
        out: String::new(),
        variables: vec![(String::new(), data.clone())],
        header,
    };
    exec.list(nodes, data)?;
    Ok(exec.out)
}

struct Exec {
    out: String,
    /// The first is `$`, the data.
    variables: Vec<(String, Value)>,
    header: bool,
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl Exec {
    fn list(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        let scope = self.variables.len();
        let mut flow = Flow::Next;
        for node in nodes {
            flow = self.node(node, dot)?;
            if flow != Flow::Next {
                break;
            }
        }
        // A variable declared in an `if`'s own pipeline belongs to the block: its opener cleans that.
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    let text = match value {
                        Value::Nil => "<no value>".to_owned(),
                        other => other.to_string(),
                    };
                    self.out.push_str(&text);
                }
            }
            Node::If(branches, rest) => return self.branches(branches, rest, dot, false),
            Node::With(branches, rest) => return self.branches(branches, rest, dot, true),
            Node::Range(pipe, body, rest) => return self.range(pipe, body, rest, dot),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn branches(
        &mut self,
        branches: &[(Pipe, Vec<Node>)],
        rest: &[Node],
        dot: &Value,
        with: bool,
    ) -> Result<Flow, String> {
        let scope = self.variables.len();
        let mut flow = None;
        for (pipe, body) in branches {
            let value = self.pipe(pipe, dot)?;
            if value.is_true() {
                flow = Some(self.list(body, if with { &value } else { dot })?);
                break;
            }
        }
        let flow = match flow {
            Some(flow) => flow,
            None => self.list(rest, dot)?,
        };
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn range(
        &mut self,
        pipe: &Pipe,
        body: &[Node],
        rest: &[Node],
        dot: &Value,
    ) -> Result<Flow, String> {
        let scope = self.variables.len();
        let items: Vec<(Value, Value)> = match self.commands(pipe, dot)? {
            Value::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(i, v)| (Value::Int(i as i128), v))
                .collect(),
            Value::Map(map) => map.into_iter().map(|(k, v)| (Value::Str(k), v)).collect(),
            Value::Int(n) => (0..n.clamp(0, RANGE_MAX))
                .map(|i| (Value::Int(i), Value::Int(i)))
                .collect(),
            Value::Nil | Value::Missing | Value::Omitted => Vec::new(),
            other => {
                return Err(format!(
                    "range can't iterate over {other} (a {})",
                    other.kind()
                ));
            }
        };
        if items.is_empty() {
            return self.list(rest, dot);
        }
        for (key, item) in items {
            match &pipe.variables[..] {
                [value] => self.set(pipe, value, item.clone())?,
                [index, value] => {
                    self.set(pipe, index, key)?;
                    self.set(pipe, value, item.clone())?;
                }
                _ => {}
            }
            let flow = self.list(body, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, String> {
        let value = self.commands(pipe, dot)?;
        if let [name] = &pipe.variables[..] {
            self.set(pipe, name, value.clone())?;
        } else if pipe.variables.len() > 1 {
            return Err("two variables can be declared in `range` only".into());
        }
        Ok(value)
    }

    fn set(&mut self, pipe: &Pipe, name: &str, value: Value) -> Result<(), String> {
        if pipe.declares {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        let slot = self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| known == name);
        slot.ok_or_else(|| format!("variable `${name}` is not defined"))?
            .1 = value;
        Ok(())
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, String> {
        let mut piped = None;
        for command in &pipe.commands {
            piped = Some(self.command(command, piped, dot)?);
        }
        piped.ok_or_else(|| "a pipeline is empty".into())
    }

    fn command(
        &mut self,
        command: &[Operand],
        piped: Option<Value>,
        dot: &Value,
    ) -> Result<Value, String> {
        let [first, rest @ ..] = command else {
            return Err("a command is empty".into());
        };
        if let Operand::Function(name) = first {
            if let Some(value) = self.short_circuit(name, rest, dot)? {
                return Ok(value);
            }
            let mut args = self.args(rest, dot)?;
            args.extend(piped);
            return if self.header {
                funcs::call_on_header(name, &args)
            } else {
                funcs::call(name, &args)
            };
        }
        let (start, fields) = match first {
            Operand::Field(fields) => (dot.clone(), &fields[..]),
            Operand::Variable(name, fields) => (self.variable(name)?, &fields[..]),
            Operand::Group(pipe, fields) => (self.pipe(pipe, dot)?, &fields[..]),
            other => (self.operand(other, dot)?, &[][..]),
        };
        let mut args = self.args(rest, dot)?;
        args.extend(piped);
        walk(start, fields, &args)
    }

    /// `and` and `or` stop at the first argument that decides; `None`: none does, or another function.
    fn short_circuit(
        &mut self,
        name: &str,
        rest: &[Operand],
        dot: &Value,
    ) -> Result<Option<Value>, String> {
        if !matches!(name, "and" | "or") {
            return Ok(None);
        }
        for operand in rest {
            let value = self.operand(operand, dot)?;
            if value.is_true() == (name == "or") {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn args(&mut self, operands: &[Operand], dot: &Value) -> Result<Vec<Value>, String> {
        operands
            .iter()
            .map(|operand| self.operand(operand, dot))
            .collect()
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Literal(value) => Ok(value.clone()),
            Operand::Field(fields) => walk(dot.clone(), fields, &[]),
            Operand::Variable(name, fields) => walk(self.variable(name)?, fields, &[]),
            Operand::Group(pipe, fields) => walk(self.pipe(pipe, dot)?, fields, &[]),
            Operand::Function(name) if self.header => funcs::call_on_header(name, &[]),
            Operand::Function(name) => funcs::call(name, &[]),
        }
    }

    fn variable(&self, name: &str) -> Result<Value, String> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.clone())
            .ok_or_else(|| format!("variable `${name}` is not defined"))
    }
}

/// `range 1000000000` is surely not meant.
const RANGE_MAX: i128 = 1_000_000;

/// Follows `fields` from `value`; `args` go to the last of them, which must then be a method.
fn walk(value: Value, fields: &[String], args: &[Value]) -> Result<Value, String> {
    let mut value = call_if_method(value, if fields.is_empty() { args } else { &[] })?;
    let mut used = fields.is_empty();
    for (index, name) in fields.iter().enumerate() {
        let last = index + 1 == fields.len();
        let next = field(value, name)?;
        used = last && matches!(next, Value::Method(_));
        value = call_if_method(next, if last { args } else { &[] })?;
    }
    if !args.is_empty() && !used {
        return Err(format!(
            "`{}` is not a method, but is given arguments",
            fields.last().map_or("", |f| f)
        ));
    }
    if !args.is_empty() && fields.is_empty() {
        return Err(format!("can't give arguments to {value}"));
    }
    Ok(value)
}

fn call_if_method(value: Value, args: &[Value]) -> Result<Value, String> {
    match value {
        Value::Method(call) => call(args),
        other => Ok(other),
    }
}

fn field(value: Value, name: &str) -> Result<Value, String> {
    match value {
        Value::Map(mut map) => Ok(take(&mut map, name)),
        Value::Struct(fields) => {
            let known = || {
                fields
                    .iter()
                    .map(|(name, _)| format!(".{name}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            match fields.iter().position(|(field, _)| field == name) {
                Some(at) => Ok(fields
                    .into_iter()
                    .nth(at)
                    .map_or(Value::Nil, |(_, value)| value)),
                None => Err(format!(
                    "there is no field `.{name}`; there are {}",
                    known()
                )),
            }
        }
        Value::Nil | Value::Missing | Value::Omitted => {
            Err(format!("can't take field `.{name}` of nothing"))
        }
        other => Err(format!(
            "can't take field `.{name}` of {other} (a {})",
            other.kind()
        )),
    }
}

fn take(map: &mut BTreeMap<String, Value>, name: &str) -> Value {
    map.remove(name).unwrap_or(Value::Missing)
}
