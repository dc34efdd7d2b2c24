//! Servers that speak TLS.

use std::error::Error as _;

use cloakroom_core::{ErrorKind, Store};
use cloakroom_mongodb::{MongoOptions, MongoStore, mongodb::Client};
use cloakroom_test_support::Mongod;

use crate::session;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod and openssl"]
async fn a_certificate_that_is_refused_is_a_config_error_with_its_cause() {
    let server = Mongod::start_tls().unwrap();
    let authority = server.ca_certificate().unwrap();
    let url = format!("{}/app?tls=true", server.url());
    let trusting = format!("{url}&tlsCAFile={}", authority.display());
    let store = MongoStore::open(&trusting).unwrap();
    store.set("a", &session()).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some(session()));

    // The driver's own default is longer than the store's deadline.
    let patient = format!("{url}&serverSelectionTimeoutMS=1000");
    let client = Client::with_uri_str(patient).await.unwrap();
    for store in [
        MongoStore::open(&url).unwrap(),
        MongoStore::with_client(client, MongoOptions::default()).unwrap(),
    ] {
        let (read, written) = (store.get("a").await, store.set("a", &session()).await);
        for error in [read.map(drop).unwrap_err(), written.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(!error.outcome_unknown());
            let cause = error.source().unwrap().to_string();
            assert_eq!(cause, "invalid peer certificate: UnknownIssuer");
        }
    }
}
