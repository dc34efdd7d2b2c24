//! What an application's own tests take: a stored session, and the cookie that names it.

use cloakroom_core::{ErrorKind, Secrets};
use cloakroom_tower::{IdFormat, SessionOptions};
use http::Request;

use crate::site::{NOW, Site};

#[tokio::test]
async fn a_test_cookie_leads_to_the_session_that_was_filled() {
    let secrets = || Secrets::new(["keyboard cat"]).unwrap();
    let custom = IdFormat::Custom {
        encode: std::sync::Arc::new(|id| format!("v1;{id}=")),
        decode: std::sync::Arc::new(|value| {
            value.strip_prefix("v1;")?.strip_suffix('=').map(str::to_owned)
        }),
    };
    for (ids, options) in [
        (
            IdFormat::Signed(secrets()),
            SessionOptions::new().with_ids(|ids| ids.with_cookie_name("sid")),
        ),
        (
            IdFormat::Signed(secrets()),
            SessionOptions::express().with_ids(|ids| ids.with_cookie_name("sid")),
        ),
        (
            IdFormat::Fastify(secrets()),
            SessionOptions::new().with_ids(|ids| ids.with_cookie_name("sid")),
        ),
        (IdFormat::Plain, SessionOptions::next_session()),
        (custom, SessionOptions::next_session()),
    ] {
        let site = Site::with_all(options, ids, |store| store, |_| {});
        let engine = site.layer.engine();
        let cookie = engine
            .test_cookie(|session| {
                session.insert("user", "ann")?;
                session.set_ends_at_ms(Some(NOW + 60_000))
            })
            .await
            .unwrap();
        assert!(cookie.to_str().unwrap().starts_with("sid="), "{cookie:?}");
        let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
        let reply = site
            .send(request, async |session| {
                assert!(!session.is_new());
                assert_eq!(session.get::<String>("user")?.as_deref(), Some("ann"));
                assert_eq!(session.ends_at_ms()?, Some(NOW + 60_000));
                Ok(())
            })
            .await;
        assert_eq!(reply.body, "ok");
    }
}

#[tokio::test]
async fn what_cannot_be_filled_is_not_stored() {
    let site = Site::new();
    let error =
        site.layer.engine().test_cookie(|session| session.insert("save", 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    site.store.fail(&["set"], ErrorKind::Unavailable);
    let error = site.layer.engine().test_cookie(|_| Ok(())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(site.store.calls(), ["set"]);
}
