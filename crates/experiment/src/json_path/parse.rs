//! Text → path, by recursive descent along the grammar of `jsonpath2`.

use serde_json::Value;

use super::expression::{Comparison, Expression, Function, Operand, Query, Subscript};
use super::token::{Token, tokens};
use super::{JsonPath, JsonPathError, Segment};

/// Brackets and parentheses within each other at most.
const DEPTH_MAX: usize = 32;

type Parsed<T> = Result<T, JsonPathError>;

pub(super) fn parse(text: &str) -> Parsed<JsonPath> {
    let end = text.chars().count();
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end, depth: 0 };
    if !parser.take("$") {
        return Err(parser.fault("a path begins with `$`"));
    }
    let segments = parser.segments()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.fault("`.name`, `['name']` or `[0]` is expected here"));
    }
    Ok(JsonPath(segments))
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn fault(&self, message: &'static str) -> JsonPathError {
        let offset = self.tokens.get(self.at).map_or(self.end, |(offset, _)| *offset);
        JsonPathError { offset, message }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn is(&self, sign: &'static str) -> bool {
        self.peek() == Some(&Token::Sign(sign))
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &'static str, message: &'static str) -> Parsed<()> {
        if self.take(sign) { Ok(()) } else { Err(self.fault(message)) }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            return Err(self.fault("nested deeper than 32 levels"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn segments(&mut self) -> Parsed<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            let recursive = self.is("..");
            let subscripts = if self.take("..") {
                if self.is("[") { self.brackets()? } else { vec![self.bareword()?] }
            } else if self.take(".") {
                vec![self.bareword()?]
            } else if self.is("[") {
                self.brackets()?
            } else {
                return Ok(segments);
            };
            segments.push(Segment { recursive, subscripts });
        }
    }

    /// `name`, `name(…)` or `*`.
    fn bareword(&mut self) -> Parsed<Subscript> {
        if self.take("*") {
            return Ok(Subscript::Wildcard);
        }
        let Some(Token::Name(name)) = self.peek().cloned() else {
            return Err(self.fault("a name or `*` is expected here"));
        };
        self.at += 1;
        if self.is("(") { self.call(&name) } else { Ok(Subscript::Name(name)) }
    }

    fn call(&mut self, name: &str) -> Parsed<Subscript> {
        let function = match name {
            "charAt" => Function::CharAt,
            "entries" => Function::Entries,
            "keys" => Function::Keys,
            "length" => Function::Length,
            "substring" => Function::Substring,
            "values" => Function::Values,
            _ => return Err(self.fault("there is no such function")),
        };
        self.need("(", "`(` is expected here")?;
        let mut arguments = Vec::new();
        while !self.take(")") {
            if !arguments.is_empty() {
                self.need(",", "`,` or `)` is expected here")?;
            }
            arguments.push(self.deeper(Self::operand)?);
        }
        Ok(Subscript::Call(function, arguments))
    }

    fn brackets(&mut self) -> Parsed<Vec<Subscript>> {
        self.need("[", "`[` is expected here")?;
        let mut subscripts = vec![self.deeper(Self::subscript)?];
        while self.take(",") {
            subscripts.push(self.deeper(Self::subscript)?);
        }
        self.need("]", "`,` or `]` is expected here")?;
        Ok(subscripts)
    }

    fn subscript(&mut self) -> Parsed<Subscript> {
        match self.peek().cloned() {
            Some(Token::Text(name)) => {
                self.at += 1;
                Ok(Subscript::Name(name))
            }
            Some(Token::Number(_)) => {
                let start = self.index()?;
                if self.is(":") { self.slice(Some(start)) } else { Ok(Subscript::Index(start)) }
            }
            Some(Token::Sign(":")) => self.slice(None),
            Some(Token::Sign("*")) => {
                self.at += 1;
                Ok(Subscript::Wildcard)
            }
            Some(Token::Sign("?")) => {
                self.at += 1;
                self.need("(", "`(` is expected here")?;
                let expression = self.expression()?;
                self.need(")", "`)` is expected here")?;
                Ok(Subscript::Filter(expression))
            }
            Some(Token::Sign("$" | "@")) => Ok(Subscript::Computed(self.query()?)),
            Some(Token::Name(name)) => {
                self.at += 1;
                self.call(&name)
            }
            _ => Err(self.fault("a name in quotes, a number, `*` or `?(…)` is expected here")),
        }
    }

    fn index(&mut self) -> Parsed<i64> {
        let Some(Token::Number(number)) = self.peek() else {
            return Err(self.fault("a number is expected here"));
        };
        let index = number.as_i64();
        let index = index.ok_or_else(|| self.fault("an index is a whole number"))?;
        self.at += 1;
        Ok(index)
    }

    fn slice(&mut self, start: Option<i64>) -> Parsed<Subscript> {
        self.need(":", "`:` is expected here")?;
        let bound = |parser: &mut Self| -> Parsed<Option<i64>> {
            let given = matches!(parser.peek(), Some(Token::Number(_)));
            if given { parser.index().map(Some) } else { Ok(None) }
        };
        let end = bound(self)?;
        let step = if self.take(":") { bound(self)? } else { None };
        if step == Some(0) {
            return Err(self.fault("a step is not 0"));
        }
        Ok(Subscript::Slice { start, end, step })
    }

    fn query(&mut self) -> Parsed<Query> {
        let from_root = self.take("$");
        if !from_root {
            self.need("@", "`$` or `@` is expected here")?;
        }
        Ok(Query { from_root, segments: self.segments()? })
    }

    /// `or` binds more tightly than `and` in this dialect.
    fn expression(&mut self) -> Parsed<Expression> {
        self.deeper(|parser| {
            let left = parser.alternatives()?;
            if !parser.take("and") {
                return Ok(left);
            }
            Ok(Expression::And(Box::new(left), Box::new(parser.expression()?)))
        })
    }

    fn alternatives(&mut self) -> Parsed<Expression> {
        self.deeper(|parser| {
            let left = parser.negation()?;
            if !parser.take("or") {
                return Ok(left);
            }
            Ok(Expression::Or(Box::new(left), Box::new(parser.alternatives()?)))
        })
    }

    fn negation(&mut self) -> Parsed<Expression> {
        if self.take("not") {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.negation()?))));
        }
        if self.take("(") {
            let expression = self.expression()?;
            self.need(")", "`)` is expected here")?;
            return Ok(expression);
        }
        let left = self.operand()?;
        let comparison = match self.peek() {
            Some(Token::Sign("=")) => Comparison::Equal,
            Some(Token::Sign("!=")) => Comparison::NotEqual,
            Some(Token::Sign("<")) => Comparison::Less,
            Some(Token::Sign("<=")) => Comparison::LessOrEqual,
            Some(Token::Sign(">")) => Comparison::Greater,
            Some(Token::Sign(">=")) => Comparison::GreaterOrEqual,
            _ => return Ok(Expression::Some(left)),
        };
        self.at += 1;
        if self.is("=") {
            return Err(self.fault("equality is written `=`, once"));
        }
        Ok(Expression::Compare(left, comparison, self.operand()?))
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let literal = match self.peek().cloned() {
            Some(Token::Sign("$" | "@")) => return self.query().map(Operand::Query),
            Some(Token::Sign("[")) => return self.deeper(Self::array).map(Operand::Literal),
            Some(Token::Sign("{")) => return self.deeper(Self::object).map(Operand::Literal),
            Some(Token::Text(text)) => Value::String(text),
            Some(Token::Number(value) | Token::Word(value)) => value,
            _ => return Err(self.fault("a path or a value is expected here")),
        };
        self.at += 1;
        Ok(Operand::Literal(literal))
    }

    fn literal(&mut self) -> Parsed<Value> {
        match self.operand()? {
            Operand::Literal(value) => Ok(value),
            Operand::Query(_) => Err(self.fault("a value is expected here, not a path")),
        }
    }

    fn array(&mut self) -> Parsed<Value> {
        self.need("[", "`[` is expected here")?;
        let mut items = Vec::new();
        while !self.take("]") {
            if !items.is_empty() {
                self.need(",", "`,` or `]` is expected here")?;
            }
            items.push(self.literal()?);
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self) -> Parsed<Value> {
        self.need("{", "`{` is expected here")?;
        let mut members = serde_json::Map::new();
        while !self.take("}") {
            if !members.is_empty() {
                self.need(",", "`,` or `}` is expected here")?;
            }
            let Some(Token::Text(name)) = self.peek().cloned() else {
                return Err(self.fault("a name in quotes is expected here"));
            };
            self.at += 1;
            self.need(":", "`:` is expected here")?;
            members.insert(name, self.literal()?);
        }
        Ok(Value::Object(members))
    }
}
