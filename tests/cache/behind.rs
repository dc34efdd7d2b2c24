//! Another program on the same Redis.

use redis::{AsyncConnectionConfig, FromRedisValue, aio::MultiplexedConnection};

/// A client that knows no sessions, as Node.js's is.
pub(crate) struct Other {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Other {
    pub(crate) async fn connect(addr: &str, prefix: &str) -> Self {
        let client = redis::Client::open(format!("redis://{addr}")).unwrap();
        let config =
            AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let connection =
            client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        Self { connection, prefix: prefix.to_owned() }
    }

    /// Sends a command on the key of this id.
    pub(crate) async fn run<T: FromRedisValue>(
        &mut self,
        name: &str,
        sid: &str,
        rest: &[&str],
    ) -> T {
        let mut command = redis::cmd(name);
        command.arg(format!("{}{sid}", self.prefix)).arg(rest);
        command.query_async(&mut self.connection).await.unwrap()
    }

    /// Sends a command without a key.
    pub(crate) async fn run_plain(&mut self, name: &str, rest: &[&str]) {
        self.ask::<redis::Value>(name, rest).await;
    }

    /// Sends a command without a key and returns the answer.
    pub(crate) async fn ask<T: FromRedisValue>(&mut self, name: &str, rest: &[&str]) -> T {
        redis::cmd(name).arg(rest).query_async(&mut self.connection).await.unwrap()
    }
}
