//! How old an answer may be.

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{Clock, Store};
use futures::executor::block_on;

use crate::{Behind, NOW, cached, session, text};

#[test]
fn a_hot_session_costs_one_read_per_interval_and_so_does_a_missing_one() {
    let (cached, far, clock) = cached();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        for hour in 1..=3 {
            for _ in 0..100 {
                assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "ann");
                assert_eq!(cached.get("missing").await.unwrap(), None);
            }
            assert_eq!(far.calls("get"), hour * 2);
            clock.advance(3_600_000);
        }
    });
    let stats = cached.stats();
    assert_eq!((stats.hits, stats.misses), (594, 6));
    assert!(stats.is_active && stats.trouble.is_none() && stats.bytes > 0);
}

#[test]
fn no_session_is_served_once_a_logout_elsewhere_is_older_than_allowed() {
    let (cached, far, clock) = cached();
    let ids: Vec<_> = (0..1_000).map(|number| format!("id {number}")).collect();
    block_on(async {
        for sid in &ids {
            far.store.set(sid, &session("ann")).await.unwrap();
            assert!(cached.get(sid).await.unwrap().is_some());
        }
        for sid in &ids {
            far.store.destroy(sid).await.unwrap();
        }
        clock.advance(3_599_000);
        let mut served = 0;
        for sid in &ids {
            served += usize::from(cached.get(sid).await.unwrap().is_some());
        }
        assert_eq!(served, 1_000, "memory is used until then");
        clock.advance(1_000);
        for sid in &ids {
            assert_eq!(cached.get(sid).await.unwrap(), None);
        }
    });
}

#[test]
fn a_login_elsewhere_is_seen_after_the_interval() {
    let (cached, far, clock) = cached();
    block_on(async {
        assert_eq!(cached.get("a").await.unwrap(), None);
        far.store.set("a", &session("ann")).await.unwrap();
        assert_eq!(cached.get("a").await.unwrap(), None);
        clock.advance(3_600_000);
        assert!(cached.get("a").await.unwrap().is_some());
    });
}

#[test]
fn an_entry_ends_with_its_session() {
    let (cached, far, clock) = cached();
    block_on(async {
        let mut short = session("ann");
        short.cookie_mut().set_max_age_ms(Some(10_000), NOW).unwrap();
        far.store.set("a", &short).await.unwrap();
        assert!(cached.get("a").await.unwrap().is_some());
        clock.advance(9_999);
        assert!(cached.get("a").await.unwrap().is_some());
        assert_eq!(far.calls("get"), 1);
        clock.advance(1);
        assert_eq!(cached.get("a").await.unwrap(), None);
    });
}

#[test]
fn without_an_age_or_without_room_every_read_goes_to_the_store() {
    let clock = Clock::fixed(NOW);
    for options in [
        CacheOptions::default().with_max_stale(std::time::Duration::ZERO),
        CacheOptions::default().with_max_bytes(0).with_max_stale(crate::HOUR),
    ] {
        let far = Behind::new(&clock);
        let cached = Cached::new(far.store(), options.with_clock(clock.clone()));
        block_on(async {
            far.store.set("a", &session("ann")).await.unwrap();
            for _ in 0..3 {
                assert!(cached.get("a").await.unwrap().is_some());
            }
        });
        assert_eq!((far.calls("get"), cached.stats().bytes), (3, 0));
    }
}
