//! An engine over the memory store, and requests of one browser.

use cloakroom_core::{MemoryStore, Secrets, SessionData};
use cloakroom_tower::{RequestHead, Session, SessionEngine, SessionOptions};
use http::HeaderValue;

pub(crate) struct Site {
    pub(crate) engine: SessionEngine,
    /// What the browser has.
    cookie: Option<HeaderValue>,
}

impl Site {
    /// A site of the safe preset, whose browser has a session with these members.
    pub(crate) async fn safe(members: &[(&str, &str)]) -> Self {
        Self::with(SessionOptions::new(), members).await
    }

    pub(crate) async fn express(members: &[(&str, &str)]) -> Self {
        Self::with(SessionOptions::express(), members).await
    }

    pub(crate) async fn with(options: SessionOptions, members: &[(&str, &str)]) -> Self {
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let engine = options.engine(MemoryStore::new(), secrets).unwrap();
        let mut site = Self { engine, cookie: None };
        if !members.is_empty() {
            site.fill(members).await;
        }
        site
    }

    /// Gives the browser a session with these members.
    pub(crate) async fn fill(&mut self, members: &[(&str, &str)]) {
        let fill = |record: &mut SessionData| {
            members.iter().try_for_each(|(name, json)| record.insert_json(name, *json))
        };
        self.cookie = Some(self.engine.test_cookie(fill).await.unwrap());
    }

    /// Begins a request.
    pub(crate) async fn visit(&self) -> Session {
        let mut request = http::Request::new(());
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert("cookie", cookie.clone());
        }
        self.engine.load(RequestHead::from(&request)).await.unwrap().unwrap()
    }

    /// Ends a request.
    pub(crate) async fn end(&mut self, session: &Session) {
        if let Some(line) = self.engine.commit(session).await.unwrap() {
            let pair = line.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = Some(pair.parse().unwrap());
        }
    }

    /// The members of what is stored under an id, or `None`.
    pub(crate) async fn stored(&self, id: &str) -> Option<String> {
        let record = self.engine.store().get(id).await.unwrap()?;
        let members = record.iter().map(|member| format!("{}={}", member.name(), member.json()));
        Some(members.collect::<Vec<_>>().join(" "))
    }
}
