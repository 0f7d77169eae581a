//! Keys and values as they stand in a line.
//!
//! In text a key or value is its own bytes: a key has at least one byte and no space or line end, a value no line end. In hexadecimal
//! any bytes can be said, two digits each; no bytes at all are `-`. What is dumped as text is escaped, so that it fits any terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// How keys and values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As they are.
    Text,
    /// As hexadecimal digits.
    Hex,
}

/// No bytes at all, in hexadecimal.
const EMPTY: &[u8] = b"-";

impl Spelling {
    /// Hexadecimal, if it was asked for.
    pub const fn of(hex: bool) -> Self {
        if hex { Self::Hex } else { Self::Text }
    }

    /// The key that a word of a line says.
    ///
    /// # Errors
    /// Why the word is none, in a sentence.
    pub fn key<'a>(self, word: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        match self {
            _ if word.is_empty() => Err(format!(
                "the key is missing{}",
                match self {
                    Self::Text => "; --hex can say the empty one",
                    Self::Hex => "; the empty one is -",
                }
            )),
            Self::Text if word.contains(&b' ') => {
                Err("in text a key has no space in it; --hex can say any".to_owned())
            }
            Self::Text => Ok(Cow::Borrowed(word)),
            Self::Hex => bytes(word).map(Cow::Owned),
        }
    }

    /// The value that the rest of a line says.
    ///
    /// # Errors
    /// Why it says none, in a sentence.
    pub fn value(self, rest: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::Text => Ok(Cow::Borrowed(rest)),
            Self::Hex => bytes(rest).map(Cow::Owned),
        }
    }

    /// Appends a key to a line.
    ///
    /// # Errors
    /// Where text cannot say it.
    pub fn put_key(self, key: &[u8], line: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Text if key.is_empty() || key.iter().any(|byte| b" \n".contains(byte)) => {
                Err("a key is empty or has a space or line end in it; --hex can say it".to_owned())
            }
            _ => self.put_value(key, line),
        }
    }

    /// Appends a value to a line.
    ///
    /// # Errors
    /// Where text cannot say it.
    pub fn put_value(self, value: &[u8], line: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Text if value.contains(&b'\n') => {
                return Err("a value has a line end in it; --hex can say it".to_owned());
            }
            Self::Text => line.extend_from_slice(value),
            Self::Hex => put_hex(value, line),
        }
        Ok(())
    }
}

/// Appends hexadecimal digits, or `-` for no bytes.
pub fn put_hex(bytes: &[u8], line: &mut Vec<u8>) {
    if bytes.is_empty() {
        line.extend_from_slice(EMPTY);
    }
    line.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// Appends bytes with everything but printable ASCII, the backslash and, in keys, the space as `\xNN`.
pub fn put_escaped(bytes: &[u8], is_key: bool, line: &mut Vec<u8>) {
    for &byte in bytes {
        let stays = byte == b' ' && !is_key || byte.is_ascii_graphic() && byte != b'\\';
        if stays {
            line.push(byte);
        } else {
            line.extend([b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// The beginning of a word, so that a message can show it.
pub fn shown(word: &[u8]) -> String {
    const MOST: usize = 40;
    let mut line = Vec::new();
    put_escaped(word.get(..MOST).unwrap_or(word), false, &mut line);
    let mut text = String::from_utf8_lossy(&line).into_owned();
    if word.len() > MOST {
        let _ = write!(text, "… ({} bytes)", word.len());
    }
    text
}

const fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}

/// The bytes that hexadecimal digits of either case say.
fn bytes(word: &[u8]) -> Result<Vec<u8>, String> {
    if word == EMPTY {
        return Ok(Vec::new());
    }
    let half = |digit: u8| char::from(digit).to_digit(16).map(|half| half as u8);
    let pairs = word.chunks(2).map(|pair| match pair {
        [high, low] => Some(half(*high)? << 4 | half(*low)?),
        _ => None,
    });
    let bytes: Option<Vec<u8>> = pairs.collect();
    bytes.ok_or_else(|| format!("'{}' is not hexadecimal, two digits a byte", shown(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_says_any_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&b""[..], b"\n", b" -", &all] {
            let mut line = Vec::new();
            Spelling::Hex.put_key(bytes, &mut line).unwrap();
            assert_eq!(Spelling::Hex.key(&line).unwrap(), bytes);
            assert_eq!(Spelling::Hex.value(&line).unwrap(), bytes);
        }
        assert_eq!(Spelling::Hex.value(b"4A4b").unwrap().as_ref(), b"JK");
        assert_eq!(Spelling::Hex.value(b"").unwrap().as_ref(), b"");
        for wrong in [&b"4"[..], b"4g", b"+4", "é0".as_bytes(), b"4a "] {
            assert!(Spelling::Hex.key(wrong).unwrap_err().contains("not hexadecimal"));
        }
        assert!(Spelling::Hex.key(b"").unwrap_err().contains("missing"));
    }

    #[test]
    fn text_is_its_own_bytes_and_refuses_what_a_line_cannot_hold() {
        let mut line = Vec::new();
        Spelling::Text.put_key(b"\\x00\xFF", &mut line).unwrap();
        Spelling::Text.put_value(b"a b", &mut line).unwrap();
        assert_eq!(line, b"\\x00\xFFa b");
        assert!(Spelling::Text.key(b"a b").is_err() && Spelling::Text.key(b"").is_err());
        for key in [&b""[..], b"a b", b"a\nb"] {
            assert!(Spelling::Text.put_key(key, &mut line).is_err());
        }
        assert!(Spelling::Text.put_value(b"a\nb", &mut line).is_err());
    }

    #[test]
    fn what_is_dumped_is_one_line_of_ascii() {
        let escaped = |bytes: &[u8], is_key| {
            let mut line = Vec::new();
            put_escaped(bytes, is_key, &mut line);
            String::from_utf8(line).unwrap()
        };
        assert_eq!(escaped(b"a b\\\n\x7F\xC3", true), "a\\x20b\\x5c\\x0a\\x7f\\xc3");
        assert_eq!(escaped(b"a b~", false), "a b~");
        assert_eq!(shown(&[b'a'; 50]), format!("{}… (50 bytes)", "a".repeat(40)));
    }
}
