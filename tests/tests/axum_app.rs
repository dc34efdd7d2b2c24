//! The example `axum_app`, walked through as a browser does it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use cloakroom_test_support::{Example, RedisServer};
use ureq::http::Response;

/// A browser with one cookie.
struct Browser {
    http: ureq::Agent,
    url: String,
    cookie: String,
}

impl Browser {
    fn new(url: &str) -> Self {
        let http = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { http: http.build().into(), url: url.to_owned(), cookie: String::new() }
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        let url = format!("{}{path}", self.url);
        let response = self.http.get(url).header("cookie", &self.cookie).call().unwrap();
        self.seen(response)
    }

    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
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
    walk_through(Example::start("axum_app", &[]).unwrap().url());
}

#[test]
#[ignore = "needs redis-server"]
fn a_newcomer_logs_in_and_out_on_redis() {
    let redis = RedisServer::start().unwrap();
    walk_through(Example::start("axum_app", &[&redis.url()]).unwrap().url());
}
