//! How a server begins and ends.

use std::{
    env,
    io::{self, Read, Write, stdin, stdout},
    process,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use axum::{Router, serve::ListenerExt};
use cloakroom_bench::allocations;
use tokio::net::{TcpListener, TcpSocket};

/// What the pages without a session answer.
pub const HELLO: &str = "views 1";

/// The secret of all cookies.
pub const SECRET: &str = "keyboard cat";

/// The URL of Redis.
pub fn redis() -> String {
    env::var("REDIS").expect("the bench names the server")
}

/// Says on which port the server listens, and ends this process with the one that started it.
pub fn started(port: u16) {
    println!("{port}");
    stdout().flush().expect("the bench reads the port");
    thread::spawn(|| {
        let _ = stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
}

/// Listens on a free port, with room for thousands of connections that are not yet accepted.
fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    socket.listen(4_096)
}

/// Serves the pages with axum.
pub async fn serve(app: Router) {
    let listener = listen().expect("a port is free");
    started(listener.local_addr().expect("it listens").port());
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    axum::serve(listener, app).await.expect("it never ends by itself");
}

/// Begins to count allocations, or ends and returns their number. Under callgrind, this is where it writes its counts.
#[inline(never)]
pub fn count() -> String {
    static COUNTS: AtomicBool = AtomicBool::new(false);
    if COUNTS.fetch_xor(true, Relaxed) {
        return allocations::stop().to_string();
    }
    allocations::start();
    "0".to_owned()
}
