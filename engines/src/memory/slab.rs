//! Blocks of words, by size class, from regions on huge pages.
//!
//! A *region* is 2 MiB, aligned to its size, so that the region of a block is found by masking its address. It is
//! divided into *pages* of 64 KiB, each serving one size class; the first 4 KiB of a region hold the table of its
//! pages. A freed block is the next to be used again; an empty page can serve another class, and an empty region
//! goes back to the allocator. Blocks of more than 8 KiB come from the allocator directly. Classes are a word
//! apart up to 256 bytes and an eighth apart above (as in jemalloc; J. Evans, 2006), so that a class wastes little; what
//! wastes more is pages left half empty when sizes change, and [`Slab::sparse_page`] names the blocks to move.
//!
//! Idle pages beyond an eighth of those in use at that moment are given back to the kernel one by one, so that what is left of a structure which
//! lost most of its records does not keep as many regions as it has pages.
//!
//! The first region is on small pages, so that a small engine costs what it touches; those after it ask for huge pages.
//!
//! Invariants
//! - A block is handed out once until it is freed. Blocks of one class of a stripe lie in pages of that class and
//!   stripe only; a page in the list of a class has room; `used` counts the blocks out of it.
//! - Bit 63 of the first word ([`FREE`]) is set while the block is free, and no user sets it.
//! - Every word was written before a user sees it, so that reading it is defined: regions and large blocks come zeroed, and a small
//!   block that is used again holds what its former users left.
//! - The first word of a block that is out was stored by [`Slab::allocate`] or by its user, so that it may always be read.
//! - How a page stands with its class, whether it is in the class's list and account, is said in `drain`.
//! - A retired block is freed when every thread that was pinned at that time has been unpinned since
//!   (epoch-based reclamation by crossbeam; K. Fraser, *Practical lock-freedom*, 2004).
//!
//! Thread safety: each stripe has a mutex for its classes and pages, the table of regions another one, taken inside
//! it; the caller chooses the stripe, so that two writers seldom meet. Which stripe a page belongs to changes only while no block
//! of it is out. Deferred frees take the stripe, and pinning may run them: pin before latching anything.
#![expect(unsafe_code, reason = "an allocator: it hands out raw memory and finds its own tables by address")]
#![expect(
    clippy::indexing_slicing,
    reason = "class numbers come from the table of classes, page numbers from a mask of as many bits as there are pages"
)]

mod class;
mod drain;
mod reclaim;

use crate::memory::huge;
use crate::memory::words::{WORD_BYTES, Word};
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use crossbeam::utils::CachePadded;
use drain::{Draining, Standing};
use parking_lot::Mutex;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::HashMap;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Weak};

/// Bytes of a region, and its alignment.
pub(crate) const REGION_BYTES: usize = huge::HUGE_PAGE_BYTES;
/// Bytes of a page.
const PAGE_BYTES: usize = 64 << 10;
const PAGES: usize = REGION_BYTES / PAGE_BYTES;
/// Bytes at the start of a region that hold its table of pages.
const TABLE_BYTES: usize = 4 << 10;
pub(crate) use crate::memory::SMALL_WORDS_MOST;
/// Writers with different stripes do not wait for each other.
pub(crate) const STRIPES: usize = 8;
/// The stripe of blocks that nobody can move, whatever their number: pages of it are never drained.
pub(crate) const UNMOVED: usize = usize::MAX;
/// A free block says so in its first word. No user of a block sets this bit.
pub(crate) const FREE: u64 = 1 << 63;
/// Retired blocks are handed to the epoch in parcels of so many blocks…
const PARCEL_BLOCKS: usize = 64;
/// …or so many words…
const PARCEL_WORDS: usize = 8 << 10;
/// …or so large a part of the live blocks, one in so many, so that the last blocks of a structure which is emptied do not keep
/// its pages.
const PARCEL_SHARE: usize = 16;

/// Idle pages that are kept for later: so many,
const PRESENT_PAGES_LEAST: usize = 16;
/// and one for so many in use.
const PRESENT_SHARE: usize = 8;

const CLASSES: usize = 71;

const fn class_sizes() -> [u16; CLASSES] {
    let mut sizes = [0; CLASSES];
    let (mut class, mut words) = (0, 2_usize);
    while class < CLASSES {
        sizes[class] = words as u16;
        // A word apart up to 32 words, then eight steps to each doubling.
        words += if words < 32 { 1 } else { 1 << (words.ilog2() - 3) };
        class += 1;
    }
    sizes
}

