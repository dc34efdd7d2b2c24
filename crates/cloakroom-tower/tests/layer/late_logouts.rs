//! A logout that comes second, and the new session that its request makes, as for a message such as "goodbye".

use cloakroom_core::{Enumerate, Error, Secrets};
use cloakroom_tower::{Session, SessionOptions};
use http::Request;

use crate::{log::Log, site::Site};

/// A site whose browser has a session, and a request that has loaded this session and is slow.
async fn with_slow_request(store: impl FnOnce(Log) -> Log) -> (Site, Session) {
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let site = Site::with_all(SessionOptions::new(), secrets, store, |_| {});
    site.write("n", 1).await;
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
    let slow = site.layer.engine().load((&request).into()).await.unwrap().unwrap();
    (site, slow)
}

async fn log_out(session: &Session) -> Result<(), Error> {
    session.destroy().await?;
    session.regenerate().await?;
    session.insert("goodbye", 1)
}

#[tokio::test]
async fn a_message_of_the_second_logout_leaves_a_newer_cookie_alone() {
    let stores: [fn(Log) -> Log; 2] = [|store| store, Log::without_atomic];
    for store in stores {
        for saves in [false, true] {
            let (site, slow) = with_slow_request(store).await;
            let reply = site.visit(async |session: Session| log_out(&session).await).await;
            assert_eq!(reply.lines().len(), 1, "the first one has its message");
            assert_eq!(site.member("goodbye").await, Some(1));
            site.visit(async |session: Session| {
                session.regenerate().await?;
                session.insert("user", 7)
            })
            .await;
            log_out(&slow).await.unwrap();
            if saves {
                assert!(!slow.save().await.unwrap());
            }
            assert_eq!(site.layer.engine().commit(&slow).await.unwrap(), None);
            let told = site.told();
            assert!(told.len() == 1 && told[0].contains("logged out"), "{told:?}");
            assert_eq!(site.member("user").await, Some(7));
        }
    }
}

/// Of two logouts at once, as after a double click, one answers with the message.
#[tokio::test]
async fn two_logouts_at_once_store_one_message() {
    let (site, slow) = with_slow_request(|store| store).await;
    site.visit(async |session: Session| log_out(&session).await).await;
    log_out(&slow).await.unwrap();
    assert_eq!(site.layer.engine().commit(&slow).await.unwrap(), None);
    let left = site.store.memory().length().await.unwrap();
    assert_eq!((left, site.member("goodbye").await), (1, Some(1)));
}

/// It asks for a new id, and means to.
#[tokio::test]
async fn a_login_after_the_second_logout_gets_its_cookie() {
    let (site, slow) = with_slow_request(|store| store).await;
    site.visit(async |session: Session| log_out(&session).await).await;
    log_out(&slow).await.unwrap();
    slow.regenerate().await.unwrap();
    slow.insert("user", 7).unwrap();
    assert!(site.layer.engine().commit(&slow).await.unwrap().is_some());
}

/// Whoever has only a dead cookie cannot be kept from logging in by the logout that ended it.
#[tokio::test]
async fn a_login_that_destroys_first_gets_its_cookie_with_a_dead_one() {
    let (site, _) = with_slow_request(|store| store).await;
    let dead = site.cookie.lock().unwrap().clone();
    site.visit(async |session: Session| session.destroy().await).await;
    *site.cookie.lock().unwrap() = dead;
    let reply = site
        .visit(async |session: Session| {
            session.destroy().await?;
            session.regenerate().await?;
            session.insert("user", 7)
        })
        .await;
    assert_eq!((reply.lines().len(), site.member("user").await), (1, Some(7)));
}
