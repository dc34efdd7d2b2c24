//! How often a session is extended.

use std::{pin::pin, time::Duration};

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{Atomic, Clock, Store, Touched};
use futures::{StreamExt, executor::block_on, poll};

use crate::{Behind, HOUR, NOW, session};

const DAY: Option<Duration> = Some(Duration::from_secs(86_400));

/// A cache that is sure of an entry for a second, and extends a session once a minute.
fn by_the_minute() -> (Cached, Behind, Clock) {
    let clock = Clock::fixed(NOW);
    let far = Behind::new(&clock);
    let options = CacheOptions::default()
        .with_touch_interval(Duration::from_secs(60))
        .with_clock(clock.clone());
    (Cached::new(far.store(), options), far, clock)
}

#[test]
fn a_session_in_use_is_extended_once_per_interval() {
    let (cached, far, clock) = by_the_minute();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        for second in 0..600 {
            // As express-session does it, and as the layer does it.
            let loaded = cached.get("a").await.unwrap().unwrap();
            let touched = cached.touch("a", &loaded).await.unwrap();
            let wanted = if second % 60 == 0 { Touched::Extended } else { Touched::NotDue };
            assert_eq!(touched, wanted, "in second {second}");
            assert!(cached.get_and_touch("a", DAY).await.unwrap().is_some());
            clock.advance(1_000);
        }
    });
    assert_eq!((far.calls("touch"), far.calls("get_and_touch")), (10, 0));
    // 590 of them, and all of the second kind.
    assert_eq!(cached.stats().touches_saved, 590 + 600);
}

#[test]
fn a_session_in_use_does_not_end() {
    let clock = Clock::fixed(NOW);
    let far = Behind::new(&clock);
    let options = CacheOptions::default().with_touch_interval(HOUR).with_clock(clock.clone());
    let cached = Cached::new(far.store(), options);
    block_on(async {
        for (sid, ttl) in [("a", 10), ("b", 60), ("c", 1_000)] {
            far.store.set(sid, &session("ann")).await.unwrap();
            let ttl = Duration::from_secs(ttl);
            for _ in 0..50 {
                assert!(cached.get_and_touch(sid, Some(ttl)).await.unwrap().is_some(), "{sid}");
                // Nine tenths of its time.
                clock.advance(i64::try_from(ttl.as_millis()).unwrap() / 10 * 9);
            }
        }
    });
}

#[test]
fn the_expiry_is_the_one_that_was_asked_for() {
    let (cached, far, clock) = by_the_minute();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        cached.get_and_touch("a", DAY).await.unwrap();
        clock.advance(1_000);
        // Another time to live is not a repetition.
        let short = Some(Duration::from_secs(600));
        cached.get_and_touch("a", short).await.unwrap();
        assert_eq!(Some(time_left(&far).await), short);
        clock.advance(600_000);
        assert_eq!(cached.get("a").await.unwrap(), None);
    });
    assert_eq!(far.calls("get_and_touch"), 2);
}

#[test]
fn answers_about_a_session_that_is_gone_are_true_after_the_interval_of_the_mode() {
    let (cached, far, clock) = by_the_minute();
    block_on(async {
        let day = session("ann");
        for sid in ["touched", "got"] {
            far.store.set(sid, &day).await.unwrap();
            assert!(cached.get_and_touch(sid, DAY).await.unwrap().is_some());
            far.store.destroy(sid).await.unwrap();
        }
        clock.advance(1_000);
        // The last extension was a second ago, so none is due.
        assert_eq!(cached.touch("touched", &day).await.unwrap(), Touched::Missing);
        assert_eq!(cached.get_and_touch("got", DAY).await.unwrap(), None);
        assert_eq!(far.calls("touch"), 0);
        // What is known to be missing is not asked for again.
        let reads = far.calls("get");
        assert_eq!(cached.touch("touched", &day).await.unwrap(), Touched::Missing);
        assert_eq!(cached.get_and_touch("got", DAY).await.unwrap(), None);
        assert_eq!((far.calls("get"), far.calls("get_and_touch")), (reads, 2));
    });
}

#[test]
fn of_several_tasks_one_extends_the_session() {
    let (cached, far, clock) = by_the_minute();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        assert!(cached.get_and_touch("a", DAY).await.unwrap().is_some());
        clock.advance(60_000);
        let release = far.hold_before();
        let mut first = pin!(cached.get_and_touch("a", DAY));
        assert!(poll!(first.as_mut()).is_pending());
        for _ in 0..10 {
            assert!(cached.get_and_touch("a", DAY).await.unwrap().is_some());
        }
        release.send(()).unwrap();
        assert!(first.await.unwrap().is_some());
        assert_eq!(far.calls("get_and_touch"), 2);
    });
}