/// Words of each class.
const CLASS_WORDS: [u16; CLASSES] = class_sizes();

const fn classes_by_words() -> [u8; SMALL_WORDS_MOST + 1] {
    let mut classes = [0; SMALL_WORDS_MOST + 1];
    let (mut words, mut class) = (0, 0);
    while words <= SMALL_WORDS_MOST {
        if words > CLASS_WORDS[class] as usize {
            class += 1;
        }
        classes[words] = class as u8;
        words += 1;
    }
    classes
}

/// The class that serves so many words.
static CLASS_OF: [u8; SMALL_WORDS_MOST + 1] = classes_by_words();

const _: () = assert!(CLASS_WORDS[CLASSES - 1] as usize == SMALL_WORDS_MOST);

/// A block: words from an address on. How many, its user knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(transparent)]
pub(crate) struct Block(NonNull<Word>);

// SAFETY: a block is an address; what may be done with it is said by the `unsafe` functions that use it.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// Its address, to be packed into a word. Below 2^48 on the machines that are supported, which `allocate` checks.
    #[inline]
    pub(crate) fn address(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// The block of an address that [`Block::address`] gave; `None` for 0.
    #[inline]
    pub(crate) fn at(address: u64) -> Option<Self> {
        NonNull::new(ptr::with_exposed_provenance_mut(address as usize)).map(Self)
    }

    /// Its first word's address, to be prefetched.
    #[inline]
    pub(crate) fn as_ptr(self) -> *const Word {
        self.0.as_ptr()
    }

    /// Its first `count` words.
    ///
    /// # Safety
    /// - The block has that many words and stays out of the slab's hands for `'a`: it is the caller's own, or it was
    ///   reachable while the caller was pinned and `'a` ends before that guard does.
    /// - What its maker wrote happened before: the address came from an acquire load of what a release store put there,
    ///   or it was read under a version that held when it was asked afterwards. Otherwise a count that was read from the
    ///   block may be that of its former life.
    #[inline]
    pub(crate) unsafe fn words<'a>(self, count: usize) -> &'a [Word] {
        // SAFETY: the caller vouches for count and life; words are atomics, so that sharing them is always allowed.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), count) }
    }
}

/// What the slab knows of a page. Guarded by the stripe that owns it, but for `owner`.
struct Page {
    /// Class and stripe, readable at any time while a block of the page is out.
    owner: AtomicU32,
    /// Blocks that are out, and one more while the page is held.
    used: u32,
    /// Blocks that were ever out since the page got its class; those from here on were never touched.
    touched: u32,
    /// Blocks in all.
    blocks: u32,
    /// First freed block, linked through their first words.
    free: Option<Block>,
    /// Neighbours in the list of pages with room; meaningless unless `listed`.
    previous: *mut Page,
    next: *mut Page,
    listed: bool,
    standing: Standing,
    /// Blocks freed since it became [`Standing::Stuck`]; meaningless otherwise.
    freed: u32,
}

#[repr(C)]
struct Region {
    pages: [Page; PAGES],
    /// Pages that serve no class, a bit each. Guarded by the table of regions, as are the others.
    idle: u32,
    /// Idle pages whose memory the kernel has got back, a bit each.
    absent: u32,
    /// Where it stands in the list of those with as many idle pages.
    position: usize,
}

const _: () = assert!(size_of::<Region>() <= TABLE_BYTES);

/// Bytes of a page that serve blocks, and where they begin in the region.
const fn page_span(index: usize) -> (usize, usize) {
    if index == 0 { (TABLE_BYTES, PAGE_BYTES - TABLE_BYTES) } else { (index * PAGE_BYTES, PAGE_BYTES) }
}

impl Region {
    /// Bytes of its absent pages.
    fn absent_bytes(&self) -> usize {
        (0..PAGES).filter(|index| self.absent >> index & 1 != 0).map(|index| page_span(index).1).sum()
    }
}

#[derive(Clone, Copy)]
struct Class {
    /// First page with room.
    first: *mut Page,
    /// Last page with room.
    last: *mut Page,
    /// The account: pages of the class that stand as [`Standing::Counted`],
    pages: u32,
    /// blocks of these pages,
    blocks: u64,
    /// and those of the blocks that are out.
    used: u64,
}

