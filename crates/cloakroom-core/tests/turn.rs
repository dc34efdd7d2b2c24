//! Who gets the turn while others in the line are not polled.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    future::{Future, Pending, pending},
    thread,
    time::{Duration, Instant},
};

use cloakroom_core::Turn;
use futures::{FutureExt, channel::oneshot, executor::block_on, future::join_all};

fn never(_: Duration) -> Option<Pending<()>> {
    Some(pending())
}

fn asleep(patience: Duration) -> Option<impl Future<Output = ()> + Send> {
    let (wake, timer) = oneshot::channel::<()>();
    thread::spawn(move || {
        thread::sleep(patience);
        drop(wake);
    });
    Some(timer.map(drop))
}

/// As in a stream with `buffer_unordered` whose consumer writes the same session.
#[test]
fn those_who_are_not_polled_are_passed_over_once_for_all() {
    const WRITERS: usize = 16;
    let patience = Duration::from_millis(100);
    let take = || Box::pin(Turn::take("test", "stuck", patience, never));
    let holder = take().now_or_never().unwrap();
    let mut stuck: Vec<_> = (0..WRITERS).map(|_| take()).collect();
    assert!(stuck.iter_mut().all(|one| one.as_mut().now_or_never().is_none()));

    let began = Instant::now();
    let live = (0..WRITERS).map(|_| async {
        drop(Turn::take("test", "stuck", patience, asleep).await.unwrap());
        began.elapsed()
    });
    let took = block_on(join_all(live));
    // The deadline of the handles is eight times the patience.
    assert!(took.iter().all(|took| *took < patience * 8), "{took:?}");
    // Those who are polled again get it in their order.
    drop(holder);
    for one in stuck {
        assert!(one.now_or_never().flatten().is_some());
    }
}
