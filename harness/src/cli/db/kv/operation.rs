//! What a line asks for.

use super::super::spelling::{Spelling, shown};
use std::borrow::Cow;

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Insert or replace.
    Set {
        /// The key.
        key: Cow<'a, [u8]>,
        /// Its new value.
        value: Cow<'a, [u8]>,
    },
    /// Replace, if there.
    Update {
        /// The key.
        key: Cow<'a, [u8]>,
        /// Its new value.
        value: Cow<'a, [u8]>,
    },
    /// Read.
    Get {
        /// The key.
        key: Cow<'a, [u8]>,
    },
    /// Remove, if there.
    Delete {
        /// The key.
        key: Cow<'a, [u8]>,
    },
    /// Read in order.
    Scan {
        /// The first key, or all from the least.
        from: Option<Cow<'a, [u8]>>,
        /// The key before which it ends, or all to the greatest.
        to: Option<Cow<'a, [u8]>>,
        /// How many records at most.
        most: usize,
    },
    /// A batch begins.
    Batch,
    /// It ends.
    End,
}

impl<'a> Operation<'a> {
    /// The operation of a line.
    ///
    /// # Errors
    /// Why the line says none, in a sentence.
    pub fn parse(line: &'a [u8], spelling: Spelling) -> Result<Self, String> {
        let (word, rest) = cut(line);
        let record = || {
            let (key, value) = cut(rest.unwrap_or_default());
            let value =
                value.ok_or("a key and a value are needed; an empty value still has the space before it")?;
            Ok::<_, String>((spelling.key(key)?, spelling.value(value)?))
        };
        let key = || spelling.key(rest.unwrap_or_default());
        match word {
            b"set" => record().map(|(key, value)| Self::Set { key, value }),
            b"update" => record().map(|(key, value)| Self::Update { key, value }),
            b"get" => key().map(|key| Self::Get { key }),
            b"delete" => key().map(|key| Self::Delete { key }),
            b"scan" => scan(rest.unwrap_or_default(), spelling),
            b"batch" | b"end" if rest.is_some() => Err(format!("nothing may follow '{}'", shown(word))),
            b"batch" => Ok(Self::Batch),
            b"end" => Ok(Self::End),
            _ => Err(format!(
                "there is no operation '{}', but set, update, get, delete, scan, batch and end",
                shown(word)
            )),
        }
    }
}

fn scan(rest: &[u8], spelling: Spelling) -> Result<Operation<'_>, String> {
    let words: Vec<&[u8]> = rest.split(|byte| *byte == b' ').collect();
    let [from, to, most] = words.as_slice() else {
        return Err(
            "a scan needs a first key, a last key and a number, as in 'scan a b 10' or 'scan - - 10'"
                .to_owned(),
        );
    };
    let number = std::str::from_utf8(most).ok().filter(|_| most.iter().all(u8::is_ascii_digit));
    let most = number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| format!("'{}' is not a number of records", shown(most)))?;
    let bound = |word| if word == b"-" { Ok(None) } else { spelling.key(word).map(Some) };
    Ok(Operation::Scan { from: bound(from)?, to: bound(to)?, most })
}

/// A line before its first space, and behind it if there is one.
fn cut(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(space) => (line.get(..space).unwrap_or_default(), line.get(space + 1..)),
        None => (line, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Result<Operation<'_>, String> {
        Operation::parse(line.as_bytes(), Spelling::Text)
    }

    fn hex(line: &str) -> Result<Operation<'_>, String> {
        Operation::parse(line.as_bytes(), Spelling::Hex)
    }

    fn set<'a>(key: &'a [u8], value: &'a [u8]) -> Operation<'a> {
        Operation::Set { key: key.into(), value: value.into() }
    }

    #[test]
    fn values_are_the_rest_of_the_line() {
        assert_eq!(text("set a b"), Ok(set(b"a", b"b")));
        assert_eq!(text("set a  b c "), Ok(set(b"a", b" b c ")));
        assert_eq!(text("set a "), Ok(set(b"a", b"")));
        assert_eq!(text("set - -"), Ok(set(b"-", b"-")));
        assert_eq!(text("get \u{fc}"), Ok(Operation::Get { key: "\u{fc}".as_bytes().into() }));
        assert_eq!(hex("set 6100 0aFF"), Ok(set(b"a\0", b"\n\xFF")));
        assert_eq!(hex("set - -"), Ok(set(b"", b"")));
        assert_eq!(hex("set 61 "), Ok(set(b"a", b"")));
        assert_eq!(hex("delete -"), Ok(Operation::Delete { key: b"".as_slice().into() }));
    }

    #[test]
    fn scans_have_bounds_or_none() {
        let (from, to) = (Some(b"a".as_slice().into()), Some(b"b".as_slice().into()));
        assert_eq!(text("scan a b 10"), Ok(Operation::Scan { from, to, most: 10 }));
        assert_eq!(hex("scan - - 0"), Ok(Operation::Scan { from: None, to: None, most: 0 }));
        assert_eq!(text("batch"), Ok(Operation::Batch));
        assert_eq!(text("end"), Ok(Operation::End));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("sett a b", "no operation 'sett'"),
            (" set a b", "no operation ''"),
            ("SET a b", "no operation"),
            ("set", "a key and a value"),
            ("set a", "a key and a value"),
            ("set  b", "the key is missing"),
            ("get", "the key is missing"),
            ("get a b", "no space"),
            ("delete ", "the key is missing"),
            ("scan a b", "a scan needs"),
            ("scan a b 1 ", "a scan needs"),
            ("scan a b +1", "not a number"),
            ("scan a b -1", "not a number"),
            ("scan a b 99999999999999999999999", "not a number"),
            ("scan  b 1", "the key is missing"),
            ("end ", "nothing may follow"),
            ("\u{1b}[2J", "'\\x1b[2J'"),
        ] {
            let message = text(line).unwrap_err();
            assert!(message.contains(words), "{line:?}: {message}");
        }
        assert!(hex("set 6 00").unwrap_err().contains("'6' is not hexadecimal"));
        assert!(hex("scan 6x - 1").unwrap_err().contains("hexadecimal"));
    }
}
