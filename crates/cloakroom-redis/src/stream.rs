//! The byte stream to the server.

use std::{io, sync::Arc, time::Duration};

use cloakroom_backend::Traffic;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::{
    error::ConnectFailure,
    socket::{Socket, Stream},
    target::{Address, Target},
};

/// The time without traffic after which TCP probes a connection.
const IDLE: Duration = Duration::from_secs(30);

/// The time without an acknowledgement after which a machine counts as dead.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// The state that attempts to open a stream share.
#[derive(Clone)]
pub(crate) struct Streams {
    /// The largest value that is read.
    pub(crate) max_record: u64,
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

/// Opens a TCP connection that notices a dead machine. Without these options, such a connection would look alive for a
/// quarter of an hour, and every call on it would meet its deadline.
async fn open_tcp(host: &str, port: u16, traffic: &Arc<Traffic>) -> io::Result<Socket<TcpStream>> {
    let stream = TcpStream::connect((host, port)).await?;
    // The silence of the server is measured from now on.
    traffic.note_received();
    // A command is one small write. With Nagle's algorithm it would wait for the acknowledgement of the one before,
    // which the server's machine may delay by 40 ms.
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