struct Stripe {
    classes: Box<[Class; CLASSES]>,
    draining: Draining,
    retired: Vec<(Block, u32)>,
    retired_words: usize,
}

/// A stripe and what is known of it without its mutex, on cache lines of its own.
struct Shelf {
    stripe: Mutex<Stripe>,
    /// Blocks that are out, of all classes, retired ones included. Changed under the mutex only, as is the other.
    used: AtomicUsize,
    /// Retired blocks that wait here for their parcel to be full.
    retired: AtomicUsize,
}

impl Shelf {
    fn count(&self, change: isize) {
        self.used.store(self.used.load(Ordering::Relaxed).wrapping_add_signed(change), Ordering::Relaxed);
    }
}

// SAFETY: the pointers lead into regions of the slab, which outlive the stripe; whoever holds the stripe's mutex holds them.
unsafe impl Send for Stripe {}

/// Pages come from a region with the fewest idle ones, so that others become empty and can be given back.
struct Regions {
    /// The regions by the number of their idle pages.
    by_idle: [Vec<NonNull<Region>>; PAGES + 1],
    /// Lists that are not empty, a bit each.
    lists: u64,
    /// Regions in all.
    count: usize,
    /// Idle pages of all regions.
    idle_pages: usize,
    /// Those of them that are absent.
    absent_pages: usize,
}

// SAFETY: regions are plain memory; the mutex around this table guards it.
unsafe impl Send for Regions {}

/// See the head of this file.
pub(crate) struct Slab {
    /// One a stripe, and that of [`UNMOVED`] behind them.
    shelves: [CachePadded<Shelf>; STRIPES + 1],
    regions: Mutex<Regions>,
    /// Blocks from the allocator directly: their words by their address.
    large: Mutex<HashMap<u64, usize>>,
    /// Bytes of pages that serve a class, and of large blocks.
    held_bytes: AtomicU64,
    /// Stripes, a bit each, in which a class has many free blocks.
    sparse: AtomicU32,
    /// Retired blocks that wait for the epoch, of either kind.
    waiting: [AtomicUsize; 2],
}

/// Whether blocks may be moved out of sparse pages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moved,
    Unmoved,
}

impl Kind {
    const fn of(stripe_index: usize) -> Self {
        if stripe_index < STRIPES { Self::Moved } else { Self::Unmoved }
    }
}

/// The index of a stripe, from any number or [`UNMOVED`].
#[inline]
pub(crate) fn stripe_of(number: usize) -> usize {
    if number == UNMOVED { STRIPES } else { number % STRIPES }
}

fn large_layout(words: usize) -> Layout {
    // Words are within the interface's limit of 64 MiB a value, far below the limit of a layout.
    Layout::array::<Word>(words).unwrap_or_else(|_| handle_alloc_error(REGION_LAYOUT))
}

const REGION_LAYOUT: Layout = match Layout::from_size_align(REGION_BYTES, REGION_BYTES) {
    Ok(layout) => layout,
    Err(_) => panic!("the region's size is a power of two"),
};

impl Slab {
    /// A slab without memory.
    pub(crate) fn new() -> Arc<Self> {
        let class = Class { first: ptr::null_mut(), last: ptr::null_mut(), pages: 0, blocks: 0, used: 0 };
        Arc::new(Self {
            shelves: std::array::from_fn(|_| {
                let classes = Box::new([class; CLASSES]);
                let draining = Draining::default();
                let stripe = Mutex::new(Stripe { classes, draining, retired: Vec::new(), retired_words: 0 });
                CachePadded::new(Shelf { stripe, used: AtomicUsize::new(0), retired: AtomicUsize::new(0) })
            }),
            regions: Mutex::new(Regions::new()),
            large: Mutex::default(),
            held_bytes: AtomicU64::new(0),
            sparse: AtomicU32::new(0),
            waiting: [AtomicUsize::new(0), AtomicUsize::new(0)],
        })
    }

    /// Words that a block for `words` words really has.
    #[inline]
    pub(crate) fn capacity(words: usize) -> usize {
        CLASS_OF
            .get(words)
            .and_then(|class| CLASS_WORDS.get(*class as usize))
            .map_or(words, |words| *words as usize)
    }

