//! The knobs of the engine.

use super::limits::Limits;
use crate::entry::invalid;
use crate::error::Result;
use crate::options::{ByteSize, OptionDoc};
use serde::{Deserialize, Serialize};

const ORDER_MIN: u32 = 3;
const ORDER_MAX: u32 = 1000;
const NODE_SIZE_MIN: u64 = 512;
const NODE_SIZE_MAX: u64 = 64 << 10;

/// Options of [`super::BTree`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BTreeOptions {
    /// The most entries of a node: records of a leaf, children of a branch; 3–1000. Without it nodes are limited by bytes.
    pub order: Option<u32>,
    /// Size of a leaf, 512 B–64 KiB; a branch has a quarter of it. A value longer than a quarter of it, or than 2,046 B, is kept outside of the leaf.
    /// If `order` is set, that is all it decides, and nodes are as large as their entries need.
    pub node_size: ByteSize,
}

impl Default for BTreeOptions {
    fn default() -> Self {
        Self { order: None, node_size: ByteSize::kib(4) }
    }
}

impl BTreeOptions {
    /// Checks the ranges.
    pub(super) fn limits(&self) -> Result<Limits> {
        if let Some(order) = self.order
            && !(ORDER_MIN..=ORDER_MAX).contains(&order)
        {
            return Err(invalid(
                super::NAME,
                &format!("order must be {ORDER_MIN} to {ORDER_MAX}, not {order}"),
            ));
        }
        let size = self.node_size.bytes();
        if !(NODE_SIZE_MIN..=NODE_SIZE_MAX).contains(&size) {
            return Err(invalid(
                super::NAME,
                &format!("node_size must be 512B to 64KiB, not {}", self.node_size),
            ));
        }
        Ok(Limits::new(self.order.map(|order| order as usize), size as usize))
    }
}

/// The documentation of [`BTreeOptions`].
pub(super) const OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        name: "order",
        range: "3–1000, or null",
        default: "null",
        summary: "the most records of a leaf and children of a branch; null: nodes are limited by bytes",
    },
    OptionDoc {
        name: "node_size",
        range: "512B–64KiB",
        default: "\"4KiB\"",
        summary: "size of a leaf, four times that of a branch; values over a quarter of it are kept outside of the leaf (with order: that alone)",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_refused() {
        let order = |order| BTreeOptions { order: Some(order), ..Default::default() }.limits();
        let size = |size| BTreeOptions { node_size: ByteSize(size), ..Default::default() }.limits();
        assert!(order(2).is_err() && order(1001).is_err());
        assert!(order(3).is_ok() && order(1000).is_ok());
        assert!(size(511).is_err() && size((64 << 10) + 1).is_err());
        assert!(size(512).is_ok() && size(64 << 10).is_ok());
    }

    #[test]
    fn options_are_read_from_json() {
        let read = |text| serde_json::from_str::<BTreeOptions>(text);
        let options = read(r#"{"order": 5, "node_size": "1KiB"}"#).unwrap();
        assert_eq!(options, BTreeOptions { order: Some(5), node_size: ByteSize::kib(1) });
        assert_eq!(read("{}").unwrap(), BTreeOptions::default());
        assert!(read(r#"{"ordre": 5}"#).is_err());
    }
}
