//! Conversations with engines that do what they should, and with one whose disk fails.

use super::*;
use engines::entry::OpenOptions;
use engines::{Existence, registry};
use std::io::Cursor;

fn talk(session: Box<dyn Session + '_>, spelling: Spelling, input: &str) -> (String, Result<(), Failure>) {
    let mut output = Vec::new();
    let talk = Conversation {
        session,
        spelling,
        output: &mut output,
        line: 0,
        batch: None,
        refused: Refused::default(),
    };
    let ended = talk.hold(&mut Cursor::new(input));
    (String::from_utf8(output).unwrap(), ended)
}

fn with(engine: &str, spelling: Spelling, input: &str) -> (String, Result<(), Failure>) {
    let engine = registry::open(engine, &OpenOptions::default()).unwrap();
    talk(engine.session().unwrap(), spelling, input)
}

#[test]
fn every_operation_has_its_answer() {
    let input = "set a 1\nset b \nupdate a 2 2\nupdate c 3\nget a\nget b\nget c\nscan - - 10\nscan a b 10\nscan - - 1\n\
        \ndelete a\ndelete a\nget a\nscan b a 5";
    let expected = "ack 1\nack 2\nack 3\nnone\nvalue 2 2\nvalue \nnone\nrecords 2\na 2 2\nb \nrecords 1\na 2 2\n\
        records 1\na 2 2\nack 12\nack 13\nnone\nrecords 0\n";
    let (answers, ended) = with("btree", Spelling::Text, input);
    assert_eq!((answers.as_str(), ended.is_ok()), (expected, true));
}

#[test]
fn a_batch_is_applied_at_its_end_or_not_at_all() {
    let good = "set x 0\nbatch\nset a 1\nset a 2\ndelete x\nend\nget a\nget x\n";
    let (answers, ended) = with("btree", Spelling::Text, good);
    assert_eq!((answers.as_str(), ended.is_ok()), ("ack 1\nack 6\nvalue 2\nnone\n", true));

    let wrong = "batch\nset a 1\nget a\nset b 2\nbatch\nend\nget a\nend\nbatch\nset c";
    let (answers, ended) = with("btree", Spelling::Text, wrong);
    let lines: Vec<&str> = answers.lines().collect();
    assert!(lines[0].starts_with("error 3 a batch takes set and delete"), "{answers}");
    assert!(lines[1].starts_with("error 5 a batch takes set and delete"), "{answers}");
    assert_eq!(lines[2], "error 6 the batch is not applied, because line 3 was refused");
    assert_eq!(lines[3], "none");
    assert_eq!(lines[4], "error 8 there is no batch to end");
    assert!(lines[5].starts_with("error 10 a key and a value"), "{answers}");
    assert_eq!(lines[6], "error 10 the input ended in the batch of line 9; it is not applied");
    let failure = ended.unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(
        failure.message.starts_with("line 3: ") && failure.message.ends_with("(5 more lines were refused)"),
        "{failure}"
    );
}

