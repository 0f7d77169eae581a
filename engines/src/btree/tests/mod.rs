//! Tests of the tree as a whole, against a `BTreeMap`.

mod concurrent;
mod figures;
mod load;
mod model;
mod pages;
mod scans;
mod shape;

use super::*;
use crate::options::ByteSize;
use crate::testing::{eventually, within};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn with_order(order: u32) -> BTree {
    BTree::new(&BTreeOptions { order: Some(order), ..Default::default() }).unwrap()
}

fn with_size(bytes: u64) -> BTree {
    BTree::new(&BTreeOptions { node_size: ByteSize(bytes), ..Default::default() }).unwrap()
}

/// Trees of the kinds that every test should see.
fn trees() -> Vec<(&'static str, BTree)> {
    vec![
        ("order 3", with_order(3)),
        ("order 4", with_order(4)),
        ("order 5", with_order(5)),
        ("order 100", with_order(100)),
        ("512 B", with_size(512)),
        ("default", BTree::new(&BTreeOptions::default()).unwrap()),
        // As many words as offsets of 12 bits number, and twice as many.
        ("32 KiB", with_size(32 << 10)),
        ("64 KiB", with_size(64 << 10)),
    ]
}

fn detail(tree: &BTree, name: &str) -> f64 {
    tree.stats().details.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure).unwrap()
}

fn collect(tree: &BTree, range: &ScanRange<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut seen = Vec::new();
    let visited = tree
        .scan(range, &mut Chunk::new(), &mut |key, value| {
            seen.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(visited, seen.len() as u64);
    seen
}

/// The tree is valid and holds exactly what the model holds, and says so.
fn assert_same(tree: &BTree, model: &Model) {
    tree.validate().unwrap();
    let records: Vec<_> = model.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    assert!(collect(tree, &ScanRange::all()) == records);
    let stats = tree.stats();
    assert_eq!(stats.records, model.len() as u64);
    let bytes: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!(stats.live_bytes, Some(bytes as u64));
    let value_bytes: usize = model.values().map(Vec::len).sum();
    assert!(stats.memory_bytes >= value_bytes as u64, "what prefix truncation saves is saved in keys");
}
