//! The byte stream to the server.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

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

/// Where a connection leads, which its name may not do for ever. `None` for a Unix socket.
pub(crate) type Peer = Option<SocketAddr>;

impl Streams {
    pub(crate) async fn open(
        &self,
        target: &Target,
        traffic: &Arc<Traffic>,
    ) -> Result<(Box<dyn Stream>, Peer), ConnectFailure> {
        self.open_at(target, None, traffic).await
    }

    /// Opens a stream to where another connection leads, if that is known.
    pub(crate) async fn open_at(
        &self,
        target: &Target,
        peer: Peer,
        traffic: &Arc<Traffic>,
    ) -> Result<(Box<dyn Stream>, Peer), ConnectFailure> {
        match &target.address {
            Address::Tcp { host, port, tls } => {
                let (stream, peer) = open_tcp(host, *port, peer, traffic).await?;
                let stream = if *tls { self.secure(host, stream).await? } else { Box::new(stream) };
                Ok((stream, Some(peer)))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await?;
                traffic.note_received();
                Ok((Box::new(Socket::new(stream, Arc::clone(traffic))), None))
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
async fn open_tcp(
    host: &str,
    port: u16,
    peer: Peer,
    traffic: &Arc<Traffic>,
) -> io::Result<(Socket<TcpStream>, SocketAddr)> {
    let stream = match peer {
        Some(peer) => TcpStream::connect(peer).await?,
        None => TcpStream::connect((host, port)).await?,
    };
    let peer = stream.peer_addr()?;
    // The silence of the server is measured from now on.
    traffic.note_received();
    // A command is one small write. With Nagle's algorithm it would wait for the acknowledgement of the one before,
    // which the server's machine may delay by 40 ms.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE))?;
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok((Socket::new(stream, Arc::clone(traffic)), peer))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_machine_is_noticed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let traffic = Arc::new(Traffic::new());
        let (stream, peer) = open_tcp("127.0.0.1", port, None, &traffic).await.unwrap();
        assert_eq!(peer, listener.local_addr().unwrap());
        let socket = SockRef::from(stream.get_ref());
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
    }
}
