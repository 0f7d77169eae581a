//! Decompression of a zlib stream (RFC 1950, RFC 1951) with a limit on what comes out.
//!
//! HdrHistogram's own reader takes the length of its buffer from the stream, so a file of a hundred bytes could ask it for 4 GiB.
//! Here the output is bounded first and its checksum compared. Histograms are a few kilobytes: simplicity is worth more than
//! speed, and codes are decoded bit by bit by counting, as in RFC 1951 section 3.2.2. O(output + 15 × symbols).

/// The content of a zlib stream that is at most `limit` bytes long.
///
/// # Errors
/// What is wrong with the stream.
pub fn inflate_zlib(stream: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let [method, flags, body @ ..] = stream else { return Err("zlib stream ends early".to_owned()) };
    let header = u16::from_be_bytes([*method, *flags]);
    // Method 8 is deflate; bit 5 of the flags asks for a dictionary.
    if method & 0x0f != 8 || !header.is_multiple_of(31) || flags & 0x20 != 0 {
        return Err("not a zlib stream".to_owned());
    }
    let mut inflater = Inflater { input: body, bit: 0, output: Vec::new(), limit };
    while !inflater.block()? {}
    let trailer = inflater.input.get(inflater.bit.div_ceil(8)..).unwrap_or_default();
    let expected = <[u8; 4]>::try_from(trailer).map_err(|_| "zlib stream has a wrong length".to_owned())?;
    if u32::from_be_bytes(expected) != adler32(&inflater.output) {
        return Err("zlib checksum differs".to_owned());
    }
    Ok(inflater.output)
}

/// The checksum of RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

const MAX_CODE_BITS: usize = 15;

/// A canonical Huffman code: how many codes there are of each length, and the symbols in the order of their codes.
struct Code {
    counts: [u16; MAX_CODE_BITS + 1],
    symbols: Vec<u16>,
}

impl Code {
    fn new(lengths: &[u8]) -> Result<Self, String> {
        let mut counts = [0_u16; MAX_CODE_BITS + 1];
        let mut symbols = Vec::with_capacity(lengths.len());
        let mut left = 1_i32;
        for (bits, count) in (0_u8..).zip(counts.iter_mut()).skip(1) {
            let of_length =
                (0_u16..).zip(lengths).filter(|(_, length)| **length == bits).map(|(symbol, _)| symbol);
            let before = symbols.len();
            symbols.extend(of_length);
            let found = symbols.len() - before;
            *count = u16::try_from(found).unwrap_or(u16::MAX);
            left = 2 * left - i32::from(*count);
            if left < 0 {
                return Err("deflate code is over-subscribed".to_owned());
            }
        }
        Ok(Self { counts, symbols })
    }
}

struct Inflater<'a> {
    input: &'a [u8],
    bit: usize,
    output: Vec<u8>,
    limit: usize,
}

