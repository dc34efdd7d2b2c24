//! `touch`, and the option that saves it.

use std::time::Duration;

use cloakroom_core::{Store, Touched};
use cloakroom_mongodb::mongodb::bson::doc;

use crate::{Bench, HOUR, NOW, atomic, date, expiring, session};

async fn touch_after(seconds: u64) -> Bench {
    Bench::with(|options| options.touch_after = Duration::from_secs(seconds)).await
}

async fn times(bench: &Bench) -> (i64, Option<i64>) {
    let document = bench.document("a").await.unwrap();
    let ms = |field| document.get_datetime(field).ok().map(|date| date.timestamp_millis());
    (ms("expires").unwrap(), ms("lastModified"))
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn touch_missing_is_missing() {
    let bench = Bench::start().await;
    assert_eq!(bench.store.touch("a", &session()).await.unwrap(), Touched::Missing);
    assert_eq!(bench.document("a").await, None);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn touch_moves_the_expiry_and_nothing_else() {
    let bench = Bench::start().await;
    bench.store.set("a", &expiring(HOUR)).await.unwrap();
    let mut other = expiring(2 * HOUR);
    other.insert("user", "bob").unwrap();
    assert_eq!(bench.store.touch("a", &other).await.unwrap(), Touched::Extended);
    assert_eq!(times(&bench).await, (NOW + 2 * HOUR, None));
    assert_eq!(bench.read().await, expiring(HOUR));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_young_session_is_not_touched_again() {
    let bench = touch_after(60).await;
    bench.store.set("a", &expiring(HOUR)).await.unwrap();
    let read = bench.read().await;
    bench.clock.advance(59_999);
    // Nothing was sent, so nothing is claimed.
    assert_eq!(bench.store.touch("a", &read).await.unwrap(), Touched::NotDue);
    assert_eq!(times(&bench).await, (NOW + HOUR, Some(NOW)));
    bench.clock.advance(1);
    let mut moved = read.clone();
    moved.touch(bench.clock.now_ms());
    assert_eq!(bench.store.touch("a", &moved).await.unwrap(), Touched::Extended);
    assert_eq!(times(&bench).await, (NOW + 60_000 + HOUR, Some(NOW + 60_000)));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn get_and_touch_leaves_a_young_session_alone() {
    let bench = touch_after(60).await;
    bench.store.set("a", &expiring(HOUR)).await.unwrap();
    let hour = Some(Duration::from_secs(3_600));
    bench.clock.advance(30_000);
    assert!(atomic(&bench.store).get_and_touch("a", hour).await.unwrap().is_some());
    assert_eq!(times(&bench).await, (NOW + HOUR, Some(NOW)));
    bench.clock.advance(30_000);
    assert!(atomic(&bench.store).get_and_touch("a", hour).await.unwrap().is_some());
    assert_eq!(times(&bench).await, (NOW + 60_000 + HOUR, Some(NOW + 60_000)));
}

/// On one thread, so that the clock moves before the answer arrives.
#[tokio::test]
#[ignore = "needs mongod"]
async fn get_and_touch_returns_what_it_extended_however_long_the_answer_takes() {
    let bench = Bench::start().await;
    bench.store.set("a", &expiring(50)).await.unwrap();
    let hour = Some(Duration::from_secs(3_600));
    let call = atomic(&bench.store).get_and_touch("a", hour);
    let (touched, ()) = tokio::join!(call, async {
        bench.clock.advance(100);
    });
    assert!(touched.unwrap().is_some());
    assert_eq!(times(&bench).await, (NOW + HOUR, None));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_session_that_is_in_use_does_not_expire_however_long_touch_after_is() {
    let bench = touch_after(86_400).await;
    for by_touch in [true, false] {
        bench.store.set("a", &expiring(HOUR)).await.unwrap();
        for _ in 0..10 {
            bench.clock.advance(HOUR / 3);
            let mut read = bench.read().await;
            read.touch(bench.clock.now_ms());
            if by_touch {
                bench.store.touch("a", &read).await.unwrap();
            } else {
                let hour = Duration::from_secs(3_600);
                atomic(&bench.store).get_and_touch("a", Some(hour)).await.unwrap();
            }
        }
        assert!(bench.store.get("a").await.unwrap().is_some(), "by touch: {by_touch}");
        bench.clock.set(NOW);
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_session_that_never_said_when_it_was_written_is_touched() {
    let bench = touch_after(60).await;
    bench.plant(doc! { "_id": "a", "expires": date(NOW + 1), "session": "{}" }).await;
    let read = bench.read().await;
    assert_eq!(bench.store.touch("a", &read).await.unwrap(), Touched::Extended);
    assert!(atomic(&bench.store).get_and_touch("a", None).await.unwrap().is_some());
    // As connect-mongo, which has no time to compare with then, and begins none.
    assert_eq!(times(&bench).await, (NOW + 14 * 24 * HOUR, None));
    // A passed expiry is never left to later.
    bench.store.set("a", &expiring(HOUR)).await.unwrap();
    let mut read = bench.read().await;
    read.cookie_mut().set_max_age_ms(Some(-1), NOW).unwrap();
    assert_eq!(bench.store.touch("a", &read).await.unwrap(), Touched::Missing);
    assert_eq!(bench.document("a").await, None);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_shorter_life_is_never_left_to_later() {
    let bench = touch_after(60).await;
    for by_touch in [true, false] {
        bench.store.set("a", &expiring(HOUR)).await.unwrap();
        if by_touch {
            let mut read = bench.read().await;
            read.cookie_mut().set_max_age_ms(Some(60_000), NOW).unwrap();
            assert_eq!(bench.store.touch("a", &read).await.unwrap(), Touched::Extended);
        } else {
            let minute = Duration::from_secs(60);
            atomic(&bench.store).get_and_touch("a", Some(minute)).await.unwrap();
        }
        assert_eq!(times(&bench).await, (NOW + 60_000, Some(NOW)), "by touch: {by_touch}");
    }
}
