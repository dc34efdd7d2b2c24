//! The listing, page by page. session-file-store 1.5.0 lists names only, and counts expired sessions.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation, in_part};
use cloakroom_core::{Enumerate, Error, ErrorKind, Listed, SessionData, is_marker};
use futures::{
    future::ready,
    stream::{self, BoxStream, Stream, StreamExt, TryStreamExt},
};

use crate::{FileStore, name, store::Shared, until::Until, walk::Walk};

/// A session, and when it expires, in milliseconds since 1970. `None` if it never does.
type Found = (SessionData, Option<f64>);

type Page = Vec<(String, Result<Found, Error>)>;

/// Returns the id of a listed session. A record that cannot be read does not hide its id, so that it can be destroyed.
fn id((sid, read): (String, Result<Found, Error>)) -> Result<String, Error> {
    match read {
        Err(error) if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge) => {
            Err(error)
        }
        _ => Ok(sid),
    }
}

#[async_trait]
impl Enumerate for FileStore {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.sessions("ids")
            .map_ok(|page| stream::iter(page.into_iter().map(id)))
            .try_flatten()
            .boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.sessions("all")
            .map_ok(|page| {
                stream::iter(page.into_iter().map(|(sid, read)| {
                    read.map(|(session, expires_ms)| {
                        Listed::new(sid, session, expires_ms.and_then(|at| self.time_left(at)))
                    })
                }))
            })
            .try_flatten()
            .boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        self.sessions("length")
            .try_fold(0, |length, page| async move {
                let ids = page.into_iter().map(id).collect::<Result<Vec<_>, _>>()?;
                Ok(length + ids.len() as u64)
            })
            .await
    }

    /// Removes the files with the extension. Other files stay, and the folder itself.
    async fn clear(&self) -> Result<(), Error> {
        let mut pages = std::pin::pin!(self.pages("clear"));
        let mut has_removed = false;
        while let Some(names) = pages.try_next().await.map_err(in_part(has_removed))? {
            let operation = self.operation("clear", Idempotency::Repeatable);
            let work = move |shared: &Shared, until: &Until| {
                for (number, name) in names.iter().enumerate() {
                    let remove = || {
                        let _lock = shared.folder.lock(name, until)?;
                        shared.folder.remove(name)
                    };
                    remove().map_err(in_part(number > 0))?;
                }
                Ok(())
            };
            self.writing(&operation, work).await.map_err(in_part(has_removed))?;
            has_removed = true;
        }
        // Also if the folder is empty: the call that removed the files may have failed at this point.
        let operation = self.operation("clear", Idempotency::Repeatable);
        self.reading(&operation, |shared| shared.folder.sync_if_there())
            .await
            .map_err(Error::with_outcome_unknown)
    }
}

impl FileStore {
    /// Returns the names of the sessions' files, page by page.
    pub(crate) fn pages(
        &self,
        operation: &'static str,
    ) -> impl Stream<Item = Result<Vec<String>, Error>> + Send + '_ {
        // The folder is read in steps, since 100,000 names would block a thread for long.
        stream::try_unfold(Walk::default(), move |walk| async move {
            let operation = self.operation(operation, Idempotency::Read);
            self.reading(&operation, move |shared| shared.page(walk)).await
        })
        .try_filter(|names| ready(!names.is_empty()))
    }

    /// Returns the live sessions, page by page, without markers.
    fn sessions(
        &self,
        operation: &'static str,
    ) -> impl Stream<Item = Result<Page, Error>> + Send + '_ {
        let in_time = move |names| {
            stream::try_unfold(names, move |names: Vec<String>| async move {
                if names.is_empty() {
                    return Ok(None);
                }
                let operation = self.operation(operation, Idempotency::Read);
                let time = Time::of(&operation);
                let work = move |shared: &Shared| Ok(shared.load(names, &time));
                let (page, rest) = self.reading(&operation, work).await?;
                let named = |(sid, read): (String, Result<Found, Error>)| {
                    (sid, read.map_err(|error| operation.named(error)))
                };
                Ok(Some((page.into_iter().map(named).collect(), rest)))
            })
        };
        self.pages(operation).map_ok(in_time).try_flatten()
    }
}

/// How long a blocking thread works on the files of a page. The rest of them gets another call: session-file-store derives
/// a key for each record that it encrypts, which takes 40 ms to derive again, so that 128 of them take longer than a call.
pub(crate) struct Time {
    began: Instant,
    most: Duration,
}

impl Time {
    pub(crate) fn of(operation: &Operation) -> Self {
        Self { began: Instant::now(), most: operation.time_left() / 4 }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.began.elapsed() >= self.most
    }
}

impl Shared {
    /// Returns the sessions in these files, and the names of those for which there was no time.
    fn load(&self, names: Vec<String>, time: &Time) -> (Page, Vec<String>) {
        let mut page = Page::with_capacity(names.len());
        let mut names = names.into_iter();
        for name in names.by_ref() {
            let Some(sid) = name::to_id(&name, &self.options.file_extension) else { continue };
            if is_marker(sid) {
                continue;
            }
            if let Some(read) = self.live(&name).transpose() {
                let read =
                    read.map(|(record, session)| (session, record.expires_ms(self.ttl_ms())));
                page.push((sid.to_owned(), read));
            }
            if time.is_over() {
                break;
            }
        }
        (page, names.collect())
    }
}
