//! Tokens against forged requests.

use cloakroom_express::csrf::{Csrf, needs_token};
use http::Method;

use crate::site::Site;

const ALL: [Csrf; 3] = [Csrf::csurf(), Csrf::csrf_sync(), Csrf::lusca()];

#[tokio::test]
async fn a_token_is_good_in_its_session_and_in_no_other() {
    for csrf in ALL {
        let mut site = Site::safe(&[]).await;
        let session = site.visit().await;
        assert!(!csrf.verify(&session, "").unwrap());
        let token = csrf.token(&session).await.unwrap();
        site.end(&session).await;
        let session = site.visit().await;
        assert!(csrf.verify(&session, &token).unwrap(), "{csrf:?}");
        let again = csrf.token(&session).await.unwrap();
        assert!(csrf.verify(&session, &again).unwrap(), "{csrf:?}");
        for wrong in changed(&token) {
            assert!(!csrf.verify(&session, &wrong).unwrap(), "{csrf:?}: {wrong:?}");
        }
        assert!(!csrf.verify(&Site::safe(&[]).await.visit().await, &token).unwrap());
        csrf.revoke(&session).unwrap();
        assert!(!csrf.verify(&session, &token).unwrap(), "{csrf:?}");
    }
}

/// The token with each byte changed, with one more, one less, and none.
fn changed(token: &str) -> Vec<String> {
    let mut all = vec![String::new(), format!("{token}="), format!("{token} ")];
    all.push(token[..token.len() - 1].to_owned());
    all.push(token.replace('-', "--"));
    for at in 0..token.len() {
        let other = if token.as_bytes()[at] == b'0' { "1" } else { "0" };
        all.push(format!("{}{other}{}", &token[..at], &token[at + 1..]));
    }
    all.retain(|one| one != token);
    all
}

#[tokio::test]
async fn what_is_in_the_session_has_the_form_of_the_package() {
    for (csrf, member, secret, token) in [
        (Csrf::csurf(), "csrfSecret", 24, 8 + 1 + 27),
        (Csrf::csrf_sync(), "csrfToken", 256, 256),
        (Csrf::lusca(), "_csrfSecret", 16, 10 + 28),
        (Csrf::lusca().with_member("other"), "other", 16, 10 + 28),
    ] {
        let session = Site::safe(&[]).await.visit().await;
        assert_eq!(csrf.token(&session).await.unwrap().len(), token, "{csrf:?}");
        assert_eq!(session.get::<String>(member).unwrap().unwrap().len(), secret, "{csrf:?}");
    }
}

#[tokio::test]
async fn two_pages_that_make_a_secret_at_once_agree_on_one() {
    for csrf in ALL {
        let mut site = Site::safe(&[("cart", "1")]).await;
        let (first, second) = (site.visit().await, site.visit().await);
        let one = csrf.token(&first).await.unwrap();
        let other = csrf.token(&second).await.unwrap();
        site.end(&second).await;
        site.end(&first).await;
        let session = site.visit().await;
        assert!(csrf.verify(&session, &one).unwrap(), "{csrf:?}");
        assert!(csrf.verify(&session, &other).unwrap(), "{csrf:?}");
    }
    // In the express preset, as in Express, the first form is refused.
    let csrf = Csrf::csurf();
    let mut site = Site::express(&[("cart", "1")]).await;
    let (first, second) = (site.visit().await, site.visit().await);
    let one = csrf.token(&first).await.unwrap();
    let other = csrf.token(&second).await.unwrap();
    site.end(&first).await;
    site.end(&second).await;
    let session = site.visit().await;
    assert_eq!(
        (csrf.verify(&session, &one).unwrap(), csrf.verify(&session, &other).unwrap()),
        (false, true)
    );
}

#[tokio::test]
async fn any_text_is_a_wrong_token_and_nothing_more() {
    let members = [("csrfSecret", r#""s""#), ("csrfToken", r#""s""#), ("_csrfSecret", r#""s""#)];
    let session = Site::safe(&members).await.visit().await;
    let long = "x".repeat(2_000_000);
    for csrf in ALL {
        for token in ["", "-", "--", "ü", "ünï-x", "ünïünïünïü", "aaaaaaaaa\u{1f600}x", "\0", &long]
        {
            assert!(!csrf.verify(&session, token).unwrap(), "{csrf:?}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_not_a_text_is_replaced() {
    for json in ["null", "7", "\"\"", "{}", "[\"a\"]"] {
        let members = [("csrfSecret", json), ("csrfToken", json), ("_csrfSecret", json)];
        let session = Site::safe(&members).await.visit().await;
        for csrf in ALL {
            assert!(!csrf.verify(&session, "a").unwrap());
            let token = csrf.token(&session).await.unwrap();
            assert!(csrf.verify(&session, &token).unwrap(), "{csrf:?}: {json}");
        }
    }
}

#[test]
fn methods_that_change_nothing_need_no_token() {
    for free in [Method::GET, Method::HEAD, Method::OPTIONS] {
        assert!(!needs_token(&free));
    }
    for other in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE] {
        assert!(needs_token(&other));
    }
}
