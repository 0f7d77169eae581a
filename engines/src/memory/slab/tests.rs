//! The slab against a shadow set of what is out, and what it gives back.

use super::*;
use crate::testing::eventually;
use crate::testing::within;
use crossbeam::epoch;
use std::collections::HashSet;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// A number below `most`, from a generator of its own (SplitMix64).
fn random(state: &mut u64, most: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) % most as u64) as usize
}

/// The words that are marked: all of them, or for slow Miri the first ones and the last.
fn marked(words: &[Word]) -> impl Iterator<Item = &Word> {
    let skipped = if cfg!(miri) { words.len().saturating_sub(5) } else { 0 };
    words.iter().take(4).chain(words.iter().skip(4 + skipped))
}

/// A block that is out, every word of which holds a mark of its own.
struct Out {
    block: Block,
    words: usize,
    mark: u64,
}

impl Out {
    fn new(slab: &Slab, stripe: usize, words: usize, mark: u64) -> Self {
        let block = slab.allocate(stripe, words);
        // SAFETY: the block was just allocated with at least so many words.
        let all = unsafe { block.words(words.max(1)) };
        assert_eq!(all[0].load(Ordering::Relaxed), 0, "the first word is zero");
        marked(all).for_each(|word| word.store(mark, Ordering::Relaxed));
        Self { block, words, mark }
    }

    fn check(&self) {
        // SAFETY: as above; it is not freed before this is consumed.
        let all = unsafe { self.block.words(self.words.max(1)) };
        let whole = marked(all).all(|word| word.load(Ordering::Relaxed) == self.mark);
        assert!(whole, "a block of {} words was handed out twice", self.words);
    }

    fn free(self, slab: &Slab) {
        self.check();
        // SAFETY: it is this test's own, and this consumes it.
        unsafe { slab.free(self.block, self.words) };
    }

    fn retire(self, slab: &Arc<Slab>, stripe: usize) {
        self.check();
        // SAFETY: nobody else ever knew it, and this consumes it.
        unsafe { slab.retire(&epoch::pin(), stripe, self.block, self.words) };
    }

    /// Bytes that the block covers.
    fn span(&self) -> std::ops::Range<u64> {
        let start = self.block.address();
        start..start + (self.words.max(1) * WORD_BYTES) as u64
    }
}

/// Lets everything that was retired be freed, if nobody else stays pinned for long.
fn pass_epochs(slab: &Arc<Slab>, done: impl Fn() -> bool) {
    while !done() {
        slab.flush_retired(&epoch::pin());
        thread::yield_now();
    }
}

