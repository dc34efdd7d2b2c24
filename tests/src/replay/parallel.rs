//! Checks slow rows on all processors.

use std::{
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Returns the results of `check` in the order of the rows.
pub(super) fn map<T: Sync, R: Send>(rows: &[T], check: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(row) = rows.get(at)
        {
            done.push((at, check(row)));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no check panics")).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_rows() {
        let rows: Vec<usize> = (0..100).collect();
        assert_eq!(map(&rows, |row| row * 2), rows.iter().map(|row| row * 2).collect::<Vec<_>>());
    }
}