impl Inflater<'_> {
    fn take(&mut self, count: u32) -> Result<u32, String> {
        (0..count).try_fold(0, |value, place| {
            let byte = self.input.get(self.bit / 8).ok_or("zlib stream ends early")?;
            let bit = u32::from(byte >> (self.bit % 8) & 1);
            self.bit += 1;
            Ok(value | bit << place)
        })
    }

    fn push(&mut self, byte: u8) -> Result<(), String> {
        if self.output.len() == self.limit {
            return Err(format!("inflates to more than {} bytes", self.limit));
        }
        self.output.push(byte);
        Ok(())
    }

    /// Decodes one block and says whether it was the last.
    fn block(&mut self) -> Result<bool, String> {
        let last = self.take(1)? == 1;
        match self.take(2)? {
            0 => self.stored()?,
            1 => {
                let mut lengths = [8_u8; 288];
                lengths.iter_mut().take(256).skip(144).for_each(|length| *length = 9);
                lengths.iter_mut().take(280).skip(256).for_each(|length| *length = 7);
                self.compressed(&Code::new(&lengths)?, &Code::new(&[5; 30])?)?;
            }
            2 => {
                let (literals, distances) = self.codes()?;
                self.compressed(&literals, &distances)?;
            }
            _ => return Err("unknown kind of deflate block".to_owned()),
        }
        Ok(last)
    }

    fn stored(&mut self) -> Result<(), String> {
        self.bit = self.bit.next_multiple_of(8);
        let length = self.take(16)?;
        if self.take(16)? != !length & 0xffff {
            return Err("length of a stored block differs from its complement".to_owned());
        }
        for _ in 0..length {
            let byte = self.take(8)? as u8;
            self.push(byte)?;
        }
        Ok(())
    }

    /// The two codes of a dynamic block, themselves coded by a code of code lengths.
    fn codes(&mut self) -> Result<(Code, Code), String> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let literals = self.take(5)? as usize + 257;
        let distances = self.take(5)? as usize + 1;
        let coded = self.take(4)? as usize + 4;
        let mut code_lengths = [0_u8; 19];
        for place in ORDER.into_iter().take(coded) {
            let bits = self.take(3)? as u8;
            if let Some(length) = code_lengths.get_mut(place) {
                *length = bits;
            }
        }
        let code = Code::new(&code_lengths)?;
        let mut lengths = Vec::with_capacity(literals + distances);
        while lengths.len() < literals + distances {
            let (value, times) = match self.symbol(&code)? {
                16 => (*lengths.last().ok_or("deflate repeats nothing")?, 3 + self.take(2)?),
                17 => (0, 3 + self.take(3)?),
                18 => (0, 11 + self.take(7)?),
                bits => (bits as u8, 1),
            };
            lengths.extend((0..times).map(|_| value));
        }
        if lengths.len() != literals + distances {
            return Err("deflate code lengths overrun".to_owned());
        }
        let (literal_lengths, distance_lengths) = lengths.split_at(literals);
        Ok((Code::new(literal_lengths)?, Code::new(distance_lengths)?))
    }

    /// Reads bits until they are a code: codes of a length are consecutive and follow those of the shorter lengths.
    fn symbol(&mut self, code: &Code) -> Result<u16, String> {
        let (mut value, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for count in code.counts.iter().skip(1).map(|count| u32::from(*count)) {
            value |= self.take(1)?;
            if value < first + count {
                let symbol = code.symbols.get((index + value - first) as usize);
                return symbol.copied().ok_or_else(|| "unknown deflate code".to_owned());
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        Err("unknown deflate code".to_owned())
    }

    fn compressed(&mut self, literals: &Code, distances: &Code) -> Result<(), String> {
        loop {
            match self.symbol(literals)? {
                literal @ 0..=255 => self.push(literal as u8)?,
                256 => return Ok(()),
                symbol @ 257..=285 => {
                    let length = self.length(u32::from(symbol) - 257)?;
                    let symbol = self.symbol(distances)?;
                    let distance = self.distance(u32::from(symbol))?;
                    self.copy(length, distance)?;
                }
                _ => return Err("unknown deflate length".to_owned()),
            }
        }
    }

    /// RFC 1951 section 3.2.5: from the ninth symbol on, each group of four shares a number of extra bits.
    fn length(&mut self, symbol: u32) -> Result<usize, String> {
        let (base, extra) = match symbol {
            28 => (255, 0),
            0..=7 => (symbol, 0),
            _ => ((4 + symbol % 4) << (symbol / 4 - 1), symbol / 4 - 1),
        };
        Ok((3 + base + self.take(extra)?) as usize)
    }

    /// As [`Self::length`], with groups of two.
    fn distance(&mut self, symbol: u32) -> Result<usize, String> {
        let (base, extra) = match symbol {
            0..=3 => (symbol, 0),
            4..=29 => ((2 + symbol % 2) << (symbol / 2 - 1), symbol / 2 - 1),
            _ => return Err("unknown deflate distance".to_owned()),
        };
        Ok((1 + base + self.take(extra)?) as usize)
    }

    fn copy(&mut self, length: usize, distance: usize) -> Result<(), String> {
        let start = self.output.len().checked_sub(distance).ok_or("deflate distance before the start")?;
        for place in start..start + length {
            let byte = *self.output.get(place).ok_or("deflate distance after the end")?;
            self.push(byte)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// Streams made by zlib at levels 0 (stored) and 9 (fixed codes); dynamic codes are exercised by the histograms.
    #[test]
    fn streams_of_zlib_are_inflated() {
        assert_eq!(inflate_zlib(&bytes(STORED), 100).unwrap(), b"abc");
        assert_eq!(inflate_zlib(&bytes(FIXED), 100).unwrap(), b"abcabcabcabcabcabc!");
        assert!(inflate_zlib(&bytes(FIXED), 18).unwrap_err().contains("more than 18"));
        let mut other = bytes(STORED);
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(inflate_zlib(&other, 100).unwrap_err(), "zlib checksum differs");
    }

    const STORED: &str = "7801010300fcff616263024d0127";
    const FIXED: &str = "78014b4c4a4e44458a0048820706";
}
