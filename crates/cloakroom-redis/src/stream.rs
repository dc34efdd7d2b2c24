//! The byte stream to the server.

use std::{io, sync::Arc, time::Duration};

use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::{
    error::ConnectFailure,
    socket::{Socket, Stream},
    target::{Address, Target},
    traffic::Traffic,
};

/// How long a connection without traffic stays unprobed.
const IDLE: Duration = Duration::from_secs(30);

/// How long a machine that no longer acknowledges anything is believed to be there.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// What outlives the attempts to open a stream.
#[derive(Clone, Default)]
pub(crate) struct Streams {
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::Tls>,
}

impl Streams {
    pub(crate) async fn open(
        &self,
        target: &Target,
        traffic: &Arc<Traffic>,
    ) -> Result<Box<dyn Stream>, ConnectFailure> {
        match &target.address {
            Address::Tcp { host, port, tls } => {
                let stream = open_tcp(host, *port, traffic).await?;
                if *tls { self.secure(host, stream).await } else { Ok(Box::new(stream)) }
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await?;
                traffic.note_received();
                Ok(Box::new(Socket::new(stream, Arc::clone(traffic))))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    }

    #[cfg(feature = "tls")]
    async fn secure(
        &self,
        host: &str,
        stream: Socket<TcpStream>,
    ) -> Result<Box<dyn Stream>, ConnectFailure> {
        match &self.tls {
            Some(tls) => tls.secure(host, stream).await,
            None => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_async, reason = "it is one only with the feature")]
    async fn secure(
        &self,
        _: &str,
        _: Socket<TcpStream>,
    ) -> Result<Box<dyn Stream>, ConnectFailure> {
        Err(io::Error::from(io::ErrorKind::Unsupported).into())
    }
}

/// A dead machine sends no goodbye: without these options its connection would look alive for a quarter of an hour,
/// and every call on it would run into its deadline.
async fn open_tcp(host: &str, port: u16, traffic: &Arc<Traffic>) -> io::Result<Socket<TcpStream>> {
    let stream = TcpStream::connect((host, port)).await?;
    // From now on it is the server's turn to speak.
    traffic.note_received();
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE))?;
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(Socket::new(stream, Arc::clone(traffic)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_machine_is_noticed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = open_tcp("127.0.0.1", port, &Arc::new(Traffic::new())).await.unwrap();
        let socket = SockRef::from(stream.get_ref());
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
    }
}
