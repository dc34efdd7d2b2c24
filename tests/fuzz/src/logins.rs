//! The logins of Node.js that are not express-session: their cookies, and what is in them.

use std::sync::LazyLock;

use cloakroom_authjs::{
    AuthJs, AuthJsOptions, AuthJsVersion, Claims, TokenCodec,
    better_auth::{BetterAuth, CookieCache},
    cookie_session::CookieSession,
    iron_session::{IronSession, IronSessionOptions, Passwords},
    keygrip::{Keygrip, SignedCookies},
    koa_session::KoaSession,
    sealed::Content,
};
use cloakroom_core::Clock;
use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::session;

pub(crate) mod contents;
pub(crate) mod cookies;

/// The secrets of the recordings, so that what the packages wrote can be a seed.
const SECRET: &str = "made-up-secret-one";
const BETTER_AUTH_SECRET: &str = "made-up-better-auth-secret-number-one";
const KEYS: [&str; 2] = ["made-up-key-1", "made-up-key-2"];
const PASSWORD: &str = "made-up-password-number-one-0000";

/// The time of the recordings.
const NOW_MS: i64 = 1_767_225_600_123;

/// The forms of better-auth's cookie cache.
const CACHES: [CookieCache; 3] = [CookieCache::Compact, CookieCache::Jwt, CookieCache::Jwe];

/// One site of each kind.
struct Sites {
    /// NextAuth 4 and Auth.js 5.
    authjs: [(AuthJsOptions, TokenCodec, AuthJs); 2],
    /// With an expiry and without.
    iron: [IronSession; 2],
    signed: SignedCookies,
    keygrip: Keygrip,
    cookie: CookieSession,
    koa: KoaSession,
    better: BetterAuth,
}

static SITES: LazyLock<Sites> = LazyLock::new(|| {
    let keygrip = || Keygrip::new(KEYS).expect("these are keys");
    let iron = |options| {
        let passwords = Passwords::new(PASSWORD).expect("it is long enough");
        IronSession::with_options("made_up", passwords, options).expect("the options are right")
    };
    Sites {
        authjs: [AuthJsOptions::next_auth_4(), AuthJsOptions::auth_js_5()].map(|options| {
            let options = options.with_clock(Clock::fixed(NOW_MS)).with_secure_cookies(false);
            let salt = match options.version() {
                AuthJsVersion::AuthJs5 => options.session_cookie(),
                _ => String::new(),
            };
            let codec = TokenCodec::new(options.version(), [SECRET], &salt).expect("a secret");
            let site = AuthJs::jwt(options.clone(), [SECRET]).expect("the options are right");
            (options, codec, site)
        }),
        iron: [
            iron(IronSessionOptions::default()),
            iron(IronSessionOptions::default().with_ttl(0)),
        ],
        signed: SignedCookies::new("session", keygrip()).expect("the name is right"),
        keygrip: keygrip(),
        cookie: CookieSession::new("session", keygrip()).expect("the name is right"),
        koa: KoaSession::new(keygrip()).expect("the name is right"),
        better: BetterAuth::new([BETTER_AUTH_SECRET]).expect("a secret"),
    }
});

/// Checks what was in a cookie: it is the same again, each member can be removed, and one can be added.
fn check_content(content: &Content, input: &[u8]) {
    session::check_shown(&format!("{content:?}"), input);
    let again = Content::from_json(content.as_json()).expect("what is read is JSON");
    assert_eq!(again, *content);
    if !content.is_object() {
        return;
    }
    let names: Vec<String> = content.names().map(|name| name.into_owned()).collect();
    let mut more = content.clone();
    more.set("a new member", 1).expect("a member can be set");
    assert_eq!(more.get_json("a new member"), Some("1"));
    for name in names.iter().filter(|name| *name != "a new member") {
        assert_eq!(more.get_json(name), content.get_json(name), "{name:?}");
        assert!(again.clone().remove(name), "{name:?}");
        let mut less = content.clone();
        less.remove(name);
        assert!(less.get_json(name).is_none() && less.is_object(), "{name:?}");
    }
}

/// Checks the claims of a token: they are written and read as the same ones.
fn check_claims(claims: &Claims, input: &[u8]) {
    session::check_shown(&format!("{claims:?}"), input);
    let printed = claims.to_json();
    let again = Claims::from_json(&printed).expect("what is written is read");
    assert_eq!(again, *claims, "{printed}");
    let _ = (claims.number("exp"), claims.sub(), claims.get::<f64>("iat"));
}

/// Returns the headers of a request with these cookies, or `None` if they cannot be a header.
fn request(cookies: &[u8]) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(cookies).ok()?;
    Some(HeaderMap::from_iter([(COOKIE, value)]))
}

/// Returns the `Cookie` header of a browser that was told to set these cookies.
fn sent_back<'a>(set_cookies: impl IntoIterator<Item = &'a str>) -> String {
    let pairs = set_cookies.into_iter().filter_map(|cookie| cookie.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}
