//! Directories: which names there are, live and durable, and the changes that no sync has covered.

use super::InodeId;
use super::image::{Persistence, choose_states};
use super::random::SimRandom;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Node {
    File(InodeId),
    Directory,
}

#[derive(Clone, Debug)]
enum Change {
    Link { path: PathBuf, node: Node },
    Unlink { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, node: Node },
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } => path,
            Self::Rename { to, .. } => to,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Link { path, node } => {
                names.insert(path.clone(), *node);
            }
            Self::Unlink { path } => {
                names.remove(path);
            }
            Self::Rename { from, to, node } => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
        }
    }
}

/// See the head of this file. The root is a directory that is always there.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    live: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    /// In the order they were made.
    changes: Vec<Change>,
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl Names {
    fn is_directory(&self, path: &Path) -> bool {
        parent(path) == path
            || path.parent().is_none()
            || path == Path::new("")
            || self.live.get(path) == Some(&Node::Directory)
    }

    fn make(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.changes.push(change);
    }

    fn add(&mut self, path: &Path, node: Node) -> Result<()> {
        if !self.is_directory(parent(path)) {
            return Err(ErrorKind::NotFound.into());
        }
        if self.live.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.make(Change::Link { path: path.to_path_buf(), node });
        Ok(())
    }

    pub(super) fn link(&mut self, path: &Path, inode: InodeId) -> Result<()> {
        self.add(path, Node::File(inode))
    }

    pub(super) fn create_directory(&mut self, path: &Path) -> Result<()> {
        self.add(path, Node::Directory)
    }

    pub(super) fn unlink(&mut self, path: &Path) -> Result<()> {
        self.file(path)?;
        self.make(Change::Unlink { path: path.to_path_buf() });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let node = Node::File(self.file(from)?);
        if parent(from) != parent(to) {
            return Err(Error::new(ErrorKind::Unsupported, "a rename into another directory"));
        }
        self.make(Change::Rename { from: from.to_path_buf(), to: to.to_path_buf(), node });
        Ok(())
    }

    pub(super) fn file(&self, path: &Path) -> Result<InodeId> {
        match self.live.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Directory) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, InodeId)> {
        self.live.iter().filter_map(|(path, node)| match node {
            Node::File(inode) => Some((path.as_path(), *inode)),
            Node::Directory => None,
        })
    }

    pub(super) fn list(&self, directory: &Path) -> Result<Vec<String>> {
        if !self.is_directory(directory) {
            return Err(ErrorKind::NotFound.into());
        }
        let inside = self.live.keys().filter(|path| parent(path) == directory);
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    pub(super) fn sync(&mut self, directory: &Path) -> Result<()> {
        if !self.is_directory(directory) {
            return Err(ErrorKind::NotFound.into());
        }
        let (covered, others) = self.changes.drain(..).partition(|change| parent(change.path()) == directory);
        self.changes = others;
        Vec::into_iter(covered).for_each(|change: Change| change.apply(&mut self.durable));
        Ok(())
    }

    /// A durable directory, and those that it lies in.
    pub(super) fn plant_directory(&mut self, path: &Path) {
        for directory in path.ancestors().filter(|path| path.file_name().is_some()) {
            self.live.entry(directory.to_path_buf()).or_insert(Node::Directory);
            self.durable.entry(directory.to_path_buf()).or_insert(Node::Directory);
        }
    }

    /// A durable file, with its directories.
    pub(super) fn plant(&mut self, path: &Path, inode: InodeId) {
        self.plant_directory(parent(path));
        self.live.insert(path.to_path_buf(), Node::File(inode));
        self.durable.insert(path.to_path_buf(), Node::File(inode));
    }

    /// Takes a file's name away, durably.
    pub(super) fn uproot(&mut self, path: &Path) {
        self.live.remove(path);
        self.durable.remove(path);
    }

    /// The live names, all durable.
    pub(super) fn all_durable(&self) -> Self {
        Self::durable_only(self.live.clone())
    }

    /// The names after a power cut: those of some moment since the last sync, as a journal leaves them, or any choice of
    /// the changes, as one without.
    pub(super) fn image(&self, persistence: Persistence, random: &mut SimRandom) -> Self {
        let mut names = self.durable.clone();
        let journal = random.below(2) == 0;
        let moment = choose_states(self.changes.len(), random);
        for (index, change) in self.changes.iter().enumerate() {
            let is_there = match persistence {
                Persistence::Nothing => false,
                Persistence::Everything | Persistence::Sizes => true,
                Persistence::Some | Persistence::Torn if journal => index < moment,
                Persistence::Some | Persistence::Torn => random.below(2) == 0,
            };
            if is_there {
                change.apply(&mut names);
            }
        }
        // What lies in a directory that is not there is not there either.
        let lost = |path: &PathBuf, names: &BTreeMap<PathBuf, Node>| {
            path.ancestors().skip(1).any(|above| above.file_name().is_some() && !names.contains_key(above))
        };
        let gone: Vec<_> = names.keys().filter(|path| lost(path, &names)).cloned().collect();
        gone.iter().for_each(|path| {
            names.remove(path);
        });
        Self::durable_only(names)
    }

    fn durable_only(names: BTreeMap<PathBuf, Node>) -> Self {
        Self { durable: names.clone(), live: names, changes: Vec::new() }
    }
}
