//! The cursor of `SCAN` and `ZSCAN`, which holds only on one connection.
//!
//! A cursor is a place in a hash table whose order depends on a random seed of the server's process. After a restart or a
//! failover, an old cursor would skip keys, and no server says so. So a cursor is used only on the connection that
//! returned it; on another one, which may lead to another process, the listing begins again.
//!
//! The nodes of a cluster are listed one after the other. A primary that was replaced in the meantime and comes back as an
//! empty replica answers `SCAN` with nothing until it has its data again. So a node whose connection was made after the
//! cluster had described itself must still be a primary at the end; otherwise the listing begins again as well.

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};
use redis::Value;

use crate::{connection::Part, error, live::Live, own::Own, reply};

/// The cursor that starts a listing and, as an answer, ends it.
const START: &[u8] = b"0";

/// How often a listing begins again. Each time it returns again what it has returned before.
const MOST_AGAIN: u32 = 3;

/// How far a listing has come.
pub(crate) struct Scan {
    cursor: Vec<u8>,
    /// The connection that returned the cursor. `None` if the application's connection does not tell.
    on: Option<u64>,
    begun_again: u32,
    /// The number of the first connection that is newer than the list of the nodes.
    newest: u64,
    /// The nodes that were listed on newer connections.
    doubted: Vec<Own>,
}

impl Default for Scan {
    fn default() -> Self {
        Self { cursor: START.to_vec(), on: None, begun_again: 0, newest: 0, doubted: Vec::new() }
    }
}

impl Scan {
    /// Returns the cursor of the next page.
    pub(crate) fn cursor(&self) -> &[u8] {
        &self.cursor
    }

    /// Returns true before the first page and after the last one.
    pub(crate) fn is_at_start(&self) -> bool {
        self.cursor == START
    }

    /// Notes that the list of the nodes is the one of now.
    pub(crate) fn note_nodes(&mut self) {
        self.newest = Live::next_number();
        self.doubted.clear();
    }

    /// Notes that a server was listed to its end.
    pub(crate) fn note_end(&mut self, part: Option<Part>) {
        if let Some(Part::Node(own)) = part
            && self.on >= Some(self.newest)
        {
            self.doubted.push(own);
        }
    }

    /// Returns the nodes that may not have been primaries when they were listed.
    pub(crate) fn doubted(&self) -> &[Own] {
        &self.doubted
    }

    /// Lets the listing begin again.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) if it has begun again too often.
    pub(crate) fn begin_again(&mut self, operation: &Operation, why: &str) -> Result<(), Error> {
        if self.begun_again == MOST_AGAIN {
            let message = format!("{why} too often during the listing");
            return Err(operation.error(ErrorKind::Unavailable, message));
        }
        self.begun_again += 1;
        self.cursor = START.to_vec();
        Ok(())
    }

    /// Returns what a page has, and takes its cursor for the next one. Returns `None` if the page came on another
    /// connection than the cursor: then the listing begins again.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) if it has begun again too often; and the server's own errors.
    pub(crate) fn follow(
        &mut self,
        operation: &Operation,
        (answer, on): (Value, Option<u64>),
    ) -> Result<Option<Vec<Value>>, Error> {
        if !self.is_at_start() && self.on != on {
            self.begin_again(operation, "the connection was lost")?;
            return Ok(None);
        }
        let answer = reply::list(operation, answer)?;
        let Ok([cursor, page]) = <[Value; 2]>::try_from(answer) else {
            return Err(error::unexpected(operation));
        };
        let page = reply::list(operation, page)?;
        self.cursor = reply::text(operation, cursor)?.unwrap_or_default();
        self.on = on;
        Ok(Some(page))
    }
}
