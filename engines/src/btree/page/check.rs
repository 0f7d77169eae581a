//! Checks of a page.
//!
//! Thread safety: what is checked holds only while no write is under way.

use super::{HEAD_BYTES, Meta, OFFSET_MASK, Page, front_words};

impl Page<'_> {
    /// Checks the page's own invariants: the order of keys, heads, the prefix, bounds and sum of the records.
    pub(in crate::btree) fn check(&self) -> Result<(), String> {
        let Meta { count, heap, garbage, prefix_len, level } = self.meta;
        let front = front_words(prefix_len, count);
        if self.heads.len() != count
            || heap << self.shift() < front
            || heap << self.shift() > self.words.len()
        {
            return Err(format!("{count} entries and a heap from word {} do not fit", heap << self.shift()));
        }
        let (mut last, mut key, mut units) = (Vec::new(), Vec::new(), 0);
        let mut extents = Vec::with_capacity(count);
        for index in 0..count {
            let record = self.record(index);
            let at = (self.slot(index) as usize & OFFSET_MASK as usize) << self.shift();
            let own = record.words().div_ceil(1 << self.shift());
            units += own;
            if own > 0 {
                extents.push((at, at + (own << self.shift())));
            }
            if (own > 0 && at < heap << self.shift()) || self.value_slice(&record).is_none() {
                return Err(format!("record {index} lies outside of the heap"));
            }
            if record.suffix_len < HEAD_BYTES && self.head(index) << (record.suffix_len * 8) != 0 {
                return Err(format!("head {index} goes on behind its key"));
            }
            if level > 0 && index == 0 {
                if record.suffix_len > 0 {
                    return Err("the first child has a separator".to_owned());
                }
                continue;
            }
            key.clear();
            if self.append_key(index, &mut key).is_none() || key.len() != prefix_len + record.suffix_len {
                return Err(format!("key {index} is torn"));
            }
            if index > usize::from(level > 0) && key <= last {
                return Err(format!("key {index} is not above the one before"));
            }
            let found = if level > 0 { self.locate_from(1, &key) } else { self.locate(&key) };
            if found != Ok(index) {
                return Err(format!("a search for key {index} finds {found:?}"));
            }
            std::mem::swap(&mut key, &mut last);
        }
        extents.sort_unstable();
        if extents.windows(2).any(|pair| matches!(pair, [a, b] if a.1 > b.0)) {
            return Err("records overlap".to_owned());
        }
        let held = (self.words.len() >> self.shift()) - heap;
        if units + garbage != held {
            return Err(format!("{units} units in use and {garbage} of garbage, but {held} in the heap"));
        }
        Ok(())
    }
}
