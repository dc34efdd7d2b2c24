//! A Redis Cluster: a connection of our own to each primary, and the map of the slots.
//!
//! The cluster client of the crate `redis` is not used. It sends a command again after a connection was lost, although the
//! first one may have been carried out; without its retries it follows no redirect either. Its connections also belong to
//! one runtime. [`Own`] has none of this, so all that is left to do is to find the node that has a key.

mod look;
mod map;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_backend::{Idempotency, Needs, Operation, Runtimes, Shared, doubled, observe};
use cloakroom_core::{Error, ErrorKind};
use futures::future::try_join_all;
use redis::{Cmd, Value};
use tokio::time::{Instant, sleep};

use crate::{
    error,
    own::Own,
    reply,
    stream::Streams,
    swap::{Swap, Swapped},
    target::{Address, Route, Target},
};
use look::{Seen, Unseen};
use map::{Redirect, SLOTS, key_of, slot_of};

/// How many redirects a call follows. Two are usual while a slot moves; more mean that the nodes disagree for a moment.
const MOST_REDIRECTS: u32 = 8;

/// The redirects that are followed without a pause.
const AT_ONCE: u32 = 2;

/// The first and the longest pause before a further redirect is followed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// How often a call waits for a cluster that is down, and for how long each time. It is down for a moment whenever a
/// primary is replaced. These are the defaults of ioredis 5 (`maxRedirections`, `retryDelayOnClusterDown`).
const WAITS: (u32, Duration) = (16, Duration::from_millis(100));

/// Why keys cannot be found although a node has them: the map has a `?` instead of its address.
const HIDDEN: &str = "a node of the cluster does not know the address of another (cluster-announce-ip, cluster-announce-hostname)";

/// A slot that no known node has.
const NOBODY: u16 = u16::MAX;

pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    /// The nodes of the URL.
    seeds: Vec<Address>,
    /// The login, which is the same at all nodes.
    login: Target,
    streams: Streams,
    /// The store's deadline of an operation.
    deadline: Duration,
    runtimes: Runtimes,
    looks: Shared<Seen>,
    state: Mutex<State>,
}

/// What all runtimes share. It is locked for moments only, never while something is awaited.
#[derive(Default)]
struct State {
    nodes: Vec<Node>,
    /// The place in `nodes` of each slot's owner. Empty until a node was asked.
    slots: Vec<u16>,
    /// Whether some slots have an owner whose address the node that was asked does not know.
    hides_nodes: bool,
    /// When a look last ended.
    looked: Option<Instant>,
}

/// A node of the cluster, and the connection to it.
#[derive(Clone)]
struct Node {
    address: Address,
    own: Own,
}

impl Cluster {
    pub(crate) fn new(
        login: Target,
        seeds: Vec<Address>,
        streams: Streams,
        deadline: Duration,
    ) -> Self {
        let runtimes = Runtimes::new(Needs::TimeAndIo);
        let (looks, state) = (Shared::default(), Mutex::default());
        Self(Arc::new(Inner { seeds, login, streams, deadline, runtimes, looks, state }))
    }

    pub(crate) fn seeds(&self) -> &[Address] {
        &self.0.seeds
    }