    /// Words that this block really has, `words` being what its user needs of it now: for small blocks any number up to
    /// [`SMALL_WORDS_MOST`], for large ones what was allocated. O(1); one access to the region's table.
    ///
    /// # Safety
    /// The block is out of this slab: the caller's own, or reachable while the caller is pinned.
    #[inline]
    pub(crate) unsafe fn capacity_of(block: Block, words: usize) -> usize {
        if words > SMALL_WORDS_MOST {
            return words;
        }
        // SAFETY: a small block lies in a region, and its page's `owner` is constant while the block is out.
        let owner = unsafe { (*page_of(block)).owner.load(Ordering::Relaxed) };
        CLASS_WORDS.get((owner >> 8) as usize).map_or(words, |words| *words as usize)
    }

    /// A block of at least `words` words, of the caller alone. Its first word is zero; the others may be read, but what they hold
    /// says nothing. O(1), for large blocks O(words); a system call when a region is new.
    pub(crate) fn allocate(&self, stripe: usize, words: usize) -> Block {
        let Some(class) = CLASS_OF.get(words) else { return self.allocate_large(words) };
        let class_index = *class as usize;
        let index = stripe_of(stripe);
        let Some(shelf) = self.shelves.get(index) else { return self.allocate_large(words) };
        let stripe = &mut *shelf.stripe.lock();
        let Some(class) = stripe.classes.get_mut(class_index) else { return self.allocate_large(words) };
        shelf.count(1);
        if class.first.is_null() {
            let page = self.take_page(index, class_index);
            // SAFETY: the page is new, idle until now, and ours.
            unsafe {
                class.count(page);
                class.push_front(page);
            }
        }
        // SAFETY: pages in the list are of this class and stripe, whose mutex is held, and have room.
        unsafe {
            let page = class.first;
            let block = match (*page).free {
                Some(block) => {
                    let word = block.0.as_ref().load(Ordering::Relaxed);
                    (*page).free = Block::at(word & !FREE);
                    block
                }
                None => {
                    let bytes = CLASS_WORDS[class_index] as usize * WORD_BYTES;
                    let block = page_blocks(page).byte_add((*page).touched as usize * bytes);
                    (*page).touched += 1;
                    Block(NonNull::new_unchecked(block))
                }
            };
            (*page).used += 1;
            class.used += u64::from((*page).standing == Standing::Counted);
            if (*page).used == (*page).blocks {
                class.unlink(page);
                if (*page).standing == Standing::Stuck {
                    class.count(page);
                }
            }
            block.0.as_ref().store(0, Ordering::Relaxed);
            block
        }
    }

    #[cold]
    fn allocate_large(&self, words: usize) -> Block {
        let layout = large_layout(words);
        // SAFETY: the layout has a size: large blocks have more than SMALL_WORDS_MOST words.
        let Some(block) = NonNull::new(unsafe { alloc_zeroed(layout) }.cast()).map(Block) else {
            handle_alloc_error(layout)
        };
        assert!(block.address() >> 48 == 0, "addresses of more than 48 bits are not supported");
        self.held_bytes.fetch_add(layout.size() as u64, Ordering::Relaxed);
        self.large.lock().insert(block.address(), words);
        block
    }

    /// Takes a block back at once. `words`: as in [`Slab::capacity_of`].
    ///
    /// # Safety
    /// It was allocated here, nobody can reach it any more, and nobody frees it again.
    pub(crate) unsafe fn free(&self, block: Block, words: usize) {
        if words > SMALL_WORDS_MOST {
            if let Some(words) = self.large.lock().remove(&block.address()) {
                let layout = large_layout(words);
                self.held_bytes.fetch_sub(layout.size() as u64, Ordering::Relaxed);
                // SAFETY: the table says that it was allocated with this layout and not freed since.
                unsafe { dealloc(block.0.as_ptr().cast(), layout) };
            }
            return;
        }
        let page = page_of(block);
        // SAFETY: the block is out, so its page is in use and `owner` constant.
        let owner = unsafe { (*page).owner.load(Ordering::Relaxed) };
        if let Some(shelf) = self.shelves.get((owner & 0xff) as usize) {
            let mut stripe = shelf.stripe.lock();
            shelf.count(-1);
            // SAFETY: the caller gives the block up; the page belongs to the stripe that is held.
            unsafe { self.free_in(&mut stripe, page, owner, block) };
        }
    }

