//! Free ports.

use std::{
    net::TcpListener,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::unique::SEED;

/// Below the range from which Linux takes the ports of outgoing connections (32768 and up).
///
/// The port of a stopped server is then not taken by somebody's connection before it is restarted, and a client that
/// tries again and again to reach it does not end up connected to itself.
const RANGE: Range<u16> = 10_000..32_000;

/// A port of 127.0.0.1 on which nothing listens, and that this process has not been given before.
///
/// # Panics
///
/// If no port is free.
#[must_use]
pub fn free_port() -> u16 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Other test processes start elsewhere in the range.
    let first = *SEED % RANGE.len() as u64;
    RANGE
        .map(|_| {
            let offset = (first + COUNT.fetch_add(1, Ordering::Relaxed)) % RANGE.len() as u64;
            RANGE.start + u16::try_from(offset).expect("an offset in a range of u16")
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of 22,000 ports is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_in_the_range_and_comes_once() {
        let ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
        let mut different = ports.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), ports.len());
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }
}
