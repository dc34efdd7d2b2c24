//! The connection to the server: the store's own, one for each node of a cluster, or one that the application shares with
//! it.

use std::fmt;

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::{Cmd, Value};

use crate::{
    cluster::Cluster,
    given::Given,
    own::Own,
    reply,
    swap::{Swap, Swapped},
};

pub(crate) enum Connection {
    Own(Own),
    Cluster(Cluster),
    Given(Given),
}

/// A server that has a part of the keys, or all of them.
pub(crate) enum Part {
    All,
    Node(Own),
}

impl Connection {
    /// Sends one command on one key and returns the server's answer, which may be an error reply.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        match self {
            Self::Own(own) => own.send(operation, command).await,
            Self::Cluster(cluster) => cluster.send(operation, command).await,
            // Boxed, because the future of any connection may be large, and each call would reserve room for it.
            Self::Given(given) => Box::pin(given.send(operation, command)).await,
        }
    }

    /// Checks that the server answers, and in a cluster each primary.
    pub(crate) async fn ping(&self, operation: &Operation) -> Result<(), Error> {
        if let Self::Cluster(cluster) = self {
            return cluster.ping(operation).await;
        }
        reply::text(operation, self.send(operation, &redis::cmd("PING")).await?).map(drop)
    }

    /// Returns true if the server can compare a value with the one that it replaces, by `SET … IFEQ`.
    pub(crate) async fn has_ifeq(&self, operation: &Operation, key: &str) -> Result<bool, Error> {
        match self {
            Self::Own(own) => own.has_ifeq(operation).await,
            Self::Cluster(cluster) => cluster.has_ifeq(operation, key).await,
            Self::Given(given) => Ok(given.about(operation).await?.has_ifeq),
        }
    }

    /// Compares and writes on a connection that no other call uses. Returns `None` if nothing was written and the script
    /// has to do it.
    pub(crate) async fn swap_watched(
        &self,
        operation: &Operation,
        swap: &Swap<'_>,
    ) -> Result<Option<Swapped>, Error> {
        match self {
            Self::Own(own) => own.swap_watched(operation, swap).await,
            Self::Cluster(cluster) => cluster.swap_watched(operation, swap).await,
            Self::Given(_) => Ok(None),
        }
    }

    /// Returns the servers that have all keys together. [`Part::All`] is also the server that has the key of a command.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) with an application's connection to a cluster.
    pub(crate) async fn parts(&self, operation: &Operation) -> Result<Vec<Part>, Error> {
        match self {
            // The login rejects cluster nodes, so this server has all keys.
            Self::Own(_) => {}
            Self::Cluster(cluster) => {
                let primaries = cluster.primaries(operation).await?;
                return Ok(primaries.into_iter().map(Part::Node).collect());
            }
            Self::Given(given) => given.needs_all_keys(operation).await?,
        }
        Ok(vec![Part::All])
    }

    /// Returns true if all of these are still primaries of the cluster.
    pub(crate) async fn are_primaries(
        &self,
        operation: &Operation,
        nodes: &[Own],
    ) -> Result<bool, Error> {
        let Self::Cluster(cluster) = self else { return Ok(true) };
        if nodes.is_empty() {
            return Ok(true);
        }
        let primaries = cluster.primaries(operation).await?;
        Ok(nodes.iter().all(|node| primaries.iter().any(|primary| primary.is_same(node))))
    }

    /// Sends one command to one of the [`parts`](Self::parts). Returns the answer, and the number of the connection on
    /// which it came, or `None` on an application's connection, which does not tell when it reconnects.
    pub(crate) async fn send_to(
        &self,
        part: &Part,
        operation: &Operation,
        command: &Cmd,
    ) -> Result<(Value, Option<u64>), Error> {
        let (answer, on) = match (part, self) {
            (Part::Node(own), _) | (Part::All, Self::Own(own)) => {
                own.send_with(operation, command, false).await?
            }
            (Part::All, Self::Cluster(cluster)) => cluster.send_told(operation, command).await?,
            (Part::All, Self::Given(_)) => return Ok((self.send(operation, command).await?, None)),
        };
        Ok((answer, Some(on)))
    }

    /// Returns true if a command can have several keys. In a cluster, keys of different slots are an error.
    pub(crate) const fn takes_many_keys(&self) -> bool {
        !matches!(self, Self::Cluster(_))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(own) => fmt::Debug::fmt(own.route(), f),
            Self::Cluster(cluster) => fmt::Debug::fmt(cluster.seeds(), f),
            Self::Given(_) => f.write_str("Given(..)"),
        }
    }
}
