//! Layers inside of each other and side by side: each finds its own session.

use std::sync::{Arc, Mutex};

use cloakroom_core::{Clock, ErrorKind, MemoryStore, Secrets, Store};
use cloakroom_tower::{LazySession, RequireSession, Session, SessionLayer, SessionOptions};
use http::{HeaderMap, Request, Response, StatusCode, header::SET_COOKIE};
use tower::{Layer, ServiceExt, service_fn};

use crate::{log::Log, site::NOW};

fn layer(name: &str, change: impl FnOnce(&mut SessionOptions)) -> SessionLayer {
    layer_on(MemoryStore::new(), name, change)
}

fn layer_on(
    store: impl Store + 'static,
    name: &str,
    change: impl FnOnce(&mut SessionOptions),
) -> SessionLayer {
    let mut options = SessionOptions::new();
    options.ids.cookie_name = name.to_owned();
    change(&mut options);
    let secrets = Secrets::new([format!("the secret of {name}")]).unwrap();
    options.layer(store, secrets).unwrap()
}

fn request(path: &str, cookies: &[&str]) -> Request<()> {
    let mut request = Request::get(path);
    for cookie in cookies {
        request = request.header("cookie", *cookie);
    }
    request.body(()).unwrap()
}

/// The cookies of a response, as the browser sends them back.
fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(SET_COOKIE).iter();
    lines.map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

/// A cookie of a session of this layer with one member.
async fn login(layer: &SessionLayer, path: &str) -> String {
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap();
        session.insert("user", "ann").unwrap();
        Ok::<_, std::io::Error>(Response::new(()))
    }));
    let response = service.oneshot(request(path, &[])).await.unwrap();
    cookies(response.headers()).remove(0)
}

#[tokio::test]
async fn each_engine_finds_its_own_session_and_the_innermost_is_the_handlers() {
    each_finds_its_own(layer("shop", |_| {}), layer("admin", |_| {})).await;
    let express = |name| {
        layer(name, |options| {
            *options = SessionOptions::express();
            options.ids.cookie_name = name.to_owned();
        })
    };
    each_finds_its_own(express("shop"), express("admin")).await;
}

async fn each_finds_its_own(shop: SessionLayer, admin: SessionLayer) {
    let engines = (shop.engine().clone(), admin.engine().clone());
    let service = shop.layer(admin.layer(service_fn(move |request: Request<()>| {
        let (shop, admin) = engines.clone();
        async move {
            let session = request.extensions().get::<Session>().unwrap();
            session.insert("in", "admin").unwrap();
            let lazy = |engine: &cloakroom_tower::SessionEngine| {
                engine.lazy_session(request.extensions()).unwrap()
            };
            let (outer, inner) = (lazy(&shop).get().await, lazy(&admin).get().await);
            assert_eq!(inner.unwrap().unwrap().id(), session.id());
            outer.unwrap().unwrap().insert("in", "shop").unwrap();
            Ok::<_, std::io::Error>(Response::new(()))
        }
    })));
    let response = service.oneshot(request("/", &[])).await.unwrap();
    let cookies = cookies(response.headers());
    assert!(cookies[0].starts_with("admin=") && cookies[1].starts_with("shop="), "{cookies:?}");
    for (layer, cookie, name) in [(&admin, &cookies[0], "admin"), (&shop, &cookies[1], "shop")] {
        let session = layer.engine().load((&request("/", &[cookie])).into()).await.unwrap();
        assert_eq!(session.unwrap().get::<String>("in").unwrap().as_deref(), Some(name));
    }
}

#[tokio::test]
async fn a_guard_asks_the_engine_that_it_belongs_to() {
    let (shop, admin) = (layer("shop", |_| {}), layer("admin", |_| {}));
    let customer = login(&shop, "/").await;
    let guard = RequireSession::json().with_member("user");
    let page = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(())));
    let inside = shop.layer(admin.layer(guard.layer(page)));
    let response = inside.oneshot(request("/", &[&customer])).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "a customer on the admin page");

    let between = shop.layer(guard.layer(admin.layer(page)));
    let response = between.oneshot(request("/", &[&customer])).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "the guard stands before the inner layer");

    let named = guard.with_engine(shop.engine());
    let response = shop
        .layer(admin.layer(named.layer(page)))
        .oneshot(request("/", &[&customer]))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK, "it was told whom to ask");
    let admin_alone = admin.layer(named.layer(page));
    let response = admin_alone.oneshot(request("/", &[&customer])).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "that engine is not here");
}

