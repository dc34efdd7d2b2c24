//! How an attempt failed, and whether to try again. Only a connection that existed and ended is worth another attempt
//! at once: the server was there a moment ago, and usually has been restarted.

use std::io;

use memcache::exp::Error as ClientError;

/// An attempt that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: ClientError,
    /// It was the attempt of another call, for which this one waited. This call sent nothing, and does not try again.
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
    /// The command may have reached the server.
    pub(crate) sent: bool,
    /// Trying again at once can help, because the server was reachable.
    pub(crate) again: bool,
}

impl Loss {
    /// Classifies an error. Returns `None` for the server's error replies and the crate's own errors.
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

/// Returns true if an existing connection ended. False means that no connection could be made.
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

/// Copies the error of an attempt for the calls that waited for it and sent nothing themselves.
pub(crate) fn copy(cause: &ClientError) -> ClientError {
    match cause {
        ClientError::Ambiguous { source, .. } => copy(source),
        ClientError::Io(error) => ClientError::Io(match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        }),
        ClientError::Timeout { .. } => ClientError::Io(io::ErrorKind::TimedOut.into()),
        ClientError::Rejected(text) => ClientError::Rejected(text.clone()),
        _ => ClientError::Protocol(String::new()),
    }
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
