//! All members at once: read as a type, removed, and taken back.

use cloakroom_core::{ErrorKind, Secrets, SessionData, Store};
use cloakroom_tower::{Session, SessionOptions};
use futures::executor::block_on;
use serde::Deserialize;

use crate::site::{MINUTE, Site};

fn express() -> Site {
    let mut options = SessionOptions::express();
    (options.resave, options.save_uninitialized) = (false, false);
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    Site::with_all(options, secrets, |store| store, |_| {})
}

#[derive(Debug, Deserialize, PartialEq)]
struct Cart {
    user: String,
    #[serde(default)]
    items: Vec<u32>,
}

/// Changes of every kind, which a rollback undoes.
fn change_all(session: &Session) -> Result<(), cloakroom_core::Error> {
    session.insert("n", 7)?;
    session.modify("count", |count: Option<u32>| count.unwrap_or_default() + 1)?;
    session.remove::<i32>("m")?;
    session.set_max_age(MINUTE)?;
    session.set_end_after(MINUTE)?;
    session.touch()
}

async fn fill(site: &Site) -> String {
    site.visit(async |session| session.insert("n", 1).and(session.insert("m", 1))).await;
    site.store.calls();
    let sid = site.sid();
    site.record(&sid).await.unwrap().to_json().into_owned()
}

