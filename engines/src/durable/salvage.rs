//! What a damaged store still holds.
//!
//! Opening a store refuses damage, since nobody can say what is missing. Salvage goes on where it can: it takes the blocks of the newest
//! snapshot that can be read, and every frame of the log that is whole, in order, and counts what it had to leave out. What it finds was written
//! once, but may have been replaced or removed by what it could not read.
//!
//! Thread safety: takes the store's lock; changes nothing in its directory.

use super::directory::Directory;
use crate::env::FileSystem;
use crate::error::Result;
use crate::log::{Log, Outcome};
use crate::snapshot::{self, Snapshot};
use std::path::Path;
use std::sync::Arc;

/// Who is shown what was done.
pub type Visit<'a> = &'a mut dyn FnMut(Outcome<'_>) -> Result<()>;

/// What was found, and what was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Salvaged {
    /// Records of snapshots.
    pub snapshot_records: u64,
    /// Blocks of snapshots that cannot be read; whole snapshots that cannot be opened count as one.
    pub lost_blocks: u64,
    /// Frames of the log.
    pub frames: u64,
    /// Places of the log where whole frames are missing in between, or cannot be read.
    pub gaps: u64,
}

impl Salvaged {
    /// Whether nothing that was known to be there is missing.
    pub const fn is_whole(&self) -> bool {
        self.lost_blocks == 0 && self.gaps == 0
    }
}

/// Visits what can be read of a store: the records of a snapshot, then the outcomes of the log behind it, in their order. The snapshot is the newest that can be read whole; if there is none, what can be read of each is
/// visited from the oldest on, so that newer values come later.
///
/// # Errors
/// [`Error::InUse`](crate::Error::InUse), [`Error::NotAStore`](crate::Error::NotAStore), a marker that cannot be read, of the file system, or of `visit`.
pub fn salvage(
    system: Arc<dyn FileSystem>,
    directory: &Path,
    engine: &'static str,
    visit: Visit<'_>,
) -> Result<Salvaged> {
    let directory = Directory::open_existing(system, directory, engine)?;
    let numbers = snapshot::list(&*directory.system, &directory.path)?;
    let open = |number: u64| Snapshot::open(&*directory.system, &directory.path, directory.store, number);
    let whole = numbers.iter().find_map(|number| open(*number).ok().filter(is_whole));
    let mut salvaged = Salvaged::default();
    // A store whose log was never cut begins with its first frame.
    let after = match whole {
        Some(snapshot) => {
            visit_snapshot(&snapshot, &mut salvaged, visit)?;
            Some(snapshot.after())
        }
        None => {
            for number in numbers.iter().rev() {
                match open(*number) {
                    Ok(snapshot) => visit_snapshot(&snapshot, &mut salvaged, visit)?,
                    Err(_) => salvaged.lost_blocks += 1,
                }
            }
            // All frames that are there: some of them say what the blocks that cannot be read did.
            numbers.is_empty().then_some(0)
        }
    };
    let found = Log::salvage(&*directory.system, &directory.path, directory.store, after, visit)?;
    salvaged.frames = found.frames;
    salvaged.gaps = found.gaps;
    Ok(salvaged)
}

fn is_whole(snapshot: &Snapshot) -> bool {
    let mut buffer = Vec::new();
    (0..snapshot.blocks()).all(|number| match snapshot.block(number, std::mem::take(&mut buffer)) {
        Ok(block) => {
            buffer = block.into_buffer();
            true
        }
        Err(_) => false,
    })
}

fn visit_snapshot(snapshot: &Snapshot, salvaged: &mut Salvaged, visit: Visit<'_>) -> Result<()> {
    let mut buffer = Vec::new();
    for number in 0..snapshot.blocks() {
        match snapshot.block(number, std::mem::take(&mut buffer)) {
            Ok(block) => {
                for (key, value) in block.records() {
                    visit(Outcome::Set(key, value))?;
                    salvaged.snapshot_records += 1;
                }
                buffer = block.into_buffer();
            }
            Err(_) => salvaged.lost_blocks += 1,
        }
    }
    Ok(())
}