#[test]
fn classes_are_close_to_what_is_asked_for() {
    for words in 0..=SMALL_WORDS_MOST {
        let capacity = Slab::capacity(words);
        assert!(capacity >= words.max(2));
        assert!(capacity <= words.max(2) + words / 8, "{words} words cost {capacity}");
        assert_eq!(Slab::capacity(capacity), capacity);
    }
    assert_eq!(Slab::capacity(SMALL_WORDS_MOST + 1), SMALL_WORDS_MOST + 1);
    assert!(CLASS_WORDS.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_block_tells_its_capacity() {
    within(LIMIT, "capacity", || {
        let slab = Slab::new();
        for words in [0, 1, 2, 3, 32, 33, 100, 1000, SMALL_WORDS_MOST, SMALL_WORDS_MOST + 1, 5000] {
            let out = Out::new(&slab, words, words, 7);
            // SAFETY: the block is out.
            assert_eq!(unsafe { Slab::capacity_of(out.block, words) }, Slab::capacity(words));
            if words <= SMALL_WORDS_MOST {
                // SAFETY: the block is out.
                let capacity = unsafe { Slab::capacity_of(out.block, 1) };
                assert_eq!(capacity, Slab::capacity(words), "of what it uses now");
            }
            assert_eq!(Block::at(out.block.address()), Some(out.block));
            assert!(out.block.as_ptr().is_aligned());
            out.free(&slab);
        }
        assert_eq!(Block::at(0), None);
        assert_eq!(slab.held_bytes(), 0);
    });
}

/// No two blocks that are out share a byte, whatever was freed and used again before.
#[test]
fn no_block_is_handed_out_twice() {
    within(LIMIT, "shadow set", || {
        let (rounds, most) = if cfg!(miri) { (120, 12) } else { (60_000, 3_000) };
        let slab = Slab::new();
        let (mut state, mut out, mut spans) = (1, Vec::<Out>::new(), std::collections::BTreeMap::new());
        for round in 0..rounds {
            // Now growing, now shrinking.
            let grow = if (round / (rounds / 6)) % 2 == 0 { 7 } else { 3 };
            if out.is_empty() || (out.len() < most && random(&mut state, 10) < grow) {
                let words = match random(&mut state, 20) {
                    0 => SMALL_WORDS_MOST + 1 + random(&mut state, 500),
                    1 => random(&mut state, SMALL_WORDS_MOST + 1),
                    _ => random(&mut state, 40),
                };
                let one = Out::new(&slab, random(&mut state, 3), words, round + 1);
                let span = one.span();
                if let Some((_, end)) = spans.range(..span.end).next_back() {
                    assert!(*end <= span.start, "overlaps with a block that is out");
                }
                spans.insert(span.start, span.end);
                out.push(one);
            } else {
                let one = out.swap_remove(random(&mut state, out.len()));
                spans.remove(&one.span().start);
                one.free(&slab);
            }
        }
        out.into_iter().for_each(|one| one.free(&slab));
        assert_eq!(slab.held_bytes(), 0, "all pages are given back");
    });
}

#[test]
fn a_freed_block_is_the_next_to_be_used() {
    let slab = Slab::new();
    let keep = Out::new(&slab, 0, 10, 1);
    let one = Out::new(&slab, 0, 10, 2);
    let address = one.block.address();
    one.free(&slab);
    let again = Out::new(&slab, 0, 9 + 1, 3);
    assert_eq!(again.block.address(), address);
    let other_stripe = Out::new(&slab, 1, 10, 4);
    assert_ne!(other_stripe.block.address() / PAGE_BYTES as u64, address / PAGE_BYTES as u64);
    [keep, again, other_stripe].into_iter().for_each(|out| out.free(&slab));
}

#[test]
fn an_empty_page_serves_another_class() {
    within(LIMIT, "pages", || {
        let slab = Slab::new();
        let pages = if cfg!(miri) { 2 } else { 40 };
        let mut held = Vec::new();
        for words in [512, 640] {
            let count = pages * PAGE_BYTES / WORD_BYTES / words;
            let out: Vec<_> = (0..count as u64).map(|mark| Out::new(&slab, 0, words, mark)).collect();
            held.push(slab.held_bytes());
            assert!(slab.held_bytes() <= (pages + pages / 8 + 2) as u64 * PAGE_BYTES as u64);
            out.into_iter().for_each(|one| one.free(&slab));
            assert_eq!(slab.held_bytes(), 0);
        }
        assert!(slab.regions.lock().count <= 1, "regions that nobody uses are kept: one at most");
        assert!(held.iter().all(|held| *held >= pages as u64 * PAGE_BYTES as u64));
    });
}

#[test]
fn empty_regions_go_back_to_the_allocator() {
    within(LIMIT, "regions", || {
        let slab = Slab::new();
        let regions = if cfg!(miri) { 2 } else { 5 };
        for _ in 0..3 {
            let count = regions * REGION_BYTES / (SMALL_WORDS_MOST * WORD_BYTES);
            let out: Vec<_> = (0..count).map(|n| slab.allocate(n, SMALL_WORDS_MOST)).collect();
            assert!(slab.regions.lock().count > regions, "a region's table takes room");
            for block in out {
                // SAFETY: allocated above and known to nobody else.
                unsafe { slab.free(block, SMALL_WORDS_MOST) };
            }
            let table = slab.regions.lock();
            assert_eq!((table.count, table.idle_pages), (1, PAGES), "one is kept for the next page");
        }
    });
}

/// What remains of many pages keeps its own, not their regions; what comes back is zero, and is used again.
#[test]
fn idle_pages_go_back_to_the_kernel() {
    within(LIMIT, "idle pages", || {
        let slab = Slab::new();
        let regions = if cfg!(miri) { 2 } else { 12 };
        let per_page = PAGE_BYTES / WORD_BYTES / SMALL_WORDS_MOST;
        for round in 0..3 {
            let out: Vec<_> = (0..(regions * PAGES * per_page) as u64)
                .map(|mark| Out::new(&slab, 0, SMALL_WORDS_MOST, mark))
                .collect();
            // One page in sixteen keeps a block, so that every region has some.
            let (kept, freed): (Vec<_>, Vec<_>) =
                out.into_iter().enumerate().partition(|(n, _)| n % (16 * per_page) == round * 8);
            freed.into_iter().for_each(|(_, one)| one.free(&slab));
            {
                let table = slab.regions.lock();
                let present = table.idle_pages - table.absent_pages;
                let in_use = table.count * PAGES - table.idle_pages;
                assert!(in_use >= regions * 2, "{in_use} pages in use");
                if cfg!(all(target_os = "linux", not(miri))) {
                    let once_in_use = regions * PAGES + PAGES;
                    assert!(present <= PRESENT_PAGES_LEAST + once_in_use / PRESENT_SHARE, "{present} idle");
                    assert!(table.absent_pages > regions * PAGES / 2, "{} absent", table.absent_pages);
                }
            }
            kept.iter().for_each(|(_, one)| one.check());
            let again: Vec<_> = (0..200).map(|mark| Out::new(&slab, 1, 32, mark)).collect();
            again.iter().for_each(Out::check);
            again.into_iter().chain(kept.into_iter().map(|(_, one)| one)).for_each(|one| one.free(&slab));
            let table = slab.regions.lock();
            assert!(table.count == 1 && table.absent_pages <= PAGES, "{} regions", table.count);
        }
    });
}

/// Blocks that cannot be moved are in no page that anyone is asked to empty.
#[test]
fn pages_of_unmoved_blocks_are_never_sparse() {
    within(LIMIT, "unmoved blocks", || {
        let slab = Slab::new();
        let unmoved = thin_out(&slab, UNMOVED, 512, 12, 4);
        assert!(!slab.is_sparse());
        let moved = thin_out(&slab, 7, 512, 12, 4);
        slab.retry_stuck_pages();
        let mut blocks = Vec::new();
        while slab.sparse_page(&epoch::pin(), &mut blocks) {}
        assert!(!blocks.is_empty());
        assert!(blocks.iter().all(|block| moved.iter().any(|out| out.block == *block)));
        // Few of one kind are not kept waiting by many of the other.
        let many: Vec<_> = (0..2_000).map(|mark| Out::new(&slab, UNMOVED, 8, mark)).collect();
        let last = Out::new(&slab, 3, 8, 1);
        moved.into_iter().for_each(|one| one.free(&slab));
        last.retire(&slab, 3);
        assert!(eventually(|| {
            epoch::pin().flush();
            slab.shelves[3].used.load(Ordering::Relaxed) == 0
        }));
        unmoved.into_iter().chain(many).for_each(|one| one.free(&slab));
    });
}

#[test]
fn large_blocks_come_and_go() {
    let slab = Slab::new();
    let out: Vec<_> = [1025, 2000, 100_000].map(|words| Out::new(&slab, 0, words, words as u64)).into();
    assert_eq!(slab.held_bytes(), (1025 + 2000 + 100_000) * WORD_BYTES as u64);
    out.into_iter().for_each(|one| one.free(&slab));
    assert_eq!((slab.held_bytes(), slab.large.lock().len()), (0, 0));
    // What is still out goes with the slab; Miri would report a leak.
    Out::new(&slab, 0, 4000, 1).check();
    Out::new(&slab, 0, 40, 1).check();
}

/// Readers may look at words that nobody has stored yet.
#[test]
fn every_word_of_a_block_may_be_read() {
    let slab = Slab::new();
    let sum = |block: Block, words| -> u64 {
        // SAFETY: the block has so many words.
        unsafe { block.words(words) }.iter().map(|word| word.load(Ordering::Relaxed)).sum()
    };
    // The allocator likes to hand out again what it just took back.
    for _ in 0..20 {
        let block = slab.allocate(0, 2000);
        assert_eq!(sum(block, 2000), 0, "a large block is zero");
        // SAFETY: as above; it is this test's own.
        unsafe {
            block.words(2000).iter().for_each(|word| word.store(u64::MAX >> 1, Ordering::Relaxed));
            slab.free(block, 2000);
        }
    }
    for words in [2, 100, SMALL_WORDS_MOST] {
        let block = slab.allocate(0, words);
        assert_eq!(sum(block, words), 0, "and so is one of a new page");
    }
}

#[test]
fn a_retired_block_is_freed_when_all_who_were_pinned_are_gone() {
    within(LIMIT, "retire", || {
        let slab = Slab::new();
        let out = Out::new(&slab, 0, 10, 5);
        let block = out.block;
        let reader = epoch::pin();
        {
            let slab = Arc::clone(&slab);
            let retired = thread::spawn(move || {
                out.retire(&slab, 0);
                (0..100).for_each(|_| slab.flush_retired(&epoch::pin()));
            });
            retired.join().expect("no panic");
        }
        assert_eq!(slab.held_bytes(), PAGE_BYTES as u64, "freed under a reader");
        // SAFETY: it was out when this thread was pinned, and the thread is pinned still.
        let words = unsafe { block.words(10) };
        assert!(marked(words).all(|word| word.load(Ordering::Relaxed) == 5));
        drop(reader);
        pass_epochs(&slab, || slab.held_bytes() == 0);
    });
}

#[test]
fn retired_blocks_are_freed_along_the_way() {
    within(LIMIT, "retire many", || {
        let slab = Slab::new();
        let count = if cfg!(miri) { 300 } else { 100_000 };
        let mut retired_bytes = 0;
        // Other tests may be pinned for a while; a slab that frees nothing would hold all of it however much there is.
        let freed = eventually(|| {
            for mark in 0..count {
                Out::new(&slab, 0, 64, mark).retire(&slab, 0);
            }
            retired_bytes += count * 64 * size_of::<Word>() as u64;
            slab.held_bytes() <= retired_bytes / 2
        });
        assert!(freed, "{} bytes are held of {retired_bytes} retired", slab.held_bytes());
        pass_epochs(&slab, || slab.held_bytes() == 0);
    });
}

#[test]
fn what_is_retired_last_does_not_wait_for_a_full_parcel() {
    within(LIMIT, "retire few", || {
        let slab = Slab::new();
        let out: Vec<_> = (0..200).map(|mark| Out::new(&slab, 0, 8, mark)).collect();
        out.into_iter().for_each(|one| one.retire(&slab, 0));
        while slab.held_bytes() != 0 {
            epoch::pin().flush();
            thread::yield_now();
        }
    });
}

#[test]
fn a_parcel_outlives_its_slab() {
    within(LIMIT, "weak", || {
        let slab = Slab::new();
        let weak = Arc::downgrade(&slab);
        let reader = epoch::pin();
        for mark in 0..200 {
            Out::new(&slab, 0, 64, mark).retire(&slab, 0);
        }
        drop(slab);
        assert_eq!(weak.strong_count(), 0);
        drop(reader);
        (0..20).for_each(|_| epoch::pin().flush());
    });
}

/// Fills pages with blocks of a class and frees all but every `keep`-th.
fn thin_out(slab: &Slab, stripe: usize, words: usize, pages: usize, keep: usize) -> Vec<Out> {
    let count = pages * PAGE_BYTES / WORD_BYTES / words;
    let out: Vec<_> = (0..count as u64).map(|mark| Out::new(slab, stripe, words, mark)).collect();
    let (kept, freed): (Vec<_>, Vec<_>) = out.into_iter().enumerate().partition(|(n, _)| n % keep == 0);
    freed.into_iter().for_each(|(_, one)| one.free(slab));
    kept.into_iter().map(|(_, one)| one).collect()
}

#[test]
fn sparse_pages_are_emptied_and_given_back() {
    within(LIMIT, "sparse pages", || {
        empty_sparse_pages(512, 8);
        if !cfg!(miri) {
            empty_sparse_pages(32, 20);
        }
    });
}

fn empty_sparse_pages(words: usize, pages: usize) {
    let slab = Slab::new();
    assert!(!slab.is_sparse() && !slab.sparse_page(&epoch::pin(), &mut Vec::new()));
    let mut out = thin_out(&slab, 0, words, pages, 4);
    assert!(slab.is_sparse());
    let full = slab.held_bytes();
    let mut blocks = Vec::new();
    while slab.sparse_page(&epoch::pin(), &mut blocks) {
        assert!(!blocks.is_empty());
        let listed: HashSet<_> = blocks.drain(..).collect();
        let (moved, stay): (Vec<_>, Vec<_>) = out.into_iter().partition(|one| listed.contains(&one.block));
        assert_eq!(moved.len(), listed.len(), "a block is listed that is not out");
        out = stay;
        for one in moved {
            let new = Out::new(&slab, 0, words, one.mark);
            assert!(!listed.contains(&new.block), "a draining page handed out a block");
            one.retire(&slab, 0);
            out.push(new);
        }
    }
    assert!(!slab.is_sparse());
    pass_epochs(&slab, || slab.held_bytes() < full * 4 / 5);
    out.into_iter().for_each(|one| one.free(&slab));
    pass_epochs(&slab, || slab.held_bytes() == 0);
}

/// Blocks of a listed page may be looked at as long as the guard lives, even if all of them are freed meanwhile.
#[test]
fn a_listed_page_stays_while_it_is_looked_at() {
    within(LIMIT, "listed pages", || {
        let words = 512;
        let slab = Slab::new();
        let out = thin_out(&slab, 0, words, if cfg!(miri) { 5 } else { 70 }, 4);
        let guard = epoch::pin();
        let mut blocks = Vec::new();
        assert!(slab.sparse_page(&guard, &mut blocks) && !blocks.is_empty());
        let other = {
            let slab = Arc::clone(&slab);
            thread::spawn(move || {
                out.into_iter().for_each(|one| one.free(&slab));
                (0..100).for_each(|_| slab.flush_retired(&epoch::pin()));
            })
        };
        other.join().expect("no panic");
        assert_eq!(slab.held_bytes(), PAGE_BYTES as u64, "the page was given back under the reader");
        for block in &blocks {
            // SAFETY: the block was listed under this guard, which lives, and its first word was written.
            let first = unsafe { block.words(1) }[0].load(Ordering::Relaxed);
            assert_ne!(first & FREE, 0, "a freed block says so");
        }
        drop(guard);
        pass_epochs(&slab, || slab.held_bytes() == 0);
    });
}

/// Blocks that nobody moves keep their page, and it is not listed for ever.
#[test]
fn a_page_that_cannot_be_emptied_is_listed_once() {
    within(LIMIT, "stuck pages", || {
        let slab = Slab::new();
        let out = thin_out(&slab, 0, 512, 6, 4);
        let (mut blocks, mut times) = (Vec::new(), 0);
        while slab.sparse_page(&epoch::pin(), &mut blocks) {
            times += 1;
        }
        assert!((1..=6).contains(&times), "listed {times} times");
        assert_eq!(blocks.iter().collect::<HashSet<_>>().len(), blocks.len(), "a block is listed twice");
        out.into_iter().for_each(|one| one.free(&slab));
        pass_epochs(&slab, || slab.held_bytes() == 0);
    });
}

/// A stripe that has become dense since it was found sparse does not keep others from being emptied.
#[test]
fn every_sparse_stripe_is_looked_at() {
    within(LIMIT, "sparse stripes", || {
        let slab = Slab::new();
        let mut out = thin_out(&slab, 0, 512, 6, 4);
        let room = 6 * PAGE_BYTES / WORD_BYTES / 512 - out.len();
        out.extend((0..room as u64).map(|mark| Out::new(&slab, 0, 512, mark)));
        let sparse = thin_out(&slab, 3, 512, 6, 4);
        assert_eq!(slab.sparse.load(Ordering::Relaxed), 1 << 0 | 1 << 3);
        let mut blocks = Vec::new();
        assert!(slab.sparse_page(&epoch::pin(), &mut blocks), "one look is enough");
        assert!(blocks.iter().all(|block| sparse.iter().any(|out| out.block == *block)));
        assert_eq!(slab.sparse.load(Ordering::Relaxed), 1 << 3);
        out.into_iter().chain(sparse).for_each(|one| one.free(&slab));
        pass_epochs(&slab, || slab.held_bytes() == 0);
    });
}

/// Chooses pages until there is none, moves nothing, and waits until they are let go; how often there was one.
fn drain_in_vain(slab: &Arc<Slab>) -> usize {
    let mut times = 0;
    while slab.sparse_page(&epoch::pin(), &mut Vec::new()) {
        times += 1;
        // Some are let go while others are chosen.
        slab.flush_retired(&epoch::pin());
    }
    slab.reclaim();
    times
}

/// Pages of the first stripe that are in the queue, and those with room that are stuck.
fn draining_and_stuck(slab: &Slab) -> (usize, usize) {
    let stripe = slab.shelves[0].stripe.lock();
    let mut stuck = 0;
    for class in stripe.classes.iter() {
        let mut page = class.first;
        while !page.is_null() {
            // SAFETY: the stripe is held, and the list consists of its pages.
            unsafe {
                stuck += usize::from((*page).standing == Standing::Stuck);
                page = (*page).next;
            }
        }
    }
    (stripe.draining.len(), stuck)
}

/// What cannot be moved does not keep the room beside it from being used.
#[test]
fn pages_that_were_drained_in_vain_hand_out_again() {
    within(LIMIT, "stuck pages hand out", || {
        let (words, pages) = (512, if cfg!(miri) { 12 } else { 40 });
        let slab = Slab::new();
        let mut out = thin_out(&slab, 0, words, pages, 4);
        let (full, free) = (slab.held_bytes(), pages * PAGE_BYTES / WORD_BYTES / words - out.len());
        let drained = drain_in_vain(&slab);
        assert!(drained > drain::DRAINING_MOST, "{drained} pages were drained");
        // Other tests may stay pinned for a while.
        while draining_and_stuck(&slab) != (drain::DRAINING_MOST, drained - drain::DRAINING_MOST) {
            slab.reclaim();
        }
        out.extend((0..free as u64).map(|mark| Out::new(&slab, 0, words, mark)));
        let grown = slab.held_bytes() - full;
        assert!(grown <= ((drain::DRAINING_MOST + 1) * PAGE_BYTES) as u64, "{grown} bytes more");
        assert_eq!(draining_and_stuck(&slab).1, 0, "a page that is full is an ordinary one");
        let counted: u32 = slab.shelves[0].stripe.lock().classes.iter().map(|class| class.pages).sum();
        assert_eq!(counted as usize + drain::DRAINING_MOST, slab.held_bytes() as usize / PAGE_BYTES);
        out.into_iter().for_each(|one| one.free(&slab));
        assert_eq!(slab.held_bytes(), 0, "pages in the queue go back as well");
        assert_eq!(draining_and_stuck(&slab), (0, 0));
    });
}

/// Whoever drains until nothing is sparse comes to an end; and more can be done after more was freed, or when it is asked for.
#[test]
fn a_stuck_page_is_drained_again_when_there_is_reason_to() {
    within(LIMIT, "stuck pages are drained again", || {
        let (words, pages) = (64, if cfg!(miri) { 12 } else { 40 });
        let slab = Slab::new();
        let mut out = thin_out(&slab, 0, words, pages, 2);
        let times = drain_in_vain(&slab);
        assert!(times > drain::DRAINING_MOST && times <= pages, "drained {times} times");
        while draining_and_stuck(&slab).0 + draining_and_stuck(&slab).1 < times {
            slab.reclaim();
        }
        assert!(!slab.is_sparse() && drain_in_vain(&slab) == 0, "nothing has happened");

        slab.retry_stuck_pages();
        let again = drain_in_vain(&slab);
        assert!(again > drain::DRAINING_MOST && again <= pages, "drained {again} times");
        while draining_and_stuck(&slab).0 + draining_and_stuck(&slab).1 < again {
            slab.reclaim();
        }

        // Half a page's blocks are out; of these, three of four are freed.
        let (kept, freed): (Vec<_>, Vec<_>) = out.into_iter().enumerate().partition(|(n, _)| n % 4 == 0);
        freed.into_iter().for_each(|(_, one)| one.free(&slab));
        out = kept.into_iter().map(|(_, one)| one).collect();
        assert!(slab.is_sparse(), "an eighth of each page was freed");
        let mut blocks = Vec::new();
        while slab.sparse_page(&epoch::pin(), &mut blocks) {}
        let listed: HashSet<_> = blocks.drain(..).collect();
        let (moved, stay): (Vec<_>, Vec<_>) = out.into_iter().partition(|one| listed.contains(&one.block));
        assert_eq!(moved.len(), listed.len());
        out = stay;
        for one in moved {
            out.push(Out::new(&slab, 0, words, one.mark));
            one.retire(&slab, 0);
        }
        let most = (drain::DRAINING_MOST + pages / 4) * PAGE_BYTES;
        pass_epochs(&slab, || slab.held_bytes() <= most as u64);
        out.into_iter().for_each(|one| one.free(&slab));
        pass_epochs(&slab, || slab.held_bytes() == 0);
    });
}

/// Blocks wander between threads and stripes; each is checked by who frees it.
#[test]
fn threads_share_the_slab() {
    let rounds = if cfg!(miri) { 40 } else { 30_000 };
    within(LIMIT, "threads", move || {
        let slab = Slab::new();
        let pool = Mutex::new(Vec::<Out>::new());
        thread::scope(|scope| {
            for worker in 0..4_u64 {
                let (slab, pool) = (&slab, &pool);
                scope.spawn(move || {
                    let mut state = worker;
                    for round in 0..rounds {
                        let words = [6, 16, 24, 300, 2_000][random(&mut state, 5)];
                        let one = Out::new(slab, random(&mut state, 3), words, worker << 32 | round);
                        let taken = {
                            let mut pool = pool.lock();
                            pool.push(one);
                            let index = random(&mut state, pool.len());
                            (pool.len() > 100 || round % 3 == 0).then(|| pool.swap_remove(index))
                        };
                        match taken {
                            Some(one) if round % 2 == 0 => one.free(slab),
                            Some(one) => one.retire(slab, worker as usize),
                            None => {}
                        }
                        if slab.is_sparse() && round % 16 == 0 {
                            let guard = epoch::pin();
                            let mut blocks = Vec::new();
                            slab.sparse_page(&guard, &mut blocks);
                            for block in blocks {
                                // SAFETY: listed under the guard, which lives, and its first word was written.
                                std::hint::black_box(unsafe { block.words(1) }[0].load(Ordering::Acquire));
                            }
                        }
                    }
                });
            }
        });
        pool.into_inner().into_iter().for_each(|one| one.free(&slab));
        pass_epochs(&slab, || slab.held_bytes() == 0);
        assert!(slab.shelves.iter().all(|shelf| shelf.used.load(Ordering::Relaxed) == 0));
        assert_eq!(slab.waiting(Kind::Moved).load(Ordering::Relaxed), 0);
    });
}