#[tokio::test]
async fn a_store_that_is_disconnected_lets_no_other_session_in() {
    let shop = layer("shop", |_| {});
    let admin = layer("admin", |options| options.failure.is_connected = Some(Arc::new(|| false)));
    let customer = login(&shop, "/").await;
    let guard = RequireSession::json();
    let page = service_fn(async |request: Request<()>| {
        assert!(request.extensions().get::<Session>().is_none());
        let lazy = request.extensions().get::<LazySession>().unwrap();
        assert!(lazy.get().await.unwrap().is_none());
        Ok::<_, std::io::Error>(Response::new(()))
    });
    let open = shop.layer(admin.layer(page));
    assert_eq!(open.oneshot(request("/", &[&customer])).await.unwrap().status(), StatusCode::OK);
    let guarded = shop.layer(admin.layer(guard.layer(page)));
    let response = guarded.oneshot(request("/", &[&customer])).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

/// As in Express: where a layer's cookie does not go, the layer is not there. A guard has to be told whom to ask.
#[tokio::test]
async fn engines_of_different_paths_stand_side_by_side_in_one_stack() {
    let shop = layer("shop", |options| options.cookie.path = Some("/shop".to_owned()));
    let admin = layer("admin", |options| options.cookie.path = Some("/admin".to_owned()));
    let (customer, clerk) = (login(&shop, "/shop").await, login(&admin, "/admin").await);
    let guard = RequireSession::json().with_member("user");
    let for_shop = guard.clone().with_engine(shop.engine()).with_paths(["/shop"]);
    let for_admin = guard.with_engine(admin.engine()).without_paths(["/shop"]);
    let page = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(())));
    for (path, cookie, is_in) in [
        ("/shop", &customer, true),
        ("/shop", &clerk, false),
        ("/admin", &clerk, true),
        ("/admin", &customer, false),
        ("/", &customer, false),
    ] {
        let both = shop.layer(admin.layer(for_shop.layer(for_admin.layer(page))));
        let status = both.oneshot(request(path, &[cookie])).await.unwrap().status();
        let expected = if is_in { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, expected, "{path} {cookie}");
    }
}

/// The page is not below the path of the admin's cookie, and the customer is logged in at the outer layer.
#[tokio::test]
async fn a_guard_below_a_layer_of_another_path_lets_no_other_session_in() {
    use cloakroom_tower::{Loading, Preset};
    type Change = fn(&mut SessionOptions);
    let presets: [Change; 3] = [
        |_| {},
        |options| options.loading = Loading::OnDemand,
        |options| {
            let name = std::mem::take(&mut options.ids.cookie_name);
            *options = SessionOptions::express();
            options.ids.cookie_name = name;
        },
    ];
    for (outer, inner) in [(0, 0), (1, 1), (2, 2), (0, 2), (2, 1), (1, 0)] {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let shop = layer("shop", presets[outer]);
        let admin = layer("admin", |options| {
            presets[inner](options);
            options.cookie.path = Some("/admin".to_owned());
            let told = Arc::clone(&told);
            options.failure.on_error = Some(Arc::new(move |error: &cloakroom_core::Error| {
                told.lock().unwrap().push(error.to_string());
            }));
        });
        assert_eq!(shop.engine().options().preset == Preset::Express, outer == 2);
        let customer = shop.engine().load((&request("/", &[])).into()).await.unwrap().unwrap();
        customer.insert("user", "ann").unwrap();
        let line = shop.engine().commit(&customer).await.unwrap().unwrap();
        let customer = line.to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(())));
        let ask = async |guard: &RequireSession, path: &str| {
            let service = shop.layer(admin.layer(guard.layer(page)));
            service.oneshot(request(path, &[&customer])).await.unwrap().status()
        };
        for guard in [
            RequireSession::json(),
            RequireSession::json().with_member("user"),
            RequireSession::redirect("/login").unwrap(),
        ] {
            assert_eq!(ask(&guard, "/secret").await, StatusCode::INTERNAL_SERVER_ERROR);
            let told = std::mem::take(&mut *told.lock().unwrap());
            assert!(told.len() == 1 && told[0].contains("with_engine"), "{told:?}");
            assert!(!ask(&guard, "/admin").await.is_success());
            let of_admin = guard.clone().with_engine(admin.engine());
            assert!(!ask(&of_admin, "/secret").await.is_success());
            let of_shop = guard.clone().with_engine(shop.engine());
            assert_eq!(ask(&of_shop, "/secret").await, StatusCode::OK);
        }
        assert!(told.lock().unwrap().is_empty(), "a guard that names an engine is in place");
    }
}

