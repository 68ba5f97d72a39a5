//! The system's allocator, which counts what one thread takes from it.

#![allow(unsafe_code, reason = "an allocator is a trait that is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Traces that are kept at most.
const TRACES_MAX: usize = 500;

/// Kernel's number of the thread that is counted; 0: none.
static WATCHED: AtomicI32 = AtomicI32::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static TRACING: AtomicBool = AtomicBool::new(false);
static TRACES: Mutex<Vec<Backtrace>> = Mutex::new(Vec::new());

thread_local! {
    /// Number of this thread; 0 until it is asked for.
    static THREAD: Cell<i32> = const { Cell::new(0) };
    /// Taking a trace allocates as well.
    static IN_TRACE: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator.
pub(crate) struct Counting;

// SAFETY: every call goes on to the system's allocator as it came; what happens before it touches
// neither memory nor layout, and calls this allocator again at most once (`note` guards itself).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as in `alloc`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Counts an allocation, or a larger one in place of another, if it is the watched thread's.
fn note() {
    let watched = WATCHED.load(Ordering::Relaxed);
    if watched == 0 || watched != own_number() || IN_TRACE.get() {
        return;
    }
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    if TRACING.load(Ordering::Relaxed) {
        IN_TRACE.set(true);
        let mut traces = TRACES.lock().unwrap_or_else(PoisonError::into_inner);
        if traces.len() < TRACES_MAX {
            traces.push(Backtrace::force_capture());
        }
        drop(traces);
        IN_TRACE.set(false);
    }
}

fn own_number() -> i32 {
    if THREAD.get() == 0 {
        THREAD.set(rustix::thread::gettid().as_raw_nonzero().get());
    }
    THREAD.get()
}

/// Counts the thread with this number of the kernel's from now on.
pub(crate) fn watch(thread: i32) {
    WATCHED.store(thread, Ordering::Relaxed);
}

/// How many there were so far of the watched threads.
pub(crate) fn count() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Keeps where allocations come from, from now on or no more.
pub(crate) fn trace(on: bool) {
    TRACING.store(on, Ordering::Relaxed);
}

/// What was kept.
pub(crate) fn take_traces() -> Vec<Backtrace> {
    std::mem::take(&mut TRACES.lock().unwrap_or_else(PoisonError::into_inner))
}
