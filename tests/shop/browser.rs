//! A browser with the cookies of one origin, of which two servers answer.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

pub(crate) const SESSION: &str = "connect.sid";
pub(crate) const REMEMBER_ME: &str = "remember_me";

/// The cookies of a browser. Cookies know no ports, so two of 127.0.0.1 are one origin to them.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    http: ureq::Agent,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// An answer: its status, its `Location`, and its body where that is JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(180)))
            .build();
        Self { http: http.into(), cookies: BTreeMap::new() }
    }

    /// Another browser, with this cookie alone.
    pub(crate) fn with_only(&self, name: &str, value: &str) -> Self {
        let cookies = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Self { http: self.http.clone(), cookies }
    }

    pub(crate) fn get(&mut self, url: &str) -> Answer {
        let request = self.http.get(url).header("cookie", self.header());
        self.take(request.call().unwrap())
    }

    pub(crate) fn post(&mut self, url: &str, body: &Value) -> Answer {
        self.send(self.http.post(url), body)
    }

    pub(crate) fn put(&mut self, url: &str, body: &Value) -> Answer {
        self.send(self.http.put(url), body)
    }

    fn send(
        &mut self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &Value,
    ) -> Answer {
        let request =
            request.header("content-type", "application/json").header("cookie", self.header());
        self.take(request.send(body.to_string()).unwrap())
    }

    /// The `Cookie` header.
    pub(crate) fn header(&self) -> String {
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Does what a `Set-Cookie` line says.
    pub(crate) fn keep(&mut self, line: &str) {
        let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
        if line.contains("Expires=Thu, 01 Jan 1970") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    fn take(&mut self, mut response: http::Response<ureq::Body>) -> Answer {
        for line in response.headers().get_all("set-cookie") {
            self.keep(line.to_str().unwrap());
        }
        let status = response.status().as_u16();
        let location = response.headers().get("location");
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        // express-session has stored the session when the body ends, and not before.
        let text = response.body_mut().read_to_string().unwrap();
        Answer { status, location, body: text.parse().unwrap_or_default() }
    }
}
