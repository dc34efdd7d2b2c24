//! What a Memcached server answers.

use std::time::Duration;

use cloakroom_core::{SessionData, Store};
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{runtime::block_on, session};

/// An answer in Memcached's protocol, after which the server closes the connection: the operation ends with a session,
/// without one, or with an error.
pub(crate) fn answer(input: &[u8]) {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let options = MemcachedOptions::default()
            .with_deadline(Duration::from_secs(5))
            .with_max_value(1_000_000);
        let store = MemcachedStore::open_with(&format!("memcached://127.0.0.1:{port}"), options)
            .expect("the URL is right");
        // The store repeats a read on a second connection. An error means that it has hung up on the first.
        let server = async {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let Ok(_) = stream.read(&mut [0; 4_096]).await else { continue };
                let Ok(()) = stream.write_all(input).await else { continue };
                let _ = stream.shutdown().await;
            }
        };
        let client = async {
            let operation = async {
                if input.first().is_some_and(|byte| byte % 2 == 0) {
                    store.get("anid").await
                } else {
                    store.touch("anid", &SessionData::new()).await.map(|_| None)
                }
            };
            match operation.await {
                Ok(Some(found)) => session::check(&found),
                Ok(None) => {}
                Err(error) => session::check_error(&error, input),
            }
        };
        tokio::select! {
            () = server => {}
            () = client => {}
        }
    });
}
