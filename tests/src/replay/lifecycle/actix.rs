//! The app of a case in actix-web, one after another, without a server.

use std::{fmt, io};

use actix_web::{
    App as ActixApp,
    rt::Runtime,
    test::{TestRequest, call_service, init_service, read_body},
    web,
};
use cloakroom_actix::{Session, SessionMiddleware};

use super::{Observed, app::App};

pub(super) struct ActixWeb {
    runtime: Runtime,
}

impl ActixWeb {
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self { runtime: Runtime::new()? })
    }

    /// Sends a request through the app. Returns `None` if the case has a session that actix-web cannot hold.
    pub(super) fn serve(&self, app: &App, path: &str, cookie: Option<&str>) -> Option<Observed> {
        let sessions = SessionMiddleware::from(app.engine()?.clone());
        let handler = app.handler();
        let route = move |session: Option<Session>| handler(session.map(Session::into_inner));
        let mut request = TestRequest::with_uri(path);
        if let Some(cookie) = cookie {
            request = request.insert_header(("cookie", cookie));
        }
        let (status, set_cookie, body) = self.runtime.block_on(async {
            let app = ActixApp::new().wrap(sessions).default_service(web::to(route));
            let response = call_service(&init_service(app).await, request.to_request()).await;
            let lines = response.headers().get_all("set-cookie");
            let lines: Vec<_> =
                lines.filter_map(|line| line.to_str().ok()).map(str::to_owned).collect();
            (response.status().as_u16(), lines, read_body(response).await)
        });
        app.traces.observed(status, set_cookie, String::from_utf8(body.to_vec()).ok()?)
    }
}

impl fmt::Debug for ActixWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActixWeb").finish_non_exhaustive()
    }
}
