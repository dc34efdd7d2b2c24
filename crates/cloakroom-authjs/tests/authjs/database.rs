//! The database strategy beside writers who meet, and with a database that fails.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cloakroom_authjs::{AuthAdapter, AuthJs, Claims, SessionAndUser, SessionRefusal};
use cloakroom_core::{Error, ErrorKind};
use http::HeaderMap;

use crate::{NOW_MS, cookies, options};

const DAY_MS: i64 = 86_400_000;

/// A database whose sessions are about to end, in one of these ways.
#[derive(Debug)]
enum Database {
    /// Somebody signs out between the read and the extension.
    SignedOut,
    /// The session is not extended.
    Alive,
    Down,
    Counts(&'static AtomicUsize),
}

#[async_trait]
impl AuthAdapter for Database {
    async fn get_session_and_user(&self, _token: &str) -> Result<Option<SessionAndUser>, Error> {
        match self {
            Self::Down => Err(Error::new(ErrorKind::Unavailable, "test", "get", "down")),
            Self::Counts(calls) => {
                calls.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            Self::Alive => {
                let user = Claims::from_json(r#"{"name":"Ada","role":"admin"}"#)?;
                Ok(Some(SessionAndUser::new(NOW_MS + 30 * DAY_MS, "1", user)))
            }
            Self::SignedOut => {
                let user = Claims::from_json(r#"{"name":"Ada"}"#)?;
                Ok(Some(SessionAndUser::new(NOW_MS + DAY_MS, "1", user)))
            }
        }
    }

    async fn update_session(&self, _token: &str, _expires_at_ms: i64) -> Result<bool, Error> {
        Ok(false)
    }

    async fn delete_session(&self, _token: &str) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Unavailable, "test", "delete", "down"))
    }
}

#[tokio::test]
async fn a_session_that_ends_while_it_is_extended_is_over() {
    let auth = AuthJs::database(options(), Database::SignedOut).unwrap();
    let answer = auth.get_server_session(&cookies("authjs.session-token=t")).await.unwrap();
    assert_eq!(answer.refusal(), Some(SessionRefusal::UnknownSession));
    let removed = answer.set_cookies()[0].to_str().unwrap();
    assert!(removed.starts_with("authjs.session-token=; Max-Age=0;"), "{removed}");
}

/// next-auth 5.0.0-beta.32 answers them with `auth()`, and the session endpoints leave them out.
#[tokio::test]
async fn all_members_of_the_user_are_in_the_session() {
    let auth = AuthJs::database(options(), Database::Alive).unwrap();
    let answer = auth.get_server_session(&cookies("authjs.session-token=t")).await.unwrap();
    let session = answer.session().unwrap();
    let role = session.user_members().unwrap().get::<String>("role").unwrap();
    assert_eq!(role.as_deref(), Some("admin"));
    assert!(!session.to_json().contains("role") && !format!("{session:?}").contains("admin"));

    let (auth, header) = crate::site();
    let answer = auth.get_server_session(&cookies(&header)).await.unwrap();
    assert_eq!(answer.session().unwrap().user_members(), None);
}

#[tokio::test]
async fn a_database_that_is_down_logs_nobody_out() {
    let auth = AuthJs::database(options(), Database::Down).unwrap();
    let headers = cookies("authjs.session-token=t");
    assert!(auth.get_server_session(&headers).await.unwrap_err().is_retryable());
    assert!(auth.sign_out(&headers).await.is_err());
    // Without a cookie, it is not even asked.
    assert!(auth.get_server_session(&HeaderMap::new()).await.unwrap().refusal().is_none());
    let error = auth.sign_in(&headers, &Claims::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(auth.get_token(&headers).is_err());
}

#[tokio::test]
async fn what_is_no_token_of_a_site_never_gets_to_the_database() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let auth = AuthJs::database(options(), Database::Counts(&CALLS)).unwrap();
    for (token, calls) in [("", 0), ("t", 1), (&"x".repeat(1_025), 1)] {
        let headers = cookies(&format!("authjs.session-token={token}"));
        let answer = auth.get_server_session(&headers).await.unwrap();
        let refusal = Some(SessionRefusal::UnknownSession).filter(|_| !token.is_empty());
        assert_eq!(answer.refusal(), refusal);
        assert_eq!(CALLS.load(Ordering::Relaxed), calls, "{}", token.len());
    }
}
