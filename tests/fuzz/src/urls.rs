//! The URLs of all stores.

use cloakroom_file::FileStore;
use cloakroom_memcached::MemcachedStore;
#[cfg(feature = "mongodb")]
use cloakroom_mongodb::MongoStore;
use cloakroom_redis::RedisStore;
use cloakroom_sql::SqlStore;

use crate::runtime::block_on;

/// What a password consists of here. It looks like no word, number or host.
const SECRET: &str = "9hUsh_5ecret+pa55";

/// A URL, in which the byte 1 stands for a secret: it opens a store or is an error, and neither shows the secret.
pub(crate) fn open(input: &[u8]) {
    let url = String::from_utf8_lossy(input).replace('\u{1}', SECRET);
    // A file is named in a parameter, and reading it would say something about this machine alone.
    if url.contains("File=") || url.contains("File%") {
        return;
    }
    block_on(async {
        let errors = [
            shown(RedisStore::open(&url), &url),
            shown(MemcachedStore::open(&url), &url),
            #[cfg(feature = "mongodb")]
            shown(MongoStore::open(&url), &url),
            shown(FileStore::open(&url), &url),
            shown(SqlStore::open(&url), &url),
            cloakroom::open(&url).err().map(|error| format!("{error} {error:?}")),
        ];
        for error in errors.into_iter().flatten() {
            assert!(!error.contains(SECRET), "{url:?}: {error}");
        }
    });
}

/// Returns how an error shows itself, and checks how a store does.
fn shown<S: std::fmt::Debug>(
    opened: Result<S, cloakroom_core::Error>,
    url: &str,
) -> Option<String> {
    match opened {
        Ok(store) => {
            let authority = url.split_once("://").map_or("", |(_, rest)| rest);
            let authority = authority.split(['/', '?']).next().unwrap_or_default();
            let is_login = authority
                .rsplit_once('@')
                .and_then(|(login, _)| login.split_once(':'))
                .is_some_and(|(_, password)| password.contains(SECRET));
            if is_login && url.matches(SECRET).count() == 1 {
                assert!(!format!("{store:?}").contains(SECRET), "{url:?}: {store:?}");
            }
            None
        }
        Err(error) => Some(format!("{error} {error:?}")),
    }
}
