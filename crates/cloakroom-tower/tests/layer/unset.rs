//! `unset` and then a new session in the same request.

use cloakroom_core::{Enumerate, Store};
use cloakroom_tower::{Session, Unset};
use http::{Request, StatusCode};

use crate::site::Site;

/// A site whose browser has a session with `n`.
async fn filled(unset: Unset) -> Site {
    let site = Site::with(|options| options.unset = unset);
    site.write("n", 1).await;
    site.store.calls();
    site
}

#[tokio::test]
async fn a_failed_request_leaves_an_unset_session_and_its_cookie_as_they_were() {
    for unset in [Unset::Keep, Unset::Destroy] {
        let site = filled(unset).await;
        let cookie = site.cookie.lock().unwrap().clone().unwrap();
        let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
        let reply = site
            .respond(request, async |session: Option<Session>| {
                let session = session.unwrap();
                session.unset().unwrap();
                session.regenerate().await.unwrap();
                session.insert("user", 7).unwrap();
                (StatusCode::INTERNAL_SERVER_ERROR, String::new())
            })
            .await;
        assert!(reply.lines().is_empty(), "{:?}", reply.lines());
        assert_eq!(site.store.calls(), ["get_and_touch"]);
        assert_eq!(site.member("n").await, Some(1));
    }
}

#[tokio::test]
async fn a_new_session_in_place_of_an_unset_one_is_undone() {
    for unset in [Unset::Keep, Unset::Destroy] {
        let site = filled(unset).await;
        let old = site.sid();
        let reply = site
            .visit(async |session: Session| {
                session.insert("n", 2)?;
                session.unset()?;
                session.regenerate().await?;
                session.insert("user", 7)?;
                session.rollback().await?;
                assert_eq!((session.get("n")?, session.is_new()), (Some(1), false));
                Ok(())
            })
            .await;
        assert!(reply.lines().is_empty(), "{:?}", reply.lines());
        assert_eq!(site.store.calls(), ["get_and_touch"]);
        assert_eq!(site.record(&old).await.unwrap().get("n").unwrap(), Some(1));
    }
}

#[tokio::test]
async fn a_new_session_takes_the_place_of_an_unset_one() {
    for unset in [Unset::Keep, Unset::Destroy] {
        let site = filled(unset).await;
        let old = site.sid();
        let reply = site
            .visit(async |session: Session| {
                session.unset()?;
                session.regenerate().await?;
                session.insert("user", 7)
            })
            .await;
        assert_eq!(reply.lines().len(), 1);
        assert!(site.store.memory().get(&old).await.unwrap().is_none());
        assert_eq!((site.member("n").await, site.member("user").await), (None, Some(7)));
        assert_eq!(site.store.memory().length().await.unwrap(), 1);
    }
}
