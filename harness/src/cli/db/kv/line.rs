//! Lines of a bounded length from an input of any length.

use std::io::{BufRead, Read, Result};

/// Memory that is kept from one line to the next.
const KEPT_BYTES: usize = 1 << 20;

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line.
    Whole,
    /// A line that is longer than allowed; it was passed over.
    TooLong,
    /// Nothing: the input has ended.
    End,
}

/// Reads a line of at most `most` bytes into `text`, without its end. The last line of the input needs none.
///
/// # Errors
/// Of the input.
pub fn read(input: &mut impl BufRead, most: usize, text: &mut Vec<u8>) -> Result<Line> {
    text.clear();
    text.shrink_to(KEPT_BYTES);
    let limit = most as u64 + 1;
    if input.by_ref().take(limit).read_until(b'\n', text)? == 0 {
        return Ok(Line::End);
    }
    if text.last() == Some(&b'\n') {
        text.pop();
        return Ok(Line::Whole);
    }
    if text.len() <= most {
        return Ok(Line::Whole);
    }
    loop {
        text.clear();
        let passed = input.by_ref().take(KEPT_BYTES as u64).read_until(b'\n', text)?;
        if passed == 0 || text.last() == Some(&b'\n') {
            return Ok(Line::TooLong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn lines_are_whole_or_passed_over() {
        let long = "x".repeat(3 * KEPT_BYTES);
        let mut input = Cursor::new(format!("abc\n\nabcd\nabcde\n{long}\nab\rc\n{long}"));
        let (mut text, mut found) = (Vec::new(), Vec::new());
        loop {
            let line = read(&mut input, 4, &mut text).unwrap();
            found.push((line, if line == Line::Whole { text.clone() } else { Vec::new() }));
            if line == Line::End {
                break;
            }
        }
        let whole = |text: &str| (Line::Whole, text.as_bytes().to_vec());
        let (long, end) = ((Line::TooLong, Vec::new()), (Line::End, Vec::new()));
        let expected =
            [whole("abc"), whole(""), whole("abcd"), long.clone(), long.clone(), whole("ab\rc"), long, end];
        assert_eq!(found, expected);
        assert!(text.capacity() <= 2 * KEPT_BYTES);
    }
}
