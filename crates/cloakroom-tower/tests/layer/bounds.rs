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

/// A service that is busy makes the layer wait.
#[tokio::test]
async fn a_service_that_is_not_ready_is_not_called() {
    use tower::{Service, limit::ConcurrencyLimit};

    let layer = SessionLayer::new(MemoryStore::new(), Secrets::new(["keyboard cat"]).unwrap());
    let slow = service_fn(async |_: Request<()>| {
        std::future::pending::<()>().await;
        Ok::<_, OddError>(Response::new(()))
    });
    let mut service = layer
        .layer(RequireSession::json().with_paths(["/x"]).layer(ConcurrencyLimit::new(slow, 1)));
    let mut call = std::pin::pin!(service.ready().await.unwrap().call(Request::new(())));
    assert!(futures::poll!(call.as_mut()).is_pending());
    assert!(
        futures::poll!(std::future::poll_fn(|cx| Service::<Request<()>>::poll_ready(
            &mut service,
            cx
        )))
        .is_pending()
    );
}
