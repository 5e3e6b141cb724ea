//! The look at the source before it meets the parser, whose recursion would overflow the stack and end the process.
//!
//! The scanner must never take for a string what the lexer would read as code. So whatever the lexer would refuse
//! and recover from (an unknown escape, a string that is not closed, a strange character) is refused here, at once.

use super::error::CompileError;

/// Longest source in bytes.
pub(super) const MAX_SOURCE: usize = 16 * 1024;
/// Deepest nesting of brackets and conditionals.
pub(super) const MAX_NESTING: usize = 64;
/// Longest chain of operators, selections and brackets that stand above one another in the syntax tree.
const MAX_CHAIN: usize = 1000;

type Result<T> = std::result::Result<T, CompileError>;

/// Refuses what is too long or too deep to be parsed.
pub(super) fn check(source: &str) -> Result<()> {
    if source.len() > MAX_SOURCE {
        return Err(CompileError::new(format!(
            "the expression has {} characters; at most {MAX_SOURCE}: split the rule",
            source.len()
        )));
    }
    Scanner {
        bytes: source.as_bytes(),
        at: 0,
        levels: vec![Level::default()],
    }
    .run()
}

#[derive(Default)]
struct Level {
    conditionals: usize,
    chain: usize,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    levels: Vec<Level>,
}

impl Scanner<'_> {
    fn run(mut self) -> Result<()> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\'' | b'"' => self.string(false)?,
                b'/' if self.bytes.get(self.at + 1) == Some(&b'/') => self.comment(),
                b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => self.word()?,
                _ => {
                    self.at += 1;
                    self.symbol(byte)?;
                }
            }
        }
        Ok(())
    }

    fn symbol(&mut self, byte: u8) -> Result<()> {
        match byte {
            b'(' | b'[' | b'{' => {
                self.level().chain += 1;
                self.levels.push(Level::default());
            }
            b')' | b']' | b'}' if self.levels.len() > 1 => {
                self.levels.pop();
            }
            b',' => *self.level() = Level::default(),
            b'?' => self.level().conditionals += 1,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'.' | b'<' | b'>' | b'=' => self.level().chain += 1,
            b'&' | b'|' | b':' => self.level().chain = 0,
            b' ' | b'\t' | b'\r' | b'\n' | b')' | b']' | b'}' => return Ok(()),
            b'`' => {
                return Err(CompileError::new(
                    "names in backticks are not supported: write object['a-name']",
                ));
            }
            _ => {
                return Err(CompileError::new(format!(
                    "a character that CEL does not know outside of strings, behind `{}`",
                    self.before()
                )));
            }
        }
        let nesting = self.levels.len() - 1 + self.levels.iter().map(|level| level.conditionals).sum::<usize>();
        if nesting > MAX_NESTING {
            return Err(CompileError::new(format!(
                "brackets and conditionals are nested more than {MAX_NESTING} deep: split the rule"
            )));
        }
        if self.levels.iter().map(|level| level.chain).sum::<usize>() > MAX_CHAIN {
            return Err(CompileError::new(format!(
                "a chain of more than {MAX_CHAIN} operators: split the rule"
            )));
        }
        Ok(())
    }

    /// What stands before the character that was just read.
    fn before(&self) -> String {
        let read = String::from_utf8_lossy(&self.bytes[..self.at - 1]);
        let skip = read.chars().count().saturating_sub(20);
        read.chars().skip(skip).collect()
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn comment(&mut self) {
        while self.bytes.get(self.at).is_some_and(|&byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn word(&mut self) -> Result<()> {
        let start = self.at;
        while self
            .bytes
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            self.at += 1;
        }
        if !matches!(self.bytes.get(self.at), Some(b'\'' | b'"')) {
            return Ok(());
        }
        match &self.bytes[start..self.at] {
            b"r" | b"R" | b"br" | b"bR" | b"Br" | b"BR" => self.string(true),
            b"b" | b"B" => self.string(false),
            _ => Err(CompileError::new(
                "a string stands directly behind a word: something is missing between them",
            )),
        }
    }

    fn string(&mut self, raw: bool) -> Result<()> {
        let quote = self.bytes[self.at];
        let triple = self.bytes[self.at..].starts_with(&[quote; 3]);
        self.at += if triple { 3 } else { 1 };
        loop {
            let rest = &self.bytes[self.at..];
            match rest.first() {
                None => return Err(CompileError::new("a string is not closed")),
                Some(b'\n' | b'\r') if !triple => return Err(CompileError::new("a string is not closed on its line")),
                Some(b'\\') if !raw => self.at += escape(&rest[1..])? + 1,
                Some(byte) if *byte == quote && (!triple || rest.starts_with(&[quote; 3])) => {
                    self.at += if triple { 3 } else { 1 };
                    return Ok(());
                }
                Some(_) => self.at += 1,
            }
        }
    }
}

/// Length of a valid escape behind its backslash.
fn escape(rest: &[u8]) -> Result<usize> {
    let digits = |count: usize, radix: u32| {
        rest.len() > count && rest[1..=count].iter().all(|byte| char::from(*byte).is_digit(radix))
    };
    match rest.first() {
        Some(b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'"' | b'\'' | b'\\' | b'?' | b'`') => Ok(1),
        Some(b'x' | b'X') if digits(2, 16) => Ok(3),
        Some(b'u') if digits(4, 16) => Ok(5),
        Some(b'U') if digits(8, 16) => Ok(9),
        Some(b'0'..=b'3') if digits(2, 8) => Ok(3),
        _ => Err(CompileError::new(
            "an unknown escape in a string: write `\\\\` for a backslash, or r'...' for a string without escapes",
        )),
    }
}
