//! Connects to one server and logs in.

use std::{sync::Arc, time::Duration};

use cloakroom_backend::Traffic;
use redis::{
    AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, aio::MultiplexedConnection,
};
use tokio::time::timeout;

use crate::{
    error::ConnectFailure, limited::Limited, live::Live, login::login, stream::Streams,
    target::Target,
};

/// The time limit for a connection and its login.
pub(crate) const CONNECT: Duration = Duration::from_secs(1);

/// The number of commands that can be queued for the socket before callers have to wait.
const QUEUE: usize = 4_096;

/// Connects and logs in, within [`CONNECT`]. The socket notes its traffic from the first byte, so that a server that
/// accepts and says nothing can be told from one that is slow.
pub(crate) async fn dial(
    target: &Target,
    streams: &Streams,
    traffic: Arc<Traffic>,
) -> Result<Live, ConnectFailure> {
    let connect = async {
        let (stream, peer) = streams.open(target, &traffic).await?;
        let stream = Limited::new(stream, streams.max_record);
        // No login and no protocol, because `login` handles both. No timeouts of the client either: they would end calls
        // that still have time before their deadline.
        let nobody = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let (connection, driver) = MultiplexedConnection::new_with_config(&nobody, stream, config)
            .await
            .map_err(ConnectFailure::HungUp)?;
        let address = target.address.clone();
        let mut live = Live::start(connection, driver, address, peer, Arc::clone(&traffic));
        let about = login(&live, target).await?;
        live.set_about(about);
        Ok(live)
    };
    timeout(CONNECT, connect).await.unwrap_or(Err(ConnectFailure::Timeout))
}