/// The extension that is under way may fail, and then the session would end although it is in use.
#[test]
fn a_session_that_may_end_soon_is_extended_by_several_tasks() {
    let (cached, far, _) = by_the_minute();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        let release = far.hold_before();
        let mut first = Box::pin(cached.get_and_touch("a", DAY));
        assert!(poll!(first.as_mut()).is_pending());
        assert!(cached.get_and_touch("a", DAY).await.unwrap().is_some());
        assert_eq!(far.calls("get_and_touch"), 2);
        drop((first, release));
    });
}

#[test]
fn an_extension_that_fails_is_tried_again() {
    let (cached, far, _) = by_the_minute();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        far.fail_next();
        cached.get_and_touch("a", DAY).await.unwrap_err();
        cached.get_and_touch("a", DAY).await.unwrap();
        far.store.set("b", &session("ann")).await.unwrap();
        far.fail_next();
        cached.touch("b", &session("ann")).await.unwrap_err();
        assert_eq!(cached.touch("b", &session("ann")).await.unwrap(), Touched::Extended);
    });
    assert_eq!((far.calls("get_and_touch"), far.calls("touch")), (2, 2));
}

#[test]
fn a_write_makes_an_extension_due() {
    let (cached, far, _) = by_the_minute();
    block_on(async {
        let day = session("ann");
        cached.set("a", &day).await.unwrap();
        assert_eq!(cached.touch("a", &day).await.unwrap(), Touched::Extended);
        cached.set("a", &day).await.unwrap();
        assert_eq!(cached.touch("a", &day).await.unwrap(), Touched::Extended);
        assert_eq!(far.calls("touch"), 2);
    });
}

#[test]
fn a_session_whose_time_has_passed_is_ended_at_once() {
    let (cached, far, _) = by_the_minute();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        assert!(cached.get_and_touch("a", DAY).await.unwrap().is_some());
        let mut over = session("ann");
        over.cookie_mut().set_max_age_ms(Some(-1), NOW).unwrap();
        assert_eq!(cached.touch("a", &over).await.unwrap(), Touched::Missing);
        assert_eq!(cached.get("a").await.unwrap(), None);
    });
}

/// As with the option `ttl` of some stores, and a cookie whose end no request moves.
#[test]
fn a_store_with_a_time_to_live_of_its_own_is_asked_once_per_interval() {
    let (cached, far, clock) = by_the_minute();
    far.set_ttl_ms(600_000);
    block_on(async {
        let day = session("ann");
        far.store.set("a", &day).await.unwrap();
        for second in 0..2_000 {
            let touched = cached.touch("a", &day).await.unwrap();
            let wanted = if second % 60 == 0 { Touched::Extended } else { Touched::NotDue };
            assert_eq!(touched, wanted, "in second {second}");
            clock.advance(1_000);
        }
    });
}

#[test]
fn a_store_that_declines_to_extend_a_session_leaves_the_entry_there() {
    for declined in [Touched::NotOffered, Touched::NotDue] {
        let (cached, far, _) = by_the_minute();
        far.decline_touches(declined);
        block_on(async {
            let day = session("ann");
            far.store.set("a", &day).await.unwrap();
            for _ in 0..10 {
                assert!(cached.get("a").await.unwrap().is_some());
                assert_eq!(cached.touch("a", &day).await.unwrap(), declined);
            }
        });
        assert_eq!(far.calls("get"), 1, "{declined:?}");
    }
}

async fn time_left(far: &Behind) -> Duration {
    let mut listed = far.store.enumerate().unwrap().all();
    listed.next().await.unwrap().unwrap().time_left.unwrap()
}

/// The safe layer extends a session when it reads it, and then by the time to live of its cookie.
#[test]
fn two_times_to_live_that_take_turns_are_each_extended_once_per_interval() {
    let (cached, far, clock) = by_the_minute();
    let ten_minutes = |clock: &Clock| {
        let mut session = session("ann");
        session.cookie_mut().set_max_age_ms(Some(600_000), clock.now_ms()).unwrap();
        session
    };
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        for _ in 0..600 {
            assert!(cached.get_and_touch("a", DAY).await.unwrap().is_some());
            cached.touch("a", &ten_minutes(&clock)).await.unwrap();
            let left = time_left(&far).await.as_secs();
            assert!((541..=600).contains(&left), "{left} s");
            clock.advance(1_000);
        }
        assert_eq!((far.calls("touch"), far.calls("get_and_touch")), (10, 10));
        // The first of them alone may have succeeded, or was sent and failed: then the second is due.
        assert!(cached.get_and_touch("a", DAY).await.unwrap().is_some());
        assert_eq!(cached.touch("a", &ten_minutes(&clock)).await.unwrap(), Touched::Extended);
        for passed in [60_000, 1_000, 1_000] {
            clock.advance(passed);
            far.fail_next();
            cached.get_and_touch("a", DAY).await.unwrap_err();
            assert_eq!(cached.touch("a", &ten_minutes(&clock)).await.unwrap(), Touched::Extended);
        }
        assert_eq!(time_left(&far).await.as_secs(), 600);
    });
}
