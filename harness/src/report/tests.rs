//! The files of a report.

use super::*;
use crate::exit::Exit;
use crate::results::synthetic::Synthetic;
use std::fs;

fn small() -> SweepResult {
    let engines = vec![("hash".to_owned(), 95.0, 0.05), ("btree".to_owned(), 160.0, 0.12)];
    Synthetic { engines, threads: vec![2], trials: 2, bins: 12, ..Synthetic::default() }.build()
}

#[test]
fn a_report_is_a_page_and_pictures_that_are_not_blank() {
    let directory = tempfile::tempdir().unwrap();
    let report = write(directory.path(), &[small()]).unwrap();
    assert_eq!(report.html, directory.path().join("report.html"));
    let mut names: Vec<_> =
        report.pngs.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "ycsb-a-load-latency-insert-2-threads.png",
            "ycsb-a-load-ranking.png",
            "ycsb-a-memory.png",
            "ycsb-a-mixed-latency-read-2-threads.png",
            "ycsb-a-mixed-latency-update-2-threads.png",
            "ycsb-a-mixed-ranking.png",
            "ycsb-a-mixed-time-2-threads.png",
        ]
    );
    for path in &report.pngs {
        let (width, height, raw) = png::tests::decode(&fs::read(path).unwrap());
        assert_eq!(width, (880 + 2 * 28) * 2);
        assert!(height > 400, "{}", path.display());
        let mut counts = [0_usize; 256];
        raw.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
        let same = counts.iter().max().unwrap();
        assert!(*same < raw.len() - raw.len() / 100, "{} is blank", path.display());
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 8, "no scratch file is left");
    write(directory.path(), &[small()]).unwrap();
}

#[test]
fn what_is_not_ours_is_not_replaced() {
    for name in ["report.html", "ycsb-a-mixed-ranking.png"] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), "mine").unwrap();
        assert_eq!(write(directory.path(), &[small()]).unwrap_err().exit, Exit::Io);
        assert_eq!(fs::read(directory.path().join(name)).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing was begun");
    }
}