#[tokio::test]
async fn a_session_is_read_as_a_type_as_it_is_now() {
    let site = Site::new();
    site.visit(async |session| {
        session.insert("user", "ann")?;
        session.set_end_after(MINUTE)
    })
    .await;
    site.visit(async |session| {
        session.insert("items", [1, 2])?;
        assert_eq!(session.read::<Cart>()?, Cart { user: "ann".to_owned(), items: vec![1, 2] });
        session.insert("items", "SECRET")?;
        let error = session.read::<Cart>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("member \"items\" does not fit"), "{error}");
        assert!(!format!("{error:?}").contains("SECRET"));
        session.clear()?;
        let error = session.read::<Cart>().unwrap_err();
        assert!(error.to_string().contains("member \"user\" is missing"), "{error}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn clear_removes_all_members_and_keeps_id_and_cookie() {
    for site in [Site::for_a_minute(), express()] {
        fill(&site).await;
        let (sid, cookie) = (site.sid(), site.record(&site.sid()).await.unwrap().cookie().clone());
        site.visit(async |session| {
            session.insert("new", 1)?;
            session.clear()?;
            session.insert("after", 1)
        })
        .await;
        let record = site.record(&sid).await.unwrap();
        assert_eq!(site.sid(), sid);
        assert_eq!(*record.cookie(), cookie);
        assert_eq!(
            record.iter().map(|member| member.name().to_owned()).collect::<Vec<_>>(),
            ["after"]
        );
    }
}

/// A change that runs again because another request has written would bring its member back.
#[tokio::test]
async fn what_was_cleared_stays_so_when_another_request_has_written() {
    let site = Site::new();
    fill(&site).await;
    let sid = site.sid();
    site.store.before("update", move |memory| {
        let mut theirs = block_on(memory.get(&sid)).unwrap().unwrap();
        theirs.insert("m", 2).and(theirs.insert("theirs", 1)).unwrap();
        block_on(memory.set(&sid, &theirs)).unwrap();
    });
    site.visit(async |session| {
        session.modify("n", |n: Option<i32>| n.unwrap_or_default() + 1)?;
        session.clear()
    })
    .await;
    let record = site.record(&site.sid()).await.unwrap();
    assert_eq!(
        record.iter().map(|member| member.name().to_owned()).collect::<Vec<_>>(),
        ["theirs"]
    );
}

#[tokio::test]
async fn a_new_session_that_is_rolled_back_is_not_stored_and_no_cookie_is_sent() {
    for site in [Site::new(), express()] {
        let reply = site
            .visit(async |session| {
                change_all(&session)?;
                session.rollback().await?;
                assert!(session.is_new());
                assert!(session.with(SessionData::is_empty)?);
                Ok(())
            })
            .await;
        assert!(reply.lines().is_empty(), "{:?}", reply.lines());
        assert!(site.store.calls().is_empty());
    }
}

#[tokio::test]
async fn a_stored_session_that_is_rolled_back_is_as_it_was_loaded() {
    for (site, calls) in [(Site::new(), &["get_and_touch"][..]), (express(), &["get", "touch"])] {
        let text = fill(&site).await;
        let reply = site
            .visit(async |session| {
                change_all(&session)?;
                session.rollback().await?;
                assert_eq!(session.get("n")?, Some(1));
                Ok(())
            })
            .await;
        assert!(reply.lines().is_empty(), "{:?}", reply.lines());
        assert_eq!(site.store.calls(), calls);
        assert_eq!(site.record(&site.sid()).await.unwrap().to_json(), text);
    }
}

#[tokio::test]
async fn a_new_id_is_rolled_back_too() {
    for keeps_data in [false, true] {
        let site = Site::new();
        let text = fill(&site).await;
        let sid = site.sid();
        let reply = site
            .visit(async move |session| {
                let id = session.id();
                session.insert("n", 2)?;
                for _ in 0..2 {
                    match keeps_data {
                        true => session.regenerate_keeping_data().await?,
                        false => session.regenerate().await?,
                    }
                }
                change_all(&session)?;
                session.rollback().await?;
                assert_eq!((session.id(), session.is_new()), (id, false));
                assert_eq!(session.get("n")?, Some(1));
                Ok(())
            })
            .await;
        assert!(reply.lines().is_empty(), "{:?}", reply.lines());
        assert_eq!(site.store.calls(), ["get_and_touch"]);
        assert_eq!(site.record(&sid).await.unwrap().to_json(), text);
        // What follows a rollback is written to the session that was loaded.
        site.visit(async |session| {
            session.regenerate().await?;
            session.rollback().await?;
            session.insert("n", 3)
        })
        .await;
        assert_eq!((site.sid(), site.member("n").await), (sid, Some(3)));
    }
}

#[tokio::test]
async fn a_rollback_goes_back_to_what_was_saved_by_hand() {
    for site in [Site::new(), express()] {
        fill(&site).await;
        site.visit(async |session| {
            session.insert("n", 2)?;
            session.save().await?;
            session.insert("n", 3)?;
            session.rollback().await
        })
        .await;
        assert_eq!(site.member("n").await, Some(2));
    }
    let site = Site::new();
    fill(&site).await;
    site.visit(async |session| {
        session.regenerate().await?;
        session.insert("n", 2)?;
        session.save().await?;
        let id = session.id();
        session.insert("n", 3)?;
        session.rollback().await?;
        assert_eq!(session.id(), id);
        Ok(())
    })
    .await;
    assert_eq!(site.member("n").await, Some(2));
}

#[tokio::test]
async fn what_has_ended_is_not_rolled_back() {
    for site in [Site::new(), express()] {
        fill(&site).await;
        site.visit(async |session| {
            session.unset()?;
            assert_eq!(session.rollback().await.unwrap_err().kind(), ErrorKind::Unsupported);
            session.regenerate().await?;
            session.destroy().await?;
            assert_eq!(session.rollback().await.unwrap_err().kind(), ErrorKind::Unsupported);
            Ok(())
        })
        .await;
    }
}

/// Express has destroyed the old one by then.
#[tokio::test]
async fn with_the_express_preset_a_regenerated_session_is_rolled_back_to_an_empty_one() {
    let site = express();
    fill(&site).await;
    let old = site.sid();
    site.visit(async |session| {
        session.regenerate().await?;
        session.insert("n", 2)?;
        session.rollback().await
    })
    .await;
    assert!(site.record(&old).await.is_none());
    assert!(site.record(&site.sid()).await.unwrap().is_empty());
}

#[tokio::test]
async fn with_the_express_preset_a_session_that_kept_its_data_is_rolled_back_to_it() {
    let site = express();
    fill(&site).await;
    site.visit(async |session| {
        session.regenerate_keeping_data().await?;
        session.insert("late", 2)?;
        session.rollback().await
    })
    .await;
    let record = site.record(&site.sid()).await.unwrap();
    assert!(!record.is_empty() && !record.contains("late"));
}