    /// Sends one command to the node that has its key, and returns that node's answer, which may be an error reply.
    ///
    /// A redirect means that the command was not executed, so it is followed whatever the command does. If the node
    /// cannot be reached, another node is asked who has the key now. A cluster that is down has not executed the command
    /// either, so it is sent again after a pause.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        self.send_told(operation, command).await.map(|(answer, _)| answer)
    }

    /// Does the same, and also returns the number of the connection on which the answer came.
    pub(crate) async fn send_told(
        &self,
        operation: &Operation,
        command: &Cmd,
    ) -> Result<(Value, u64), Error> {
        let slot = slot_of(key_of(command));
        let mut redirects = 0;
        let mut waits = 0;
        let mut has_looked = false;
        let mut asking = None;
        loop {
            let (node, is_asking) = match asking.take() {
                Some(node) => (node, true),
                None => (self.owner(operation, slot).await?, false),
            };
            let (answer, on) = match node.own.send_with(operation, command, is_asking).await {
                Ok(told) => told,
                Err(error) => {
                    let has_moved = self.has_moved(operation, slot, &node, &error).await?;
                    if has_looked || !has_moved {
                        return Err(error);
                    }
                    has_looked = true;
                    observe::tried_again();
                    continue;
                }
            };
            let Value::ServerError(refusal) = &answer else { return Ok((answer, on)) };
            let Some(redirect) = Redirect::read(refusal, &node.address) else {
                let code = error::code_and_detail(refusal).0;
                if matches!(code, "CLUSTERDOWN" | "MOVED" | "ASK") {
                    // The next call may find a better node.
                    self.0.look(operation, Some(&node.address))?;
                }
                if code == "CLUSTERDOWN" && waits < WAITS.0 {
                    waits += 1;
                    if operation.within(sleep(WAITS.1)).await.is_some() {
                        observe::tried_again();
                        continue;
                    }
                }
                if !matches!(code, "MOVED" | "ASK") {
                    return Ok((answer, on));
                }
                let message = format!("{} does not say which node has the key", node.address);
                return Err(operation.error(ErrorKind::Unavailable, message));
            };
            redirects += 1;
            if redirects > MOST_REDIRECTS {
                let message = "the nodes of the cluster do not agree which of them has the key";
                return Err(operation.error(ErrorKind::Unavailable, message));
            }
            if let Some(further) = redirects.checked_sub(AT_ONCE + 1) {
                let (first, longest) = PAUSES;
                if operation.within(sleep(doubled(first, further, longest))).await.is_none() {
                    return Err(operation.timeout());
                }
            }
            match redirect {
                Redirect::Moved(address) => {
                    self.0.assign(slot, address);
                    // Other slots have probably moved too.
                    self.0.look(operation, Some(&node.address))?;
                }
                Redirect::Ask(address) => asking = Some(self.0.node(address)),
            }
        }
    }

    /// Returns true if the node that has the key can compare a value with the one that it replaces.
    pub(crate) async fn has_ifeq(&self, operation: &Operation, key: &str) -> Result<bool, Error> {
        let slot = slot_of(key.as_bytes());
        let node = self.owner(operation, slot).await?;
        match node.own.has_ifeq(operation).await {
            Err(error) if self.has_moved(operation, slot, &node, &error).await? => {
                self.owner(operation, slot).await?.own.has_ifeq(operation).await
            }
            outcome => outcome,
        }
    }

    /// Compares and writes on a connection of its own. Returns `None` if nothing was written and the script has to do it.
    pub(crate) async fn swap_watched(
        &self,
        operation: &Operation,
        swap: &Swap<'_>,
    ) -> Result<Option<Swapped>, Error> {
        let slot = slot_of(swap.key.as_bytes());
        let node = self.owner(operation, slot).await?;
        let swapped = node.own.swap_watched(operation, swap).await;
        if swapped.is_err() {
            self.0.look(operation, Some(&node.address))?;
        }
        swapped
    }

    /// Returns the connections to all primaries that have slots, as a node describes them now. It is an error if there is
    /// one whose address that node does not know: a listing would lack its keys.
    pub(crate) async fn primaries(&self, operation: &Operation) -> Result<Vec<Own>, Error> {
        self.wait_for_look(operation, None).await?;
        let primaries = self.0.primaries();
        primaries.ok_or_else(|| operation.error(ErrorKind::Unavailable, HIDDEN))
    }

    /// Checks that every primary answers.
    pub(crate) async fn ping(&self, operation: &Operation) -> Result<(), Error> {
        let primaries = match self.0.primaries() {
            Some(primaries) if !primaries.is_empty() => primaries,
            _ => self.primaries(operation).await?,
        };
        let ping = &redis::cmd("PING");
        // Each is a part of its own, so that each can be repeated.
        let pings = primaries.iter().map(|own| {
            let part = operation.part();
            async move { own.send(&part, ping).await }
        });
        match try_join_all(pings).await {
            Ok(answers) => {
                answers.into_iter().try_for_each(|answer| reply::text(operation, answer).map(drop))
            }
            Err(error) => {
                self.0.look(operation, None)?;
                Err(error)
            }
        }
    }

    /// Returns the node that has a slot.
    async fn owner(&self, operation: &Operation, slot: u16) -> Result<Node, Error> {
        if let Some(node) = self.0.owner(slot) {
            return Ok(node);
        }
        self.wait_for_look(operation, None).await?;
        self.0.owner(slot).ok_or_else(|| {
            let message = if self.0.state().hides_nodes {
                HIDDEN
            } else {
                "the cluster is incomplete: no node has the slot of the key"
            };
            operation.error(ErrorKind::Unavailable, message)
        })
    }

    /// Looks for the new owner of a slot whose node cannot be reached. Returns true if there is one, and the operation
    /// can be sent to it.
    async fn has_moved(
        &self,
        operation: &Operation,
        slot: u16,
        node: &Node,
        error: &Error,
    ) -> Result<bool, Error> {
        if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) {
            return Ok(false);
        }
        // It goes on by itself, for the sake of the next call.
        let look = self.0.look(operation, Some(&node.address))?;
        let may_be_sent = operation.idempotency() != Idempotency::Once || !error.outcome_unknown();
        if !may_be_sent || operation.is_over() {
            return Ok(false);
        }
        // Without an answer, the map stays as it is.
        let _ = operation.within(look.outcome()).await;
        Ok(self.0.owner(slot).is_some_and(|owner| owner.address != node.address))
    }

    /// Waits until a node has described the cluster.
    async fn wait_for_look(
        &self,
        operation: &Operation,
        doubted: Option<&Address>,
    ) -> Result<(), Error> {
        let look = self.0.look(operation, doubted)?;
        match operation.within(look.outcome()).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(unseen)) => {
                let unseen = unseen.unwrap_or_else(Unseen::cancelled);
                Err(error::not_connected(operation, &unseen.place, unseen.failure))
            }
            None => {
                // The look has waited as long as this call, on a connection that may be silent.
                let nodes = self.0.state().nodes.clone();
                nodes.iter().for_each(|node| node.own.suspect(operation));
                Err(operation.timeout())
            }
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owner(&self, slot: u16) -> Option<Node> {
        let state = self.state();
        let place = *state.slots.get(usize::from(slot))?;
        state.nodes.get(usize::from(place)).cloned()
    }

    /// Returns the connections to all primaries, or `None` if the address of one is not known.
    fn primaries(&self) -> Option<Vec<Own>> {
        let state = self.state();
        if state.hides_nodes {
            return None;
        }
        let mut has_slots = vec![false; state.nodes.len()];
        for place in &state.slots {
            if let Some(has_slots) = has_slots.get_mut(usize::from(*place)) {
                *has_slots = true;
            }
        }
        let nodes = state.nodes.iter().zip(has_slots);
        Some(nodes.filter(|(_, has_slots)| *has_slots).map(|(node, _)| node.own.clone()).collect())
    }

    fn connect_to(&self, address: Address) -> Node {
        let target = self.login.at(address.clone());
        Node { address, own: Own::new(Route::Fixed(target), self.streams.clone()) }
    }

    /// Returns the node at an address, which may be new.
    fn node(&self, address: Address) -> Node {
        let mut state = self.state();
        if let Some(node) = state.nodes.iter().find(|node| node.address == address) {
            return node.clone();
        }
        let node = self.connect_to(address);
        // Only a broken node redirects to more nodes than a cluster can have.
        if state.nodes.len() < SLOTS {
            state.nodes.push(node.clone());
        }
        node
    }

    /// Gives a slot to the node that a redirect names.
    fn assign(&self, slot: u16, address: Address) {
        let mut state = self.state();
        let place = state.place(address, |address| self.connect_to(address));
        if let Some(owner) = state.slots.get_mut(usize::from(slot)) {
            *owner = place;
        }
    }

    /// Replaces the map by a node's description. Connections to nodes without slots are dropped, which closes those that
    /// no call uses.
    fn settle(&self, ranges: Vec<map::Range>, asked: Node) {
        let mut state = self.state();
        let mut known = std::mem::take(&mut state.nodes);
        known.push(asked);
        state.slots = vec![NOBODY; SLOTS];
        state.hides_nodes = ranges.iter().any(|range| range.owner.is_none());
        for range in ranges {
            let Some(owner) = range.owner else { continue };
            let place = state.place(owner, |address| {
                match known.iter().position(|node| node.address == address) {
                    Some(place) => known.swap_remove(place),
                    None => self.connect_to(address),
                }
            });
            if let Some(slots) = state.slots.get_mut(range.first..=range.last) {
                slots.fill(place);
            }
        }
    }
}

impl State {
    /// Returns the place of the node at an address.
    fn place(&mut self, address: Address, make: impl FnOnce(Address) -> Node) -> u16 {
        let place = self.nodes.iter().position(|node| node.address == address);
        let place = place.unwrap_or_else(|| {
            self.nodes.push(make(address));
            self.nodes.len() - 1
        });
        // A cluster has at most 16,384 primaries, and the nodes of redirects are dropped with the next description.
        u16::try_from(place).unwrap_or(NOBODY)
    }
}
