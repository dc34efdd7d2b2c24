//! How a request reaches its handler: through the middleware for actix-web.

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpResponseBuilder,
    http::{StatusCode as ActixStatus, header::HeaderMap as ActixHeaders},
    test::{TestRequest, call_service, init_service, read_body},
    web,
};
use cloakroom_actix::SessionMiddleware;
use cloakroom_tower::{Session, SessionLayer};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use send_wrapper::SendWrapper;

use crate::site::Reply;

/// Sends a request through a middleware with the layer's engine to a handler, which gets the session and gives the
/// response its status and text.
///
/// The future can be moved to another thread, as the cases ask, but not polled there: a request of actix-web stays on
/// its thread.
pub(crate) fn serve<F>(
    layer: &SessionLayer,
    request: Request<()>,
    handler: impl FnOnce(Option<Session>) -> F + Send + 'static,
) -> impl Future<Output = Reply> + Send
where
    F: Future<Output = (StatusCode, String)> + Send + 'static,
{
    let sessions = SessionMiddleware::from(layer.engine().clone());
    SendWrapper::new(async move {
        // A route can be asked again and again; this one is not.
        let handler = Arc::new(Mutex::new(Some(handler)));
        let route = move |session: Option<cloakroom_actix::Session>| {
            let handler = handler.lock().unwrap().take().unwrap();
            let session = session.map(cloakroom_actix::Session::into_inner);
            async move {
                let (status, text) = handler(session).await;
                let status = ActixStatus::from_u16(status.as_u16()).unwrap();
                HttpResponseBuilder::new(status).body(text)
            }
        };
        let app = App::new().wrap(sessions).default_service(web::to(route));
        let request = converted(&request).to_request();
        let response = call_service(&init_service(app).await, request).await;
        let status = StatusCode::from_u16(response.status().as_u16()).unwrap();
        let headers = converted_headers(response.headers());
        let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
        Reply { status, headers, body }
    })
}

fn converted(request: &Request<()>) -> TestRequest {
    let method = request.method().as_str().parse().unwrap();
    let mut own = TestRequest::with_uri(&request.uri().to_string()).method(method);
    for (name, value) in request.headers() {
        own = own.append_header((name.as_str(), value.as_bytes()));
    }
    own
}

fn converted_headers(headers: &ActixHeaders) -> HeaderMap {
    let mut converted = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).unwrap();
        converted.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    converted
}
