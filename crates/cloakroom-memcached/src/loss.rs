//! How an attempt failed, and whether another one is worth it.

use std::io;

use memcache::exp::Error as ClientError;

/// An attempt that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: ClientError,
    /// It was the attempt of another call, which this one waited for. Nothing was sent, and trying again would not be
    /// waiting.
    pub(crate) shared: bool,
}

impl Failure {
    pub(crate) fn shared(cause: ClientError) -> Self {
        Self { cause, shared: true }
    }
}

impl From<ClientError> for Failure {
    fn from(cause: ClientError) -> Self {
        Self { cause, shared: false }
    }
}

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The command can have reached the server.
    pub(crate) sent: bool,
    /// Trying again at once can help: the server was there.
    pub(crate) again: bool,
}

impl Loss {
    /// `None` for the server's refusals and the client's own errors.
    pub(crate) fn of(cause: &ClientError) -> Option<Self> {
        match cause {
            ClientError::Ambiguous { source, .. } => {
                let again = matches!(**source, ClientError::Io(_));
                Self::of(source).map(|_| Self { sent: true, again })
            }
            ClientError::Io(cause) => Some(Self { sent: false, again: is_hang_up(cause.kind()) }),
            ClientError::Timeout { .. } | ClientError::Protocol(_) => {
                Some(Self { sent: false, again: false })
            }
            _ => None,
        }
    }
}

/// Whether a connection ended, rather than none was to be had.
fn is_hang_up(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind) -> ClientError {
        ClientError::Io(io::Error::from(kind))
    }

    fn ambiguous(source: ClientError) -> ClientError {
        ClientError::Ambiguous { key: Vec::new(), source: Box::new(source) }
    }

    #[test]
    fn a_loss_tells_what_can_have_happened() {
        let timeout = || ClientError::Timeout { key: Vec::new() };
        let loss = |sent, again| Some(Loss { sent, again });
        for (cause, wanted) in [
            (io(io::ErrorKind::ConnectionReset), loss(false, true)),
            (io(io::ErrorKind::ConnectionRefused), loss(false, false)),
            (ambiguous(io(io::ErrorKind::UnexpectedEof)), loss(true, true)),
            (timeout(), loss(false, false)),
            (ambiguous(timeout()), loss(true, false)),
            (ambiguous(ClientError::Protocol(String::new())), loss(true, false)),
            (ambiguous(ClientError::Server(String::new())), None),
            (ClientError::Rejected(String::new()), None),
        ] {
            assert_eq!(Loss::of(&cause), wanted, "{cause}");
        }
    }
}
