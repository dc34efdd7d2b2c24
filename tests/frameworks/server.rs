//! An actix-web server with several workers, on a thread of its own, and browsers for it.

use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};
use cloakroom_actix::{Session, SessionError, SessionMiddleware};

pub(crate) struct Server {
    pub(crate) url: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// Counts, and says which worker has counted.
async fn count(session: Session) -> Result<String, SessionError> {
    let n = session.modify("n", |n: Option<u32>| n.unwrap_or_default() + 1)?;
    Ok(format!("{n} {:?}", thread::current().id()))
}

async fn home(session: Session) -> Result<String, SessionError> {
    let user = session.get::<String>("user")?.unwrap_or_else(|| "nobody".to_owned());
    Ok(format!("{user} has {:?}", session.get::<Vec<String>>("cart")?.unwrap_or_default()))
}

async fn login(session: Session, user: web::Path<String>) -> Result<&'static str, SessionError> {
    session.regenerate_keeping_data().await?;
    session.insert("user", user.into_inner())?;
    Ok("welcome")
}

async fn buy(session: Session, item: web::Path<String>) -> Result<&'static str, SessionError> {
    let item = item.into_inner();
    session.modify("cart", move |cart: Option<Vec<String>>| {
        let mut cart = cart.unwrap_or_default();
        cart.push(item.clone());
        cart
    })?;
    Ok("bought")
}

async fn logout(session: Session) -> Result<&'static str, SessionError> {
    session.destroy().await?;
    Ok("bye")
}

impl Server {
    pub(crate) fn start(workers: usize, sessions: SessionMiddleware) -> Self {
        let (started, starts) = mpsc::channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .wrap(sessions.clone())
                        .route("/", web::get().to(home))
                        .route("/count", web::get().to(count))
                        .route("/login/{user}", web::get().to(login))
                        .route("/buy/{item}", web::get().to(buy))
                        .route("/logout", web::get().to(logout))
                });
                let server = server.workers(workers).bind(("127.0.0.1", 0)).unwrap();
                let url = format!("http://{}", server.addrs()[0]);
                let server = server.disable_signals().run();
                started.send((url, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (url, handle) = starts.recv().unwrap();
        Self { url, handle, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        futures::executor::block_on(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A browser with one cookie and one connection.
pub(crate) struct Browser {
    http: ureq::Agent,
    pub(crate) cookie: String,
}

impl Browser {
    pub(crate) fn new(cookie: &str) -> Self {
        let http = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { http: http.build().into(), cookie: cookie.to_owned() }
    }

    /// The body of the answer. The cookie is kept.
    pub(crate) fn get(&mut self, url: &str) -> String {
        let mut response = self.http.get(url).header("cookie", &self.cookie).call().unwrap();
        assert_eq!(response.status(), 200, "{url}");
        if let Some(line) = response.headers().get("set-cookie") {
            self.cookie = line.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        response.body_mut().read_to_string().unwrap()
    }
}
