//! Requests to an app, and the cookies that it sets.

use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::StatusCode,
    test::{TestRequest, init_service, read_body, try_call_service},
};
use cloakroom_actix::SessionMiddleware;
use cloakroom_core::{MemoryStore, Secrets};
use cloakroom_tower::SessionOptions;

/// A middleware with these options, on a memory store of its own.
pub(crate) fn sessions(change: impl FnOnce(&mut SessionOptions)) -> SessionMiddleware {
    on(MemoryStore::new(), change)
}

/// A middleware with these options on a store.
pub(crate) fn on(
    store: impl cloakroom_core::Store + 'static,
    change: impl FnOnce(&mut SessionOptions),
) -> SessionMiddleware {
    let mut options = SessionOptions::new();
    change(&mut options);
    options.engine(store, Secrets::new(["keyboard cat"]).unwrap()).unwrap().into()
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The cookies, as the browser sends them back.
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

/// The answer of an app to a request.
pub(crate) async fn answer<F, B>(app: App<F>, request: TestRequest) -> Reply
where
    F: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let service = init_service(app).await;
    match try_call_service(&service, request.to_request()).await {
        Ok(response) => {
            let (status, cookies) = (response.status(), cookies(response.headers()));
            let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
            Reply { status, cookies, body }
        }
        // The server turns it into a response.
        Err(error) => {
            let response = error.error_response();
            let (status, cookies) = (response.status(), cookies(response.headers()));
            let Ok(body) = actix_web::body::to_bytes(response.into_body()).await else {
                panic!("a body that cannot be read")
            };
            Reply { status, cookies, body: String::from_utf8(body.to_vec()).unwrap() }
        }
    }
}

fn cookies(headers: &actix_web::http::header::HeaderMap) -> Vec<String> {
    let lines = headers.get_all("set-cookie");
    lines.map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

pub(crate) fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

/// A request with the cookies of a reply.
pub(crate) fn get_with(path: &str, cookies: &[String]) -> TestRequest {
    get(path).insert_header(("cookie", cookies.join("; ")))
}
