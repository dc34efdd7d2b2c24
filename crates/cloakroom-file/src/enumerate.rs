//! The listing, page by page. session-file-store 1.5.0 lists names only, and counts expired sessions.

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, in_part};
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
        self.pages(operation).and_then(move |names| async move {
            let operation = self.operation(operation, Idempotency::Read);
            let page = self.reading(&operation, move |shared| Ok(shared.load(names))).await?;
            Ok(page
                .into_iter()
                .map(|(sid, read)| (sid, read.map_err(|error| operation.named(error))))
                .collect())
        })
    }
}

impl Shared {
    fn load(&self, names: Vec<String>) -> Page {
        let mut page = Page::with_capacity(names.len());
        for name in names {
            let Some(sid) = name::to_id(&name, &self.options.file_extension) else { continue };
            if is_marker(sid) {
                continue;
            }
            if let Some(read) = self.live(&name).transpose() {
                let read =
                    read.map(|(record, session)| (session, record.expires_ms(self.ttl_ms())));
                page.push((sid.to_owned(), read));
            }
        }
        page
    }
}
