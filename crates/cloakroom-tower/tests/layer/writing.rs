//! What is written, in which order, and what is not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use cloakroom_core::{ErrorKind, Store};
use cloakroom_tower::{Session, TouchAfter, Unset};
use http::StatusCode;

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
    assert_eq!(site.store.calls(), ["get", "get", "set"]);
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
    for calls in [vec!["set"], vec!["get", "get", "set"]] {
        site.visit(async |session: Session| {
            session.modify("n", |n: Option<i32>| n.unwrap_or_default() + 1)?;
            session.save().await.map(drop)
        })
        .await;
        assert_eq!(site.store.calls(), calls);
    }
    assert_eq!(site.member("n").await, Some(2));
}

#[tokio::test]
async fn a_new_id_is_stored_before_the_old_one_is_destroyed() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.calls();
    let reply = site
        .visit(async |session: Session| {
            session.regenerate().await?;
            assert!(session.is_new() && session.get::<i32>("n")?.is_none());
            session.insert("user", 7)
        })
        .await;
    assert_eq!(site.store.calls(), ["get_and_touch", "create", "destroy"]);
    assert_eq!(reply.lines().len(), 1);
    assert_ne!(site.sid(), old);
    assert!(site.record(&old).await.is_none());
    assert_eq!((site.member("user").await, site.member("n").await), (Some(7), None));
}

/// As in Express, whatever `saveUninitialized` says: the browser's old id is worth nothing now.
#[tokio::test]
async fn a_new_id_is_stored_even_if_its_session_is_empty() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.calls();
    let reply = site.visit(async |session: Session| session.regenerate().await).await;
    assert_eq!(site.store.calls(), ["get_and_touch", "create", "destroy"]);
    assert_eq!(reply.lines().len(), 1);
    let site = Site::new();
    site.visit(async |session: Session| session.regenerate().await).await;
    assert!(site.store.calls().is_empty(), "there was no old one");
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
async fn a_login_that_cannot_be_stored_costs_nobody_the_old_session() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.fail(&["create"], ErrorKind::Unavailable);
    let reply = site
        .visit(async |session: Session| {
            session.regenerate().await?;
            session.insert("user", 7)
        })
        .await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.lines().is_empty());
    assert_eq!(site.member("n").await, Some(1));
    assert_eq!(site.told(), ["log: create: told to fail"]);
}

