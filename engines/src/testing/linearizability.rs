//! Whether the operations on a key can have happened one after the other, each at a moment between its call and its return
//! (M. Herlihy, J. Wing, *Linearizability*, 1990). A history of many keys is linearizable if that of each key is, so that keys
//! are checked one by one.
//!
//! The search of J. Wing and C. Gong (*Testing and verifying concurrent objects*, 1993) keeps all states that may be, and
//! puts off each operation until a return forces it to have happened (G. Lowe, *Testing for linearizability*, 2017). Two
//! ways that end in the same value with the same operations under way are one. So it takes time linear in the length of the history, and
//! exponential only in the number of operations under way at a time, which is that of the threads.

use super::history::{Action, Event, Mark};
use std::collections::HashSet;

/// The most operations on a key that may be under way at a time.
const MOST_UNDER_WAY: usize = 32;

/// What may be true at a moment: the value, and which of the operations under way have happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Possibility {
    value: Option<Mark>,
    happened: u32,
}

/// The value after the action, if it can have given its answer with this value before.
fn step(value: Option<Mark>, action: Action) -> Option<Option<Mark>> {
    match action {
        Action::Read(seen) => (seen == value).then_some(value),
        Action::Seen => value.is_some().then_some(value),
        Action::Set(mark) => Some(Some(mark)),
        Action::Update(mark, true) => value.is_some().then_some(Some(mark)),
        Action::Update(_, false) => value.is_none().then_some(value),
        Action::Delete(None) => Some(None),
        Action::Delete(Some(found)) => (found == value.is_some()).then_some(None),
    }
}

/// Checks the history of a key that is not there at first.
///
/// # Errors
/// The first operation that cannot have happened between its call and its return, and those around it.
pub fn check_linearizable(events: &[Event]) -> Result<(), String> {
    // At the same time the return comes first: it took the ticket that the call saw.
    let mut points: Vec<(u64, bool, usize)> = Vec::with_capacity(events.len() * 2);
    for (index, event) in events.iter().enumerate() {
        if event.called >= event.returned {
            return Err(format!("{event:?} returned before it was called"));
        }
        points.push((event.called, true, index));
        points.push((event.returned, false, index));
    }
    points.sort_unstable();
    let mut slots: [Option<usize>; MOST_UNDER_WAY] = [None; MOST_UNDER_WAY];
    let mut possible = vec![Possibility { value: None, happened: 0 }];
    for (_, is_call, index) in points {
        if is_call {
            let Some(slot) = slots.iter_mut().find(|slot| slot.is_none()) else {
                return Err(format!("more than {MOST_UNDER_WAY} operations are under way"));
            };
            *slot = Some(index);
            continue;
        }
        let Some(slot) = slots.iter().position(|slot| *slot == Some(index)) else {
            return Err("a return without a call".to_owned());
        };
        possible = after_return(&possible, slot, &slots, events);
        slots[slot] = None;
        if possible.is_empty() {
            return Err(explain(events, index));
        }
    }
    Ok(())
}