/// A layer that has served the request further out counts where it stands, too.
#[tokio::test]
async fn a_guard_below_a_layer_that_serves_further_out_does_not_ask_the_one_in_between() {
    let (shop, admin) = (layer("shop", |_| {}), layer("admin", |_| {}));
    let (customer, clerk) = (login(&shop, "/").await, login(&admin, "/").await);
    let guard = RequireSession::json().with_member("user");
    let page = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(())));
    let twice = shop.layer(shop.clone().layer(guard.layer(page)));
    let response = twice.oneshot(request("/", &[&customer])).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let around = shop.layer(admin.layer(shop.layer(guard.layer(page))));
    let response = around.oneshot(request("/", &[&clerk])).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_layer_that_is_there_twice_serves_once() {
    let shop = layer("shop", |options| options.save_uninitialized = true);
    let page = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(())));
    let twice = shop.layer(shop.clone().layer(page));
    let response = twice.oneshot(request("/", &[])).await.unwrap();
    assert_eq!(cookies(response.headers()).len(), 1);
}

/// As in Express, where it stands for a `req.session` that another middleware has set.
#[tokio::test]
async fn the_express_preset_leaves_a_session_alone_that_was_put_there_by_hand() {
    let by_hand = layer("hand", |_| {});
    let express = layer("shop", |options| {
        *options = SessionOptions::express();
        options.ids.cookie_name = "shop".to_owned();
    });
    for (layer, is_kept) in [(express, true), (layer("safe", |_| {}), false)] {
        let session = by_hand.engine().load((&request("/", &[])).into()).await.unwrap().unwrap();
        let mut request = request("/", &[]);
        let id = session.id();
        request.extensions_mut().insert(session);
        let page = service_fn(move |request: Request<()>| {
            let is_same = request.extensions().get::<Session>().unwrap().id() == id;
            async move {
                assert_eq!(is_same, is_kept);
                Ok::<_, std::io::Error>(Response::new(()))
            }
        });
        layer.layer(page).oneshot(request).await.unwrap();
    }
}

/// The session of the inner layer has moved by then, and only its cookie leads to the new id.
#[tokio::test]
async fn the_error_response_of_an_outer_layer_keeps_the_cookies_of_the_inner_one() {
    for rotates in [true, false] {
        let store = Log::new(&Clock::fixed(NOW));
        let shop = layer_on(store.clone(), "shop", |_| {});
        let admin = layer("admin", |_| {});
        let (customer, clerk) = (login(&shop, "/").await, login(&admin, "/").await);
        let engine = shop.engine().clone();
        let page = service_fn(move |request: Request<()>| {
            let (engine, store) = (engine.clone(), store.clone());
            async move {
                let inner = request.extensions().get::<Session>().unwrap();
                if rotates {
                    inner.regenerate_keeping_data().await.unwrap();
                } else {
                    inner.destroy().await.unwrap();
                }
                let outer = engine.lazy_session(request.extensions()).unwrap().get().await.unwrap();
                outer.unwrap().insert("n", 1).unwrap();
                store.fail(&["update"], ErrorKind::Unavailable);
                Ok::<_, std::io::Error>(Response::new(()))
            }
        });
        let both = shop.layer(admin.layer(page));
        let response = both.oneshot(request("/", &[&customer, &clerk])).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let cookies = cookies(response.headers());
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        let seen = admin.engine().load((&request("/", &[&cookies[0]])).into()).await.unwrap();
        assert_eq!(seen.unwrap().is_new(), !rotates);
    }
}
