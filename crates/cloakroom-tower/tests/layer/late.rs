//! Requests that come late, or take long: after a logout they bring nothing back and leave a newer cookie alone.

use cloakroom_core::{Enumerate, Secrets};
use cloakroom_tower::{Session, SessionOptions};
use http::Request;

use crate::{log::Log, site::Site};

fn sites() -> [Site; 2] {
    let secrets = || Secrets::new(["keyboard cat"]).unwrap();
    [Site::new(), Site::with_all(SessionOptions::new(), secrets(), Log::without_atomic, |_| {})]
}

fn with_cookie(cookie: &str) -> Request<()> {
    Request::get("/").header("cookie", cookie).body(()).unwrap()
}

/// The browser may be logged in again.
#[tokio::test]
async fn a_write_with_the_cookie_of_a_session_that_was_logged_out_gets_none() {
    for site in sites() {
        for by_hand in [false, true] {
            *site.cookie.lock().unwrap() = None;
            site.write("n", 1).await;
            let old = site.cookie.lock().unwrap().clone().unwrap();
            site.visit(async |session: Session| session.destroy().await).await;
            site.told();
            let reply = site
                .send(with_cookie(&old), async move |session: Session| {
                    session.insert("flash", 1)?;
                    if by_hand {
                        assert!(!session.save().await?);
                    }
                    Ok(())
                })
                .await;
            assert_eq!((&*reply.body, reply.lines().len()), ("ok", 0));
            let told = site.told();
            assert!(told.len() == 1 && told[0].contains("logged out"), "{told:?}");
            assert_eq!(site.store.memory().length().await.unwrap(), 0);
            // Whoever logs in with it means to: the response to the logout may have been lost.
            let reply = site
                .send(with_cookie(&old), async |session: Session| {
                    session.regenerate().await?;
                    session.insert("user", 7)
                })
                .await;
            assert_eq!(reply.lines().len(), 1);
            site.clock.advance(61_000);
            let reply = site.send(with_cookie(&old), async |session| session.insert("n", 1)).await;
            assert_eq!(reply.lines().len(), 1);
            site.store.memory().clear().await.unwrap();
        }
    }
}

/// The handler carries the user over by hand, as Passport does with `keepSessionInfo`.
#[tokio::test]
async fn a_new_id_that_comes_when_the_marker_of_the_logout_is_gone_is_not_stored() {
    for keeps in [false, true] {
        for site in sites() {
            for saves in [false, true] {
                *site.cookie.lock().unwrap() = None;
                site.write("user", 7).await;
                let cookie = site.cookie.lock().unwrap().clone().unwrap();
                let request = with_cookie(&cookie);
                let engine = site.layer.engine();
                let slow = engine.load((&request).into()).await.unwrap().unwrap();
                site.visit(async |session: Session| session.destroy().await).await;
                site.clock.advance(61_000);
                let user = slow.get::<i32>("user").unwrap();
                if keeps {
                    slow.regenerate_keeping_data().await.unwrap();
                } else {
                    slow.regenerate().await.unwrap();
                }
                slow.insert("user", user).unwrap();
                if saves {
                    assert!(!slow.save().await.unwrap());
                }
                assert!(engine.commit(&slow).await.is_err(), "{keeps} {saves}");
                assert_eq!(site.store.memory().length().await.unwrap(), 0);
            }
        }
    }
}

/// A slow login whose session is there is one.
#[tokio::test]
async fn a_new_id_that_comes_late_for_a_session_that_lives_is_stored() {
    for site in sites() {
        site.write("n", 1).await;
        let cookie = site.cookie.lock().unwrap().clone().unwrap();
        let engine = site.layer.engine();
        let slow = engine.load((&with_cookie(&cookie)).into()).await.unwrap().unwrap();
        site.clock.advance(61_000);
        slow.regenerate().await.unwrap();
        slow.insert("user", 7).unwrap();
        assert!(engine.commit(&slow).await.unwrap().is_some());
        assert_eq!(site.store.memory().length().await.unwrap(), 1);
    }
}