    /// # Safety
    /// As [`Slab::free`]; `page` is the block's, `owner` the page's, and `stripe` the one that owns it.
    unsafe fn free_in(&self, stripe: &mut Stripe, page: *mut Page, owner: u32, block: Block) {
        let Some(class) = stripe.classes.get_mut((owner >> 8) as usize) else { return };
        // SAFETY: by the caller.
        unsafe {
            let next = (*page).free.map_or(0, Block::address);
            block.0.as_ref().store(FREE | next, Ordering::Relaxed);
            (*page).free = Some(block);
            (*page).used -= 1;
            match (*page).standing {
                Standing::Counted => class.used -= 1,
                Standing::Stuck => class.freed_of_stuck(page),
                Standing::Draining => {
                    if (*page).used == 0 {
                        stripe.draining.forget(page);
                        self.give_page_back(page);
                    }
                    return;
                }
            }
            if (*page).used == 0 {
                if (*page).listed {
                    class.unlink(page);
                }
                if (*page).standing == Standing::Counted {
                    class.discount(page);
                }
                self.give_page_back(page);
            } else if !(*page).listed {
                class.push_back(page);
            }
        }
        if Kind::of((owner & 0xff) as usize) == Kind::Moved && class.is_sparse() {
            self.sparse.fetch_or(1 << (owner & 0xff), Ordering::Relaxed);
        }
    }

    /// Takes a block back when no thread that is pinned now can reach it any more.
    ///
    /// # Safety
    /// It was allocated here; it was taken out of the structure, so that no thread which pins itself from now on can reach
    /// it; nobody else retires or frees it.
    pub(crate) unsafe fn retire(self: &Arc<Self>, guard: &Guard, stripe: usize, block: Block, words: usize) {
        let stripe_index = stripe_of(stripe);
        let parcel = {
            let Some(shelf) = self.shelves.get(stripe_index) else { return };
            let mut stripe = shelf.stripe.lock();
            stripe.retired.push((block, words as u32));
            stripe.retired_words += words;
            let count = stripe.retired.len();
            shelf.retired.store(count, Ordering::Relaxed);
            let full = count >= PARCEL_BLOCKS || stripe.retired_words >= PARCEL_WORDS;
            // Few look-ups of the other stripes are enough.
            let kind = Kind::of(stripe_index);
            if !(full || count.is_power_of_two() && self.live_blocks(kind) <= count * PARCEL_SHARE) {
                return;
            }
            stripe.retired_words = 0;
            shelf.retired.store(0, Ordering::Relaxed);
            std::mem::take(&mut stripe.retired)
        };
        self.defer(guard, Kind::of(stripe_index), parcel);
        // Without this, the blocks of many parcels would wait in a buffer of this thread.
        guard.flush();
    }

    /// Small blocks of a kind that are out and were not retired; about, while others allocate and free.
    fn live_blocks(&self, kind: Kind) -> usize {
        let sum = |count: fn(&Shelf) -> &AtomicUsize| -> usize {
            let shelves = self.shelves.iter().enumerate().filter(|(index, _)| Kind::of(*index) == kind);
            shelves.map(|(_, shelf)| count(shelf).load(Ordering::Relaxed)).sum()
        };
        let retired = sum(|shelf| &shelf.retired) + self.waiting(kind).load(Ordering::Relaxed);
        sum(|shelf| &shelf.used).saturating_sub(retired)
    }

    const fn waiting(&self, kind: Kind) -> &AtomicUsize {
        let [moved, unmoved] = &self.waiting;
        match kind {
            Kind::Moved => moved,
            Kind::Unmoved => unmoved,
        }
    }

    fn defer(self: &Arc<Self>, guard: &Guard, kind: Kind, parcel: Vec<(Block, u32)>) {
        self.waiting(kind).fetch_add(parcel.len(), Ordering::Relaxed);
        let slab: Weak<Self> = Arc::downgrade(self);
        // SAFETY: the blocks were retired before now, so that by the time this runs nobody who could reach them is pinned.
        // If the slab is gone by then, so is its memory.
        unsafe {
            guard.defer_unchecked(move || {
                if let Some(slab) = slab.upgrade() {
                    slab.waiting(kind).fetch_sub(parcel.len(), Ordering::Relaxed);
                    for (block, words) in parcel {
                        slab.free(block, words as usize);
                    }
                }
            });
        }
    }

