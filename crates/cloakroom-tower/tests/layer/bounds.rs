//! What the layer asks of the service inside it is what tower-http asks: no `Default` body, no infallible error.

use cloakroom_core::{MemoryStore, Secrets};
use cloakroom_tower::{RequireSession, SessionLayer};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

/// It has no `Default`, no `Clone`, and is not `Sync`.
struct OddBody {
    _not_sync: std::cell::Cell<u8>,
}

#[derive(Debug, PartialEq)]
struct OddError;

#[tokio::test]
async fn bodies_and_errors_of_any_kind_pass_through() {
    let layer = SessionLayer::new(MemoryStore::new(), Secrets::new(["keyboard cat"]).unwrap());
    let guard = RequireSession::json().with_paths(["/guarded"]);
    let service = layer.layer(guard.layer(service_fn(async |request: Request<OddBody>| {
        if request.uri().path() == "/fails" {
            return Err(OddError);
        }
        Ok(Response::new(request.into_body()))
    })));
    let request = |path: &str| Request::get(path).body(OddBody { _not_sync: 7.into() }).unwrap();
    assert!(service.clone().oneshot(request("/")).await.is_ok());
    assert_eq!(service.oneshot(request("/fails")).await.err(), Some(OddError));
}
