//! Asks a node which node has which slot.
//!
//! Each runtime has at most one such question under way, which all its calls share, and questions pause for
//! [`PAUSE`] after the one before: a failover makes thousands of calls ask at once.

use std::{sync::Arc, time::Duration};

use cloakroom_backend::{Connection, Idempotency, Joined, Operation, Start};
use cloakroom_core::{Error, ErrorKind};
use redis::Value;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Inner, Node, map};
use crate::{
    error::{self, ConnectFailure, STORE},
    race,
    target::Address,
};

/// The pause after a look.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a node may take to connect and answer.
const LIMIT: Duration = Duration::from_secs(2);

/// A node has described the cluster to all calls that waited for it. The next one asks again.
pub(super) struct Seen;

impl Connection for Seen {
    type Failure = Unseen;
    type Progress = ();

    fn is_over(&self) -> bool {
        true
    }
}

/// The reason why no node has described the cluster.
#[derive(Clone)]
pub(super) struct Unseen {
    pub(super) place: String,
    pub(super) failure: ConnectFailure,
}

impl Unseen {
    /// The task that asked ended with its runtime.
    pub(super) fn cancelled() -> Self {
        Self { place: "the cluster".to_owned(), failure: ConnectFailure::Cancelled }
    }
}

impl Inner {
    /// Returns the look under way on the caller's runtime, and starts one if necessary. `doubted` is asked last.
    ///
    /// # Errors
    ///
    /// The caller is on no runtime that can be used.
    pub(super) fn look(
        self: &Arc<Self>,
        operation: &Operation,
        doubted: Option<&Address>,
    ) -> Result<Joined<Seen>, Error> {
        let runtime = self.runtimes.current(operation)?;
        Ok(self.looks.join(&runtime, |_| {
            let (inner, doubted) = (Arc::clone(self), doubted.cloned());
            let asked = async move {
                let start = inner.state().looked.map(|looked| looked + PAUSE);
                if let Some(start) = start.filter(|start| *start > Instant::now()) {
                    sleep_until(start).await;
                }
                let outcome = inner.see(doubted.as_ref()).await;
                inner.state().looked = Some(Instant::now());
                outcome.map(|()| Arc::new(Seen))
            };
            Start::Attempt((), asked)
        }))
    }

    /// Asks one node after the other until one describes the cluster.
    async fn see(&self, doubted: Option<&Address>) -> Result<(), Unseen> {
        let nodes = self.to_be_asked(doubted);
        let questions = nodes.iter().map(|node| async move {
            match timeout(LIMIT, self.ask(node)).await.unwrap_or(Err(ConnectFailure::Timeout)) {
                Ok(ranges) => Ok((ranges, node.clone())),
                Err(failure) => Err((node.address.clone(), failure)),
            }
        });
        let failures = match race::first(questions.collect()).await {
            Ok((ranges, node)) => {
                self.settle(ranges, node);
                return Ok(());
            }
            Err(failures) => failures,
        };
        let all: Vec<_> = failures.iter().map(|(address, _)| address.to_string()).collect();
        // What somebody has to correct comes before what may pass.
        let is_wrong = |failure: &ConnectFailure| {
            matches!(
                failure,
                ConnectFailure::Refused(ErrorKind::Config, _) | ConnectFailure::Tls(_)
            )
        };
        let wrong = failures.iter().find(|(_, failure)| is_wrong(failure)).cloned();
        let unseen = wrong.or_else(|| failures.into_iter().next()).map(|(address, failure)| {
            let is_one = matches!(failure, ConnectFailure::Tls(_) | ConnectFailure::HungUp(_));
            let place = if is_one { address.to_string() } else { all.join(" or ") };
            Unseen { place, failure }
        });
        Err(unseen.unwrap_or_else(|| Unseen {
            place: "the cluster".to_owned(),
            failure: ConnectFailure::Timeout,
        }))
    }

    /// Returns the nodes that may know: those that have slots, then those of the URL, and then the one that is in doubt.
    fn to_be_asked(&self, doubted: Option<&Address>) -> Vec<Node> {
        let mut nodes = self.state().nodes.clone();
        for seed in &self.seeds {
            if nodes.iter().all(|node| node.address != *seed) {
                nodes.push(self.connect_to(seed.clone()));
            }
        }
        nodes.sort_by_key(|node| Some(&node.address) == doubted);
        nodes
    }

    async fn ask(&self, node: &Node) -> Result<Vec<map::Range>, ConnectFailure> {
        let refused = |kind, message| ConnectFailure::Refused(kind, message);
        // With the store's own limit, so that a node that is slow today is not taken for a silent one.
        let operation = Operation::start(STORE, "open", Idempotency::Read, self.deadline);
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = node.own.consult(&operation, &question).await?;
        if let Value::ServerError(refusal) = &answer {
            let (_, detail) = error::code_and_detail(refusal);
            if detail.contains("cluster support disabled") || error::is_unknown_command(refusal) {
                let message = format!(
                    "{} is not a node of a Redis Cluster: write redis:// in the URL",
                    node.address
                );
                return Err(refused(ErrorKind::Config, message));
            }
            let (kind, message) = error::judge(refusal);
            return Err(refused(kind, message));
        }
        map::ranges(&answer, &node.address).ok_or_else(|| {
            let message = format!(
                "{} belongs to a cluster that has no slots, or knows no address of its nodes",
                node.address
            );
            refused(ErrorKind::Unavailable, message)
        })
    }
}