    /// Hands all that was retired to the epoch, and lets it free what it can. For tests and for `compact`.
    pub(crate) fn flush_retired(self: &Arc<Self>, guard: &Guard) {
        for (index, shelf) in self.shelves.iter().enumerate() {
            let parcel = {
                let mut stripe = shelf.stripe.lock();
                stripe.retired_words = 0;
                shelf.retired.store(0, Ordering::Relaxed);
                std::mem::take(&mut stripe.retired)
            };
            if !parcel.is_empty() {
                self.defer(guard, Kind::of(index), parcel);
            }
        }
        guard.flush();
    }

    /// Bytes of memory held: pages that serve a class and large blocks, used or not.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// A page for a class, not in its account yet.
    fn take_page(&self, stripe: usize, class: usize) -> *mut Page {
        self.held_bytes.fetch_add(PAGE_BYTES as u64, Ordering::Relaxed);
        let mut regions = self.regions.lock();
        let region = regions.fullest_with_room().unwrap_or_else(|| {
            let region = new_region(regions.count == 0);
            regions.count += 1;
            regions.idle_pages += PAGES;
            // SAFETY: the region is new, and in no list.
            unsafe { regions.list(region) };
            region
        });
        // SAFETY: regions in the table are live, and the table is held; the page is idle, so no stripe looks at it.
        unsafe {
            regions.unlist(region);
            let handle = region;
            let region = region.as_ptr();
            let present = (*region).idle & !(*region).absent;
            let index = if present == 0 { (*region).idle } else { present }.trailing_zeros() as usize;
            (*region).idle &= !(1 << index);
            if present == 0 {
                (*region).absent &= !(1 << index);
                regions.absent_pages -= 1;
                huge::count_mapped(page_span(index).1);
            }
            regions.idle_pages -= 1;
            regions.list(handle);
            let page = &raw mut (*region).pages[index];
            let bytes = CLASS_WORDS[class] as usize * WORD_BYTES;
            page.write(Page {
                owner: AtomicU32::new(((class as u32) << 8) | stripe as u32),
                used: 0,
                touched: 0,
                blocks: (page_span(index).1 / bytes) as u32,
                free: None,
                previous: ptr::null_mut(),
                next: ptr::null_mut(),
                listed: false,
                standing: Standing::Counted,
                freed: 0,
            });
            page
        }
    }

    /// # Safety
    /// No block of the page is out, no list leads to it, and the stripe that owned it is held.
    unsafe fn give_page_back(&self, page: *mut Page) {
        self.held_bytes.fetch_sub(PAGE_BYTES as u64, Ordering::Relaxed);
        let mut regions = self.regions.lock();
        // SAFETY: the page lies in a live region, and the table of regions is held: what is idle stays so, and nobody uses it. An
        // empty region is led to by its list only, which it has left.
        unsafe {
            let region = region_of(page.cast());
            let index = page.offset_from_unsigned(&raw mut (*region).pages as *mut Page);
            let handle = NonNull::new_unchecked(region);
            regions.unlist(handle);
            (*region).idle |= 1 << index;
            regions.idle_pages += 1;
            regions.list(handle);
            // An empty region is kept only where the others have little room, so that a page which comes and goes does not cost
            // a region each time.
            if regions.idle_pages >= PAGES + PAGES / 2
                && let Some(empty) = regions.by_idle.last().and_then(|list| list.last().copied())
            {
                regions.unlist(empty);
                regions.count -= 1;
                regions.idle_pages -= PAGES;
                regions.absent_pages -= (*empty.as_ptr()).absent.count_ones() as usize;
                unmap_region(empty);
                if empty == handle {
                    return;
                }
            }
            let in_use = regions.count * PAGES - regions.idle_pages;
            let most = PRESENT_PAGES_LEAST + in_use / PRESENT_SHARE;
            // Those of this region that became idle before too, as there may be fewer in use now than then.
            let mut present = (*region).idle & !(*region).absent;
            while present != 0 && regions.idle_pages - regions.absent_pages > most {
                let index = present.trailing_zeros() as usize;
                present &= present - 1;
                let (start, bytes) = page_span(index);
                if huge::discard(region.cast::<u8>().add(start), bytes) {
                    (*region).absent |= 1 << index;
                    regions.absent_pages += 1;
                }
            }
        }
    }
}

impl Regions {
    fn new() -> Self {
        Self {
            by_idle: [const { Vec::new() }; PAGES + 1],
            lists: 0,
            count: 0,
            idle_pages: 0,
            absent_pages: 0,
        }
    }

    /// A region with idle pages, as few as there are.
    fn fullest_with_room(&self) -> Option<NonNull<Region>> {
        // The first list is of those without.
        self.by_idle.get((self.lists & !1).trailing_zeros() as usize)?.last().copied()
    }