/// What may be true when the operation in `slot` has returned, and therefore happened.
fn after_return(
    possible: &[Possibility],
    slot: usize,
    slots: &[Option<usize>; MOST_UNDER_WAY],
    events: &[Event],
) -> Vec<Possibility> {
    let mut known: HashSet<Possibility> = possible.iter().copied().collect();
    let mut open = possible.to_vec();
    let mut after = Vec::new();
    while let Some(now) = open.pop() {
        if now.happened & (1 << slot) != 0 {
            after.push(Possibility { happened: now.happened & !(1 << slot), ..now });
            continue;
        }
        for (other, index) in slots.iter().enumerate() {
            let Some(index) = index else { continue };
            if now.happened & (1 << other) != 0 {
                continue;
            }
            if let Some(value) = step(now.value, events[*index].action) {
                let next = Possibility { value, happened: now.happened | (1 << other) };
                if known.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    after
}

fn explain(events: &[Event], index: usize) -> String {
    let wrong = events[index];
    let mut around: Vec<_> = events
        .iter()
        .filter(|event| event.returned <= wrong.returned || event.called < wrong.returned)
        .collect();
    around.sort_unstable_by_key(|event| event.returned);
    let last = around.len().saturating_sub(16);
    let lines: Vec<_> = around[last..].iter().map(|event| format!("  {event:?}")).collect();
    format!(
        "{wrong:?} cannot have happened between its call and its return; the operations around it:\n{}",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Delete, Read, Seen, Set, Update};

    fn check(events: &[(u64, u64, Action)]) -> bool {
        let events: Vec<_> = events
            .iter()
            .map(|(called, returned, action)| Event { called: *called, returned: *returned, action: *action })
            .collect();
        let forwards = check_linearizable(&events).is_ok();
        let backwards: Vec<_> = events.into_iter().rev().collect();
        assert_eq!(
            forwards,
            check_linearizable(&backwards).is_ok(),
            "the order in which events are recorded matters"
        );
        forwards
    }

    #[test]
    fn one_after_the_other() {
        assert!(check(&[]));
        assert!(check(&[
            (0, 1, Read(None)),
            (1, 2, Set(7)),
            (2, 3, Read(Some(7))),
            (3, 4, Delete(Some(true)))
        ]));
        assert!(check(&[
            (0, 1, Update(1, false)),
            (1, 2, Set(2)),
            (2, 3, Update(3, true)),
            (3, 4, Read(Some(3)))
        ]));
        assert!(check(&[(0, 1, Delete(Some(false))), (1, 2, Delete(None)), (2, 3, Read(None))]));
        assert!(check(&[(0, 1, Set(1)), (1, 2, Seen)]));
    }

    #[test]
    fn a_value_from_nowhere() {
        assert!(!check(&[(0, 1, Read(Some(7)))]));
        assert!(!check(&[(0, 1, Set(1)), (1, 2, Read(Some(7)))]));
        assert!(!check(&[(0, 9, Update(7, false)), (1, 8, Read(Some(7)))]), "an update that changed nothing");
        assert!(!check(&[(0, 1, Seen)]));
        assert!(!check(&[(0, 1, Read(Some(7))), (1, 2, Set(7))]), "read before it was written");
    }

    #[test]
    fn a_stale_read() {
        assert!(!check(&[(0, 1, Set(1)), (1, 2, Set(2)), (2, 3, Read(Some(1)))]));
        assert!(!check(&[(0, 1, Set(1)), (1, 2, Delete(Some(true))), (2, 3, Read(Some(1)))]));
        assert!(!check(&[(0, 1, Set(1)), (1, 2, Read(None))]));
        assert!(
            check(&[(0, 1, Set(1)), (1, 5, Set(2)), (2, 3, Read(Some(1)))]),
            "the second set may be later"
        );
    }

    #[test]
    fn a_lost_update() {
        // Both find the key and change it; then the value is older than either.
        assert!(!check(&[
            (0, 1, Set(1)),
            (1, 5, Update(2, true)),
            (1, 6, Update(3, true)),
            (6, 7, Read(Some(1)))
        ]));
        // One of two that follow each other is gone.
        assert!(!check(&[
            (0, 1, Set(1)),
            (1, 2, Update(2, true)),
            (1, 3, Update(3, true)),
            (3, 4, Read(Some(1)))
        ]));
        assert!(check(&[
            (0, 1, Set(1)),
            (1, 5, Update(2, true)),
            (1, 6, Update(3, true)),
            (6, 7, Read(Some(2)))
        ]));
    }

    #[test]
    fn reads_that_go_back() {
        let writes = [(0, 1, Set(1)), (1, 20, Set(2))];
        let reads =
            |first, second| [writes[0], writes[1], (2, 5, Read(Some(first))), (5, 8, Read(Some(second)))];
        assert!(check(&reads(1, 2)) && check(&reads(1, 1)) && check(&reads(2, 2)));
        assert!(!check(&reads(2, 1)), "new, then old");
        // The same by two readers who saw a set under way in different orders.
        let sets = [(0, 20, Set(1)), (0, 20, Set(2))];
        let two = |a: [Mark; 2], b: [Mark; 2]| {
            let [first, second] = sets;
            check(&[
                first,
                second,
                (1, 3, Read(Some(a[0]))),
                (4, 6, Read(Some(a[1]))),
                (2, 5, Read(Some(b[0]))),
                (6, 9, Read(Some(b[1]))),
            ])
        };
        assert!(two([1, 2], [1, 2]) && two([1, 2], [2, 2]));
        assert!(!two([1, 2], [2, 1]));
    }

    #[test]
    fn two_deletes_of_one_record() {
        let deletes = |a, b| check(&[(0, 1, Set(1)), (1, 5, Delete(Some(a))), (1, 6, Delete(Some(b)))]);
        assert!(deletes(true, false) && deletes(false, true));
        assert!(!deletes(true, true) && !deletes(false, false));
        assert!(check(&[
            (0, 1, Set(1)),
            (1, 5, Delete(Some(true))),
            (2, 6, Set(2)),
            (3, 7, Delete(Some(true)))
        ]));
    }

    #[test]
    fn an_update_that_brings_back_what_was_deleted() {
        assert!(!check(&[
            (0, 1, Set(1)),
            (1, 4, Delete(Some(true))),
            (1, 5, Update(2, true)),
            (5, 6, Read(Some(2)))
        ]));
        assert!(check(&[
            (0, 1, Set(1)),
            (1, 4, Delete(Some(true))),
            (1, 5, Update(2, true)),
            (5, 6, Read(None))
        ]));
    }

    #[test]
    fn an_operation_belongs_between_its_call_and_its_return() {
        // It takes effect at any one moment of these, and at one only.
        assert!(check(&[(0, 9, Set(1)), (1, 2, Read(None)), (3, 4, Read(Some(1))), (5, 6, Read(Some(1)))]));
        assert!(!check(&[(0, 9, Set(1)), (1, 2, Read(None)), (3, 4, Read(Some(1))), (5, 6, Read(None))]));
        assert!(
            !check(&[(3, 9, Set(1)), (1, 3, Read(Some(1)))]),
            "the read returned when the set was called"
        );
        assert!(check_linearizable(&[Event { called: 2, returned: 2, action: Seen }]).is_err());
    }

    /// All orders of all short histories of two threads, against a search that tries every order of the operations.
    #[test]
    fn short_histories_are_judged_as_by_trying_every_order() {
        let actions = [
            Read(None),
            Read(Some(1)),
            Read(Some(2)),
            Set(1),
            Set(2),
            Update(2, true),
            Update(1, false),
            Delete(Some(true)),
            Delete(None),
        ];
        let spans = [
            [(0, 1), (1, 2), (2, 3)],
            [(0, 3), (0, 4), (0, 5)],
            [(0, 2), (1, 4), (2, 5)],
            [(0, 5), (1, 2), (2, 4)],
        ];
        let (mut right, mut wrong) = (0, 0);
        for span in spans {
            for n in 0..actions.len().pow(3) {
                let chosen = [n % 9, n / 9 % 9, n / 81].map(|index| actions[index]);
                let events: Vec<_> = span
                    .iter()
                    .zip(chosen)
                    .map(|((called, returned), action)| Event {
                        called: *called,
                        returned: *returned,
                        action,
                    })
                    .collect();
                let expected = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
                    .iter()
                    .any(|order| is_order(&events, *order));
                assert_eq!(check_linearizable(&events).is_ok(), expected, "{events:?}");
                if expected { right += 1 } else { wrong += 1 }
            }
        }
        assert!(right > 100 && wrong > 100, "{right} right, {wrong} wrong");
    }

    fn is_order(events: &[Event], order: [usize; 3]) -> bool {
        let ordered = order.map(|index| events[index]);
        let respects = (0..3)
            .all(|later| ordered[later + 1..].iter().all(|after| after.returned > ordered[later].called));
        respects && ordered.iter().try_fold(None, |value, event| step(value, event.action)).is_some()
    }

    #[test]
    fn long_histories_take_linear_time() {
        super::super::within(std::time::Duration::from_secs(60), "a long history", || {
            let events: Vec<_> = (0..if cfg!(miri) { 200 } else { 100_000 })
                .map(|n| Event {
                    called: n,
                    returned: n + 6,
                    action: if n % 2 == 0 { Set(n) } else { Read(Some(n - 1)) },
                })
                .collect();
            check_linearizable(&events).expect("each read is of the set before it");
        });
    }
}
