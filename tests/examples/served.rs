//! The examples that serve one app, walked through as a browser does it: `axum_app`, `actix_app`, `hyper_app`,
//! `websocket`.

use cloakroom_test_support::{Example, RedisServer};
use tungstenite::{ClientRequestBuilder, Message, stream::MaybeTlsStream};
use ureq::http::Response;

/// A browser with one cookie.
pub(crate) struct Browser {
    http: ureq::Agent,
    url: String,
    pub(crate) cookie: String,
}

impl Browser {
    pub(crate) fn new(url: &str) -> Self {
        let http = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { http: http.build().into(), url: url.to_owned(), cookie: String::new() }
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        let url = format!("{}{path}", self.url);
        let response = self.http.get(url).header("cookie", &self.cookie).call().unwrap();
        self.seen(response)
    }

    pub(crate) fn post(&mut self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let url = format!("{}{path}", self.url);
        let request = self.http.post(url).header("cookie", &self.cookie);
        let response = request.send_form(form.iter().copied()).unwrap();
        self.seen(response)
    }

    /// The status, and the body or where it leads. The cookie is kept as a browser would.
    fn seen(&mut self, mut response: Response<ureq::Body>) -> (u16, String) {
        let text =
            |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(cookie) = text("set-cookie") {
            let is_cleared = cookie.contains("Expires=Thu, 01 Jan 1970");
            let pair = cookie.split(';').next().unwrap().to_owned();
            self.cookie = if is_cleared { String::new() } else { pair };
        }
        let location = text("location");
        let status = response.status().as_u16();
        (status, location.unwrap_or_else(|| response.body_mut().read_to_string().unwrap()))
    }
}

fn walk_through(url: &str) {
    let mut ann = Browser::new(url);
    assert_eq!(ann.get("/account"), (303, "/".to_owned()), "a guest has no account");
    assert_eq!(ann.get("/"), (200, "view 1\n".to_owned()));
    assert_eq!(ann.get("/"), (200, "view 2\n".to_owned()));

    let guest = Browser { cookie: ann.cookie.clone(), ..Browser::new(url) };
    assert_eq!(ann.post("/login", &[("user", "ann")]), (303, "/account".to_owned()));
    assert_ne!(ann.cookie, guest.cookie, "a login has a new id");
    assert_eq!(ann.get("/account"), (200, "the account of ann\n".to_owned()));
    assert_eq!(ann.get("/"), (200, "view 3\n".to_owned()), "what the guest had is there");

    let mut thief = guest;
    assert_eq!(thief.get("/account").0, 303, "the id from before the login is worth nothing");

    let mut late = Browser { cookie: ann.cookie.clone(), ..Browser::new(url) };
    assert_eq!(ann.post("/logout", &[]), (303, "/".to_owned()));
    assert_eq!(ann.cookie, "", "the browser has forgotten the cookie");
    assert_eq!(late.get("/account").0, 303, "and the cookie leads nowhere");
}

#[test]
fn a_newcomer_logs_in_and_out() {
    for app in ["axum_app", "actix_app"] {
        walk_through(Example::start(app, &[]).unwrap().url());
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_newcomer_logs_in_and_out_on_redis() {
    let redis = RedisServer::start().unwrap();
    for app in ["axum_app", "actix_app"] {
        walk_through(Example::start(app, &[&redis.url()]).unwrap().url());
    }
}

#[test]
fn plain_hyper_has_sessions_without_tower() {
    let app = Example::start("hyper_app", &[]).unwrap();
    let mut ann = Browser::new(app.url());
    assert_eq!(ann.get("/"), (200, "hello stranger\n".to_owned()));
    assert_eq!(ann.cookie, "", "nothing to remember, nothing stored");
    assert_eq!(ann.post("/login", &[]), (200, "welcome\n".to_owned()));
    assert_eq!(ann.get("/"), (200, "hello ann\n".to_owned()));

    let mut late = Browser { cookie: ann.cookie.clone(), ..Browser::new(app.url()) };
    assert_eq!(ann.post("/logout", &[]), (200, "bye\n".to_owned()));
    assert_eq!(ann.cookie, "");
    assert_eq!(late.get("/"), (200, "hello stranger\n".to_owned()));
}

#[test]
#[ignore = "needs redis-server"]
fn plain_hyper_answers_503_when_the_store_is_away() {
    let mut redis = RedisServer::start().unwrap();
    let app = Example::start("hyper_app", &[&redis.url()]).unwrap();
    let mut ann = Browser::new(app.url());
    ann.post("/login", &[]);
    redis.stop();
    assert_eq!(ann.get("/").0, 503);
    redis.restart_empty().unwrap();
    assert_eq!(ann.get("/"), (200, "hello stranger\n".to_owned()));
}

/// Its new session is stored, and the old one cannot be ended; after a lost connection, that one can be gone.
#[test]
#[ignore = "needs redis-server"]
fn plain_hyper_sends_the_cookie_of_a_login_that_is_stored_although_its_request_fails() {
    let redis = RedisServer::start().unwrap();
    let app = Example::start("hyper_app", &[&redis.url()]).unwrap();
    let mut ann = Browser::new(app.url());
    ann.post("/login", &[]);
    let first = ann.cookie.clone();
    let mut server = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    redis::cmd("ACL").arg("SETUSER").arg("default").arg("-del").exec(&mut server).unwrap();
    assert_eq!(ann.post("/login", &[]).0, 500);
    assert_ne!(ann.cookie, first);
    assert_eq!(ann.get("/"), (200, "hello ann\n".to_owned()));
}

type Socket = tungstenite::WebSocket<MaybeTlsStream<std::net::TcpStream>>;

/// An upgrade as a page of this origin asks for it: the socket, or the status of the refusal.
fn connect(app: &Example, browser: &Browser, origin: &str) -> Result<Socket, u16> {
    let uri = format!("{}/socket", app.url().replace("http:", "ws:")).parse().unwrap();
    let request = ClientRequestBuilder::new(uri)
        .with_header("cookie", &browser.cookie)
        .with_header("origin", origin);
    match tungstenite::connect(request) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

fn say(socket: &mut Socket, text: &str) -> Message {
    socket.send(Message::text(text)).unwrap();
    socket.read().unwrap()
}

#[test]
fn a_socket_is_for_those_who_are_logged_in_and_ends_after_a_logout() {
    let app = Example::start("websocket", &[]).unwrap();
    let mut ann = Browser::new(app.url());
    assert_eq!(connect(&app, &ann, app.url()).unwrap_err(), 401);
    ann.cookie = "connect.sid=s%3Aforged.signature".to_owned();
    assert_eq!(connect(&app, &ann, app.url()).unwrap_err(), 401);

    ann.post("/login", &[("user", "ann")]);
    assert_eq!(connect(&app, &ann, "http://elsewhere.example").unwrap_err(), 403);
    let mut socket = connect(&app, &ann, app.url()).unwrap();
    assert_eq!(say(&mut socket, "hello"), Message::text("ann: hello"));
    assert_eq!(say(&mut socket, "again"), Message::text("ann: again"));

    let cookie = ann.cookie.clone();
    ann.post("/logout", &[]);
    let Message::Close(Some(end)) = say(&mut socket, "still there?") else {
        panic!("the socket stays open after a logout")
    };
    assert_eq!((u16::from(end.code), end.reason.as_str()), (1008, "not logged in"));
    ann.cookie = cookie;
    assert_eq!(connect(&app, &ann, app.url()).unwrap_err(), 401, "the old cookie opens none");
}
