//! An HTTP server on a port of 127.0.0.1 that serves one app after another.

use std::{
    fmt, io,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::Request};
use tokio::{net::TcpListener, runtime::Runtime};
use tower::ServiceExt;

use super::{Observed, app::App};

pub(super) struct Server {
    url: String,
    app: Arc<Mutex<Router>>,
    client: ureq::Agent,
    _runtime: Runtime,
}

impl Server {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Arc::new(Mutex::new(Router::new()));
        let served = Arc::clone(&app);
        let any = Router::new().fallback(async move |request: Request| {
            let app = served.lock().map(|app| app.clone()).unwrap_or_default();
            app.oneshot(request).await
        });
        runtime.spawn(async move { axum::serve(listener, any).await });
        let client = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        Ok(Self { url, app, client, _runtime: runtime })
    }

    /// Sends a request through the app. Returns `None` if it is not answered.
    pub(super) fn serve(&mut self, app: App, path: &str, cookie: Option<&str>) -> Option<Observed> {
        *self.app.lock().ok()? = app.router();
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let mut response = request.call().ok()?;
        let lines = response.headers().get_all("set-cookie").iter();
        let set_cookie = lines.filter_map(|line| line.to_str().ok()).map(str::to_owned).collect();
        let (status, body) = (response.status().as_u16(), response.body_mut().read_to_string());
        app.traces.observed(status, set_cookie, body.ok()?)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}
