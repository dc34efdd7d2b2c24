//! Defects of the listing.

use async_trait::async_trait;
use cloakroom_core::{Enumerate, Error, ErrorKind, SessionData, Store};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use crate::broken::{
    Broken,
    Op::{Destroy, Get, Set},
};

impl Broken {
    /// The listing of `ids` or of `all`, with the defects of that name.
    async fn listed(&self, what: &str) -> Vec<Result<(String, SessionData), Error>> {
        let mut items: Vec<_> = self.inner().all().collect().await;
        let Some(defect) = self.shared.defect.strip_prefix(what) else { return items };
        match defect {
            "_lists_live_sessions" => {
                let known: Vec<String> = self.notes().last.keys().cloned().collect();
                let destroyed = known.into_iter().filter(|sid| self.times(Destroy, sid) > 0);
                items.extend(destroyed.map(|sid| Ok((sid, SessionData::new()))));
            }
            "_gives_ids_and_records" => {
                for (_, session) in items.iter_mut().flatten() {
                    session.cookie_mut().set_http_only(false);
                    let stored = session.to_json().into_owned();
                    *session = SessionData::from_json(stored).unwrap();
                }
            }
            "_leaves_expired_sessions_out" => {
                let expired = self.expired_ids().await;
                items.extend(expired.into_iter().map(|sid| Ok((sid, SessionData::new()))));
            }
            "_lists_more_than_a_page" => items.truncate(100),
            "_goes_on_after_a_corrupt_record" => {
                let end = items.iter().position(Result::is_err).map_or(items.len(), |at| at + 1);
                items.truncate(end);
            }
            "_come_back_as_they_were_set" => {
                for (sid, _) in items.iter_mut().flatten() {
                    *sid = sid.replace(':', "%3A");
                }
            }
            "_leaves_neighbours_out" => {
                items.extend(self.shared.neighbour.all().collect::<Vec<_>>().await);
            }
            _ => {}
        }
        items
    }

    fn stream(&self, what: &'static str) -> BoxStream<'_, Result<(String, SessionData), Error>> {
        let sets = || self.notes().last.len();
        let until_it_changes =
            self.shared.defect.strip_prefix(what) == Some("_lists_what_lives_throughout");
        stream::once(self.listed(what))
            .flat_map(move |items| {
                let before = sets();
                stream::iter(items).take_while(move |_| {
                    let goes_on = !until_it_changes || sets() == before;
                    async move { goes_on }
                })
            })
            .boxed()
    }
}

#[async_trait]
impl Enumerate for Broken {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.stream("ids").map_ok(|(sid, _)| sid).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<(String, SessionData), Error>> {
        self.stream("all")
    }

    async fn length(&self) -> Result<u64, Error> {
        let length = self.inner().length().await?;
        Ok(match self.shared.defect {
            "length_counts_live_sessions" => {
                let known: Vec<String> = self.notes().last.keys().cloned().collect();
                let rewrites = known.iter().map(|sid| self.times(Set, sid) as u64 - 1).sum::<u64>();
                length + rewrites
            }
            "length_leaves_expired_sessions_out" => length + self.expired_ids().await.len() as u64,
            "length_counts_more_than_a_page" => length.min(100),
            "length_is_zero_once_all_are_gone" => {
                let mut notes = self.notes();
                let gone = !notes.cleared.is_empty();
                let before = *notes.length.get_or_insert(length);
                if gone { before } else { length }
            }
            "length_leaves_neighbours_out" => length + self.shared.neighbour.length().await?,
            _ => length,
        })
    }

    async fn clear(&self) -> Result<(), Error> {
        let mut ids: Vec<String> = self.inner().ids().try_collect().await?;
        self.notes().cleared.clone_from(&ids);
        match self.shared.defect {
            "clear_removes_every_session" if ids.len() < 100 => {
                ids.retain(|sid| self.times(Get, sid) == 0);
            }
            "clear_removes_more_than_a_page" => ids.truncate(100),
            "clear_of_an_empty_store_is_no_error" if ids.is_empty() => {
                return Err(Error::new(ErrorKind::Other, "memory", "clear", "no such collection"));
            }
            "clear_leaves_neighbours_alone" => self.shared.neighbour.clear().await?,
            _ => {}
        }
        for sid in ids {
            self.inner().destroy(&sid).await?;
        }
        Ok(())
    }
}
