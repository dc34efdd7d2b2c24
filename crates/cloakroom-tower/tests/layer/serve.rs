//! How a request reaches its handler: through the layer, as a service of tower. The program `frameworks` in `tests` has
//! a file of this name for other frameworks, and runs the cases of this folder through those.

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use cloakroom_tower::{Session, SessionLayer};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

use crate::site::Reply;

/// Sends a request through the layer to a handler, which gets the session and gives the response its status and text.
pub(crate) async fn serve<F>(
    layer: &SessionLayer,
    request: Request<()>,
    handler: impl FnOnce(Option<Session>) -> F + Send + 'static,
) -> Reply
where
    F: Future<Output = (StatusCode, String)> + Send + 'static,
{
    // A service can be called again and again; this one is not.
    let handler = Arc::new(Mutex::new(Some(handler)));
    let service = layer.layer(service_fn(move |request: Request<()>| {
        let session = request.extensions().get::<Session>().cloned();
        let handler = handler.lock().unwrap().take().unwrap();
        async move {
            let (status, text) = handler(session).await;
            let mut response = Response::new(Full::<bytes::Bytes>::from(text));
            *response.status_mut() = status;
            Ok::<_, std::io::Error>(response)
        }
    }));
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}