#[tokio::test]
async fn a_new_id_can_keep_the_data_and_what_others_add_to_it() {
    let site = Site::for_a_minute();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.calls();
    let memory = site.store.memory().clone();
    let sid = old.clone();
    site.visit(move |session: Session| {
        let (memory, sid) = (memory.clone(), sid.clone());
        async move {
            session.insert("mine", 2)?;
            session.regenerate_keeping_data().await?;
            let mut theirs = memory.get(&sid).await?.unwrap();
            theirs.insert("theirs", 3)?;
            memory.set(&sid, &theirs).await
        }
    })
    .await;
    // The old record ends by a write that others could not have come between.
    assert_eq!(site.store.calls(), ["get_and_touch", "get", "create", "update", "destroy"]);
    assert_ne!(site.sid(), old);
    assert!(site.record(&old).await.is_none());
    for (name, value) in [("n", 1), ("mine", 2), ("theirs", 3)] {
        assert_eq!(site.member(name).await, Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_new_id_for_data_that_was_logged_out_meanwhile_is_not_stored() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    let (memory, sid) = (site.store.memory().clone(), old.clone());
    let reply = site
        .visit(move |session: Session| {
            let (memory, sid) = (memory.clone(), sid.clone());
            async move {
                session.regenerate_keeping_data().await?;
                memory.destroy(&sid).await
            }
        })
        .await;
    assert!(reply.lines().is_empty());
    use cloakroom_core::Enumerate;
    assert_eq!(site.store.memory().length().await.unwrap(), 0);
}

/// Another request comes between the steps in which the data moves to its new id.
#[tokio::test]
async fn nothing_comes_between_the_old_id_and_the_new_one() {
    for is_logout in [true, false] {
        let site = Site::new();
        site.write("n", 1).await;
        let old = site.sid();
        let sid = old.clone();
        site.store.before("create", move |memory| {
            if is_logout {
                return futures::executor::block_on(memory.destroy(&sid)).unwrap();
            }
            let mut theirs = futures::executor::block_on(memory.get(&sid)).unwrap().unwrap();
            theirs.insert("theirs", 3).unwrap();
            futures::executor::block_on(memory.set(&sid, &theirs)).unwrap();
        });
        let reply = site
            .visit(async |session: Session| {
                session.insert("mine", 2)?;
                session.regenerate_keeping_data().await
            })
            .await;
        use cloakroom_core::Enumerate;
        let length = site.store.memory().length().await.unwrap();
        assert!(site.record(&old).await.is_none());
        if is_logout {
            assert_eq!((length, reply.lines().len()), (0, 0));
        } else {
            assert_eq!((length, reply.lines().len()), (1, 1));
            for (name, value) in [("n", 1), ("mine", 2), ("theirs", 3)] {
                assert_eq!(site.member(name).await, Some(value), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn an_old_id_ends_whatever_life_the_store_gives() {
    let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
    let options = cloakroom_tower::SessionOptions::new();
    let site = Site::with_all(options, secrets, crate::log::Log::with_own_life, |_| {});
    site.write("n", 1).await;
    let old = site.sid();
    site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert!(site.record(&old).await.is_none());
    assert_eq!(site.member("n").await, Some(1));
}

/// It would be a session beside the one that the browser has, and outlive its logout.
#[tokio::test]
async fn a_new_id_whose_old_one_cannot_end_is_taken_back() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.fail(&["update"], ErrorKind::Unavailable);
    let reply = site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    use cloakroom_core::Enumerate;
    assert_eq!(site.store.memory().length().await.unwrap(), 1);
    assert!(site.record(&old).await.is_some());
}

#[tokio::test]
async fn a_new_id_that_is_stored_stays_the_sessions_when_the_old_one_cannot_be_destroyed() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    let store = site.store.clone();
    let reply = site
        .visit(async move |session: Session| {
            session.regenerate().await?;
            session.insert("user", 7)?;
            store.fail(&["destroy"], ErrorKind::Timeout);
            assert!(session.save().await.is_err());
            store.fail(&[], ErrorKind::Timeout);
            Ok(())
        })
        .await;
    assert_eq!(
        site.store.calls()[1..],
        ["get_and_touch", "create", "destroy", "update", "destroy"]
    );
    assert_eq!(reply.lines().len(), 1);
    assert!(site.record(&old).await.is_none());
    assert_eq!(site.member("user").await, Some(7));
}

#[tokio::test]
async fn an_old_id_ends_also_when_its_new_session_is_unset() {
    let site = Site::with(|options| options.unset = Unset::Keep);
    site.write("n", 1).await;
    let old = site.sid();
    let reply = site
        .visit(async |session: Session| {
            session.regenerate().await?;
            session.unset()
        })
        .await;
    assert!(site.record(&old).await.is_none());
    assert!(reply.lines()[0].starts_with("connect.sid=; "));
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
        ["session: commit: the session was destroyed meanwhile, and what was changed is dropped"]
    );
}

#[tokio::test]
async fn a_touch_extends_by_a_save_too() {
    let site = Site::with(|options| {
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.touch_after = TouchAfter::Never;
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
async fn an_id_that_is_taken_is_left_to_its_owner() {
    let made = Arc::new(AtomicUsize::new(0));
    let site = Site::with(|options| {
        // Each id twice: 0, 0, 1, 1, and so on.
        options.genid =
            Some(Arc::new(move |_| Ok((made.fetch_add(1, Ordering::Relaxed) / 2).to_string())));
    });
    site.write("n", 1).await;
    assert_eq!(site.sid(), "0");
    *site.cookie.lock().unwrap() = None;
    site.write("n", 2).await;
    assert_eq!(site.sid(), "1");
    assert_eq!(site.record("0").await.unwrap().get::<i32>("n").unwrap(), Some(1));
}

#[tokio::test]
async fn ids_that_are_always_taken_are_an_error() {
    let site = Site::with(|options| options.genid = Some(Arc::new(|_| Ok("same".to_owned()))));
    site.write("n", 1).await;
    *site.cookie.lock().unwrap() = None;
    let reply = site.write("n", 2).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(site.record("same").await.unwrap().get::<i32>("n").unwrap(), Some(1));
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
    assert_eq!(site.store.calls(), ["get_and_touch", "create", "destroy", "update"]);
}

#[tokio::test]
async fn a_save_of_a_session_that_is_gone_says_so() {
    let site = Site::new();
    site.write("n", 1).await;
    let (memory, sid) = (site.store.memory().clone(), site.sid());
    site.visit(move |session: Session| {
        let (memory, sid) = (memory.clone(), sid.clone());
        async move {
            memory.destroy(&sid).await?;
            session.insert("n", 2)?;
            assert!(!session.save().await?);
            assert!(!session.reload().await?);
            Ok(())
        }
    })
    .await;
    assert!(site.record(&site.sid()).await.is_none());
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
        options.touch_after = TouchAfter::Elapsed(std::time::Duration::from_secs(20));
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
        options.touch_after = TouchAfter::Never;
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
