//! Allocations, counted by an allocator that a program sets as its own.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

static COUNTS: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator. It counts while [`start`] was called last, so that it costs nothing else while time is taken.
#[derive(Debug)]
pub struct Counting;

/// Begins to count at zero.
pub fn start() {
    CALLS.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
}

/// Ends counting and returns how often memory was allocated, or moved to a larger place.
pub fn stop() -> u64 {
    COUNTS.store(false, Relaxed);
    CALLS.load(Relaxed)
}

fn count() {
    if COUNTS.load(Relaxed) {
        CALLS.fetch_add(1, Relaxed);
    }
}

// SAFETY: each call is passed on to the system's allocator with the arguments that it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
