//! How much memory is used, and what it is good for.

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{Clock, Store, generate_id};
use futures::executor::block_on;

use crate::{Behind, HOUR, NOW, session};

/// A store in which sessions live as long as this test, and which keeps its own copies of them.
fn endless() -> Behind {
    let far = Behind::new(&Clock::fixed(NOW));
    far.return_copies();
    far
}

fn limited(max_bytes: u64, far: &Behind) -> Cached {
    let options = CacheOptions::default()
        .with_max_stale(HOUR)
        .with_max_bytes(max_bytes)
        .with_clock(Clock::fixed(NOW));
    Cached::new(far.store(), options)
}

#[test]
fn the_memory_stays_within_its_bytes_whatever_the_records() {
    // Of odd and of even length, so that their buffers have other sizes.
    let records = [(0, 8_000), (1_000, 5_000), (1_001, 5_000), (100_000, 100), (2_000_000, 6)];
    for max_bytes in [1 << 18, 4 << 20] {
        for (padding, sessions) in records {
            let far = endless();
            let record = session(&"x".repeat(padding));
            let ids: Vec<_> = (0..sessions).map(|_| generate_id().unwrap()).collect();
            block_on(async {
                for sid in &ids {
                    far.store.set(sid, &record).await.unwrap();
                }
            });
            let mut kept = None;
            let counted = allocation_counter::measure(|| {
                let cached = limited(max_bytes, &far);
                block_on(async {
                    for sid in &ids {
                        assert!(cached.get(sid).await.unwrap().is_some());
                        assert_eq!(cached.get(&format!("no {sid}")).await.unwrap(), None);
                    }
                });
                kept = Some(cached);
            });
            let cached = kept.unwrap();
            let used = u64::try_from(counted.bytes_current).unwrap();
            assert!(used <= max_bytes, "{padding}: {used} bytes of {max_bytes}");
            assert!(cached.stats().bytes <= max_bytes);
        }
    }
}

/// Numbers below `many`, of which the first ones come most often: by Zipf's law.
fn zipf(many: usize, count: usize) -> Vec<usize> {
    let weights: Vec<f64> = (1..=many).map(|rank| 1.0 / rank as f64).collect();
    let total: f64 = weights.iter().sum();
    let mut sums = Vec::with_capacity(many);
    let mut sum = 0.0;
    for weight in weights {
        sum += weight / total;
        sums.push(sum);
    }
    // Any fixed sequence does. This one is Weyl's.
    let golden = 0.618_033_988_749_894_9;
    (0..count)
        .map(|number| {
            let point = (number as f64 * golden).fract();
            sums.partition_point(|sum| *sum < point).min(many - 1)
        })
        .collect()
}

#[test]
fn with_room_for_a_tenth_of_the_sessions_most_reads_are_hits() {
    let far = endless();
    let ids: Vec<_> = (0..20_000).map(|number| format!("id {number}")).collect();
    let record = session(&"x".repeat(500));
    block_on(async {
        for sid in &ids {
            far.store.set(sid, &record).await.unwrap();
        }
        let cached = limited(3 << 20, &far);
        for number in zipf(ids.len(), 200_000) {
            assert!(cached.get(&ids[number]).await.unwrap().is_some());
        }
        let stats = cached.stats();
        let kept = stats.bytes / 1_500;
        assert!(kept < 2_500, "room for about a tenth: {kept}");
        let rate = stats.hits as f64 / (stats.hits + stats.misses) as f64;
        assert!(rate > 0.6, "{rate}");
    });
}