#[test]
fn a_batch_past_the_limits_is_refused_where_it_passes_them() {
    let lines: String = (0..=MAX_BATCH_OPERATIONS + 5).map(|number| format!("set {number} v\n")).collect();
    let (answers, ended) = with("btree", Spelling::Text, &format!("batch\n{lines}end\nscan - - 1\n"));
    let answers: Vec<&str> = answers.lines().collect();
    assert!(answers[0].starts_with("error 10002 batch of 10001 operations"), "{answers:?}");
    assert!(answers[1].starts_with("error 10008 the batch is not applied"), "{answers:?}");
    assert_eq!(answers[2..], ["records 0"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Usage);
}

#[test]
fn what_a_line_of_text_cannot_hold_is_refused() {
    let engine = registry::open("btree", &OpenOptions::default()).unwrap();
    let (answers, ended) =
        talk(engine.session().unwrap(), Spelling::Hex, "set 61 0a\nset - -\nget 61\nget -\nscan - 61 9");
    assert_eq!(
        (answers.as_str(), ended.is_ok()),
        ("ack 1\nack 2\nvalue 0a\nvalue -\nrecords 1\n- -\n", true)
    );
    let (answers, ended) = talk(engine.session().unwrap(), Spelling::Text, "get a\nscan - - 1\nscan a - 1\n");
    assert_eq!(answers.matches("--hex can say it").count(), 3, "{answers}");
    assert_eq!(ended.unwrap_err().exit, Exit::Usage);
}

#[test]
fn what_an_engine_cannot_do_is_an_error_of_the_line() {
    let key = "k".repeat(engines::engine::MAX_KEY_BYTES + 1);
    let (answers, ended) = with("hash", Spelling::Text, &format!("scan - - 1\nset {key} v\nset a 1\n"));
    let lines: Vec<&str> = answers.lines().collect();
    assert!(lines[0].starts_with("error 1 hash does not support scan"), "{answers}");
    assert!(lines[1].starts_with("error 2 key of 65537 bytes"), "{answers}");
    assert_eq!((lines[2], ended.unwrap_err().exit), ("ack 3", Exit::Usage));
}

/// Takes one write; then its disk is full.
struct Full(u32);

impl Session for Full {
    fn get(&mut self, _: &[u8], value: &mut Vec<u8>) -> engines::Result<bool> {
        *value = b"there".to_vec();
        Ok(true)
    }

    fn set(&mut self, _: &[u8], _: &[u8]) -> engines::Result<()> {
        self.0 += 1;
        if self.0 > 1 { Err(Error::Poisoned { reason: "sync\nthe log".to_owned() }) } else { Ok(()) }
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> engines::Result<bool> {
        self.set(key, value).map(|()| true)
    }

    fn delete(&mut self, key: &[u8]) -> engines::Result<Existence> {
        self.set(key, b"").map(|()| Existence::Present)
    }

    fn batch(&mut self, _: &WriteBatch) -> engines::Result<()> {
        self.set(b"", b"")
    }

    fn scan(&mut self, _: &ScanRange<'_>, _: engines::engine::Visitor<'_>) -> engines::Result<u64> {
        Ok(0)
    }
}

#[test]
fn a_disk_that_fails_is_told_line_by_line_and_reads_go_on() {
    let input = "nonsense\nset a 1\nset a 2\nget a\ndelete a\nbatch\nend\nupdate a 3\n";
    let (answers, ended) = talk(Box::new(Full(0)), Spelling::Text, input);
    let words: Vec<&str> = answers.lines().map(|line| line.split(" takes").next().unwrap_or(line)).collect();
    assert_eq!(words[1..], ["ack 2", "error 3", "value there", "error 5", "error 7", "error 8"]);
    assert!(answers.contains("could not sync the log"), "{answers}");
    let failure = ended.unwrap_err();
    assert_eq!(failure.exit, Exit::Io, "graver than a wrong line");
    assert!(failure.message.starts_with("line 3: ") && failure.hint.is_some(), "{failure}");
}

/// A reader of answers that is gone.
struct Gone(ErrorKind);

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nobody_who_listens_ends_it_quietly() {
    let engine = registry::open("btree", &OpenOptions::default()).unwrap();
    let ended = |kind| {
        let talk = Conversation {
            session: engine.session().unwrap(),
            spelling: Spelling::Text,
            output: Gone(kind),
            line: 0,
            batch: None,
            refused: Refused::default(),
        };
        talk.hold(&mut Cursor::new("set a 1\nset b 2\n"))
    };
    assert!(ended(ErrorKind::BrokenPipe).is_ok());
    assert_eq!(engine.stats().records, 1, "the second line is not read");
    assert_eq!(ended(ErrorKind::StorageFull).unwrap_err().exit, Exit::Io);
}
