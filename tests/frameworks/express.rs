//! A real Express app and an actix-web app on one Redis: one login, served by both in turns.

use cloakroom::{ExpressSession, Secrets, open};
use cloakroom_actix::SessionMiddleware;
use cloakroom_test_support::{NodeProgram, RedisServer};
use serde_json::{Value, json};

use crate::server::{Browser, Server};

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn a_login_is_shared_by_express_and_actix_web() {
    let redis = RedisServer::start().unwrap();
    let node = ["--url", &redis.url(), "--secret", "keyboard cat"];
    let node = NodeProgram::start("app.mjs", &node, &[]).unwrap();
    let ready: Value = node.ready().parse().unwrap();
    let express = format!("http://127.0.0.1:{}", ready["port"]);
    let session = |text: String| text.parse::<Value>().unwrap()["session"].clone();

    let presets: [fn(ExpressSession, Secrets) -> SessionMiddleware; 2] =
        [SessionMiddleware::new, SessionMiddleware::express];
    for preset in presets {
        let store = open(&redis.url()).unwrap();
        let actix = Server::start(3, preset(store, Secrets::new(["keyboard cat"]).unwrap()));
        let mut ada = Browser::new("");
        ada.get(&format!("{express}/login?user=ada"));
        for _ in 0..3 {
            let mut tab = Browser::new(&ada.cookie);
            assert_eq!(tab.get(&actix.url), "ada has []", "each worker knows her");
        }
        ada.get(&format!("{}/buy/tea", actix.url));
        let seen = session(ada.get(&express));
        assert_eq!((&seen["user"], &seen["cart"]), (&json!("ada"), &json!(["tea"])));

        let mut old = Browser::new(&ada.cookie);
        ada.get(&format!("{}/login/grace", actix.url));
        assert_ne!(ada.cookie, old.cookie, "a login has a new id");
        let seen = session(ada.get(&express));
        assert_eq!((&seen["user"], &seen["cart"]), (&json!("grace"), &json!(["tea"])));
        assert_eq!(session(old.get(&express)).get("user"), None, "the old id leads nowhere");

        let late = ada.cookie.clone();
        ada.get(&format!("{express}/logout"));
        assert_eq!(Browser::new(&late).get(&actix.url), "nobody has []");

        ada.get(&format!("{}/login/ada", actix.url));
        let late = ada.cookie.clone();
        ada.get(&format!("{}/logout", actix.url));
        assert_eq!(session(Browser::new(&late).get(&express)).get("user"), None);
    }
}