    /// Puts a region into the list of those with as many idle pages.
    ///
    /// # Safety
    /// It is live and in no list.
    unsafe fn list(&mut self, region: NonNull<Region>) {
        // SAFETY: by the caller; the table of regions is held.
        let (idle, position) =
            unsafe { ((*region.as_ptr()).idle.count_ones() as usize, &raw mut (*region.as_ptr()).position) };
        if let Some(list) = self.by_idle.get_mut(idle) {
            // SAFETY: as above.
            unsafe { position.write(list.len()) };
            list.push(region);
            self.lists |= 1 << idle;
        }
    }

    /// Takes a region out of its list.
    ///
    /// # Safety
    /// It is live, in its list, and has as many idle pages as when it was put there.
    unsafe fn unlist(&mut self, region: NonNull<Region>) {
        // SAFETY: by the caller; the table of regions is held.
        let (idle, position) =
            unsafe { ((*region.as_ptr()).idle.count_ones() as usize, (*region.as_ptr()).position) };
        if let Some(list) = self.by_idle.get_mut(idle) {
            list.swap_remove(position);
            if let Some(moved) = list.get(position) {
                // SAFETY: regions in a list are live.
                unsafe { (*moved.as_ptr()).position = position };
            }
            if list.is_empty() {
                self.lists &= !(1 << idle);
            }
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        for (address, words) in self.large.get_mut().drain() {
            if let Some(block) = Block::at(address) {
                // SAFETY: the table says that it was allocated with this layout; nobody else owns the slab any more.
                unsafe { dealloc(block.0.as_ptr().cast(), large_layout(words)) };
            }
        }
        for region in self.regions.get_mut().by_idle.iter().flatten() {
            // SAFETY: as above.
            unsafe { unmap_region(*region) };
        }
    }
}

impl std::fmt::Debug for Slab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slab").field("held_bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}

/// # Safety
/// The region is live, and nobody uses it any more.
unsafe fn unmap_region(region: NonNull<Region>) {
    // SAFETY: by the caller. What is absent was taken out of the account before.
    unsafe {
        huge::count_mapped((*region.as_ptr()).absent_bytes());
        huge::unmap(region.cast(), REGION_BYTES);
    }
}

fn new_region(first: bool) -> NonNull<Region> {
    let Some(region) = huge::map(REGION_BYTES).map(NonNull::cast::<Region>) else {
        handle_alloc_error(REGION_LAYOUT)
    };
    assert!(region.addr().get() as u64 >> 48 == 0, "addresses of more than 48 bits are not supported");
    if !first {
        // SAFETY: the bytes of the region as uninitialised ones; only the address is used.
        huge::advise(unsafe {
            std::slice::from_raw_parts(region.as_ptr().cast::<std::mem::MaybeUninit<u8>>(), REGION_BYTES)
        });
    }
    // SAFETY: the table lies within the region; pages are written when they are taken.
    unsafe {
        (&raw mut (*region.as_ptr()).idle).write(u32::MAX);
        (&raw mut (*region.as_ptr()).absent).write(0);
        (&raw mut (*region.as_ptr()).position).write(0);
    }
    region.as_ptr().expose_provenance();
    region
}

/// The region in which an address lies.
#[inline]
fn region_of(address: *const u8) -> *mut Region {
    ptr::with_exposed_provenance_mut(address.addr() & !(REGION_BYTES - 1))
}

/// The page in which a small block lies.
#[inline]
fn page_of(block: Block) -> *mut Page {
    let address = block.0.as_ptr().addr();
    let index = (address & (REGION_BYTES - 1)) / PAGE_BYTES;
    let region = region_of(block.0.as_ptr().cast());
    // SAFETY: small blocks lie in regions, and the index is below PAGES; no reference is made.
    unsafe { (&raw mut (*region).pages as *mut Page).add(index) }
}

/// Where the blocks of a page begin.
///
/// # Safety
/// The page lies in a live region.
unsafe fn page_blocks(page: *mut Page) -> *mut Word {
    let region = region_of(page.cast());
    // SAFETY: the page is one of its region's, so index and offset are within it.
    unsafe {
        let index = page.offset_from_unsigned(&raw mut (*region).pages as *mut Page);
        region.byte_add(page_span(index).0).cast()
    }
}

#[cfg(test)]
mod tests;
