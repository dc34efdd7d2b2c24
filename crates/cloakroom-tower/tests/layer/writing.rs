//! What is written, in which order, and what is not.

use cloakroom_core::Store;
use cloakroom_tower::{Session, TouchAfter, Unset};

use crate::site::Site;

#[tokio::test]
async fn a_new_session_is_created_when_it_is_changed() {
    let site = Site::new();
    let reply = site.write("n", 1).await;
    assert_eq!(site.store.calls(), ["create"]);
    assert_eq!(reply.lines().len(), 1);
    assert_eq!(site.member("n").await, Some(1));
}

#[tokio::test]
async fn a_new_session_that_nobody_changed_is_stored_on_demand_only() {
    let site = Site::with(|options| options.save_uninitialized = true);
    let reply = site.read().await;
    assert_eq!((site.store.calls(), reply.lines().len()), (vec!["create"], 1));
}

#[tokio::test]
async fn a_change_is_one_more_command() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.calls();
    site.write("n", 2).await;
    assert_eq!(site.store.calls(), ["get_and_touch", "update"]);
    assert_eq!(site.member("n").await, Some(2));
}

#[tokio::test]
async fn a_value_that_was_changed_back_is_no_change() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.calls();
    site.visit(async |session: Session| {
        session.insert("n", 2)?;
        session.insert("n", 1)?;
        session.insert("m", 1)?;
        session.remove::<i32>("m").map(drop)
    })
    .await;
    assert_eq!(site.store.calls(), ["get_and_touch"]);
}

#[tokio::test]
async fn a_store_without_conditional_writes_reads_before_it_writes() {
    let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
    let options = cloakroom_tower::SessionOptions::new();
    let site = Site::with_all(options, secrets, crate::log::Log::without_atomic, |_| {});
    site.write("n", 1).await;
    assert_eq!(site.store.calls(), ["set"]);
    site.read().await;
    assert_eq!(site.store.calls(), ["get", "touch"]);
    site.write("n", 2).await;
    // After the write it looks for the marker of a logout or a move.
    assert_eq!(site.store.calls(), ["get", "get", "set", "get", "get"]);
    let store = site.store.clone();
    let sid = site.sid();
    site.visit(move |session: Session| {
        let (store, sid) = (store.clone(), sid.clone());
        async move {
            store.memory().destroy(&sid).await?;
            session.insert("n", 3)
        }
    })
    .await;
    assert_eq!(site.store.calls(), ["get", "get"], "what is gone is not written");
}

#[tokio::test]
async fn without_conditional_writes_a_save_is_the_only_write_too() {
    let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
    let options = cloakroom_tower::SessionOptions::new();
    let site = Site::with_all(options, secrets, crate::log::Log::without_atomic, |_| {});
    for calls in [vec!["set"], vec!["get", "get", "set", "get", "get"]] {
        site.visit(async |session: Session| {
            session.modify("n", |n: Option<i32>| n.unwrap_or_default() + 1)?;
            session.save().await.map(drop)
        })
        .await;
        assert_eq!(site.store.calls(), calls);
    }
    assert_eq!(site.member("n").await, Some(2));
}

/// A browser that follows a redirect at once finds its session.
#[tokio::test]
async fn the_response_waits_for_the_store() {
    let site = Site::new();
    site.store.hang();
    let mut visit = std::pin::pin!(site.write("n", 1));
    assert!(futures::poll!(visit.as_mut()).is_pending());
    assert_eq!(site.store.calls(), ["create"], "all that is left is the store's answer");
    site.store.go_on();
    assert_eq!(visit.await.lines().len(), 1);
}

#[tokio::test]
async fn a_change_of_a_session_that_is_gone_is_told() {
    let site = Site::new();
    site.write("n", 1).await;
    let sid = site.sid();
    site.store.before("update", move |memory| {
        futures::executor::block_on(memory.destroy(&sid)).unwrap();
    });
    site.write("n", 2).await;
    assert_eq!(
        site.told(),
        ["session: commit: another request destroyed the session; the changes were discarded"]
    );
}

#[tokio::test]
async fn a_touch_extends_by_a_save_too() {
    let site = Site::with(|options| {
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.expiry.touch_after = TouchAfter::Never;
    });
    site.write("n", 1).await;
    site.clock.advance(10_000);
    let reply = site
        .visit(async |session: Session| {
            session.touch()?;
            session.save().await.map(drop)
        })
        .await;
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:14:30 GMT"),
        "{:?}",
        reply.lines()
    );
}

