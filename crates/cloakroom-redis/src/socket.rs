//! A socket whose writes do not hide the server's last answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use cloakroom_backend::Traffic;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that reports the end of the connection only when reading.
///
/// A server that rejects a record halfway answers with the reason and closes the connection. The rest of the record
/// cannot be written then, but an error from the write would discard the answer, which can still be read. So a write to
/// a closed connection succeeds and is dropped; a read returns the answer first, and then the end.
///
/// It notes when bytes were sent and received, so that a silent connection can be given up.
pub(crate) struct Socket<S> {
    stream: S,
    traffic: Arc<Traffic>,
    ended: bool,
}

impl<S> Socket<S> {
    pub(crate) fn new(stream: S, traffic: Arc<Traffic>) -> Self {
        Self { stream, traffic, ended: false }
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    fn written(&mut self, length: usize, outcome: io::Result<usize>) -> io::Result<usize> {
        match outcome {
            Err(error) if is_end(&error) => {
                self.ended = true;
                Ok(length)
            }
            outcome => outcome.inspect(|_| self.traffic.note_sent()),
        }
    }
}

/// Returns true if the error means that the other side has closed the connection.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.traffic.note_received();
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.written(bytes.len(), outcome))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.ended {
            return Poll::Ready(Ok(length));
        }
        let outcome = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        Poll::Ready(self.written(length, outcome))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::sleep,
    };

    use super::*;

    #[tokio::test]
    async fn the_last_words_are_heard() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut client = Socket::new(client, Arc::new(Traffic::new()));
        client.write_all(b"much").await.unwrap();
        server.write_all(b"too much").await.unwrap();
        // If bytes are unread, the system resets the connection instead of closing it.
        drop(server);
        sleep(Duration::from_millis(20)).await;
        for _ in 0..3 {
            client.write_all(&[0; 100_000]).await.unwrap();
            client.flush().await.unwrap();
        }
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"too much");
        client.shutdown().await.unwrap();
    }
}