#[tokio::test]
async fn a_save_by_hand_is_the_only_write_and_the_browser_is_told() {
    let site = Site::for_a_minute();
    let reply = site
        .visit(async |session: Session| {
            session.insert("n", 1)?;
            assert!(session.save().await?);
            Ok(())
        })
        .await;
    assert_eq!((site.store.calls(), reply.lines().len()), (vec!["create"], 1));
    // Express stores an untouched one too, and leaves it without an owner.
    *site.cookie.lock().unwrap() = None;
    let reply = site.visit(async |session: Session| session.save().await.map(drop)).await;
    assert_eq!((site.store.calls(), reply.lines().len()), (vec!["create"], 1));
    let reply = site
        .visit(async |session: Session| {
            session.insert("n", 1)?;
            session.save().await?;
            session.insert("n", 2)
        })
        .await;
    assert_eq!(site.store.calls(), ["get_and_touch", "update", "update"]);
    assert_eq!((reply.lines().len(), site.member("n").await), (0, Some(2)));
}

#[tokio::test]
async fn what_a_save_has_done_is_not_done_again() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.calls();
    site.visit(async |session: Session| {
        session.touch()?;
        session.save().await.map(drop)
    })
    .await;
    assert_eq!(site.store.calls(), ["get_and_touch", "update"]);
    site.visit(async |session: Session| {
        session.regenerate().await?;
        session.save().await?;
        session.insert("n", 2)
    })
    .await;
    assert_eq!(site.store.calls(), ["get_and_touch", "create", "create", "destroy", "update"]);
}

#[tokio::test]
async fn a_save_of_a_session_that_is_gone_says_so() {
    let site = Site::new();
    site.write("n", 1).await;
    let (memory, sid) = (site.store.memory().clone(), site.sid());
    let gone = sid.clone();
    site.visit(move |session: Session| {
        let (memory, sid) = (memory.clone(), sid.clone());
        async move {
            memory.destroy(&sid).await?;
            session.insert("n", 2)?;
            assert!(!session.save().await?);
            assert!(!session.reload().await?);
            session.regenerate().await?;
            assert!(!session.reload().await?, "it is not stored yet");
            session.unset()?;
            Ok(())
        }
    })
    .await;
    assert!(site.record(&gone).await.is_none());
}

#[tokio::test]
async fn a_reload_forgets_what_was_changed() {
    let site = Site::new();
    site.write("n", 1).await;
    site.visit(async |session: Session| {
        session.insert("n", 2)?;
        assert!(session.reload().await?);
        assert_eq!(session.get::<i32>("n")?, Some(1));
        Ok(())
    })
    .await;
    assert_eq!(site.member("n").await, Some(1));
}

#[tokio::test]
async fn an_unset_session_is_destroyed_or_kept_as_told() {
    for (unset, is_kept) in [(Unset::Keep, true), (Unset::Destroy, false)] {
        let site = Site::with(|options| options.unset = unset);
        site.write("n", 1).await;
        let sid = site.sid();
        let reply = site
            .visit(async |session: Session| {
                session.insert("n", 2)?;
                session.unset()
            })
            .await;
        let record = site.record(&sid).await;
        assert_eq!(
            record.map(|record| record.get::<i32>("n").unwrap()),
            is_kept.then_some(Some(1))
        );
        assert_eq!(reply.lines().len(), usize::from(!is_kept));
    }
}

#[tokio::test]
async fn a_session_that_is_extended_now_and_then_is_written_when_it_is_due() {
    let site = Site::with(|options| {
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.expiry.touch_after = TouchAfter::Elapsed(std::time::Duration::from_secs(20));
    });
    site.write("n", 1).await;
    site.store.calls();
    for (seconds, calls, lines) in [(19, 1, 0), (1, 2, 1), (19, 1, 0), (25, 2, 1)] {
        site.clock.advance(seconds * 1_000);
        let reply = site.read().await;
        assert_eq!((site.store.calls().len(), reply.lines().len()), (calls, lines), "{seconds}");
    }
    let extended = Site::with(|options| {
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.expiry.touch_after = TouchAfter::Never;
    });
    extended.write("n", 1).await;
    extended.clock.advance(30_000);
    let reply = extended.write("n", 2).await;
    assert!(reply.lines().is_empty(), "a change alone does not extend it");
    extended.clock.advance(5_000);
    let reply = extended.visit(async |session: Session| session.touch()).await;
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:14:55 GMT"),
        "{:?}",
        reply.lines()
    );
}
