//! Defects of the listing.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{Enumerate, Error, ErrorKind, FindBy, Listed, SessionData, Store};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use crate::broken::{
    Broken,
    Op::{Create, Destroy, Get, Set, Touch, Update},
};

impl Broken {
    /// The listing of `ids` or of `all`, with the defects of that name.
    async fn listed(&self, what: &str) -> Vec<Result<Listed, Error>> {
        let mut items: Vec<_> = self.inner().all().collect().await;
        items.iter_mut().flatten().for_each(|listed| self.mistell(listed));
        let Some(defect) = self.shared.defect.strip_prefix(what) else { return items };
        match defect {
            "_lists_live_sessions" => {
                let known: Vec<String> = self.notes().last.keys().cloned().collect();
                let destroyed = known
                    .into_iter()
                    .filter(|sid| sid.starts_with("session-") && self.times(Destroy, sid) > 0);
                items.extend(destroyed.map(|sid| Ok(empty(sid))));
            }
            "_gives_ids_and_records" if items.len() > 1 => {
                for Listed { session, .. } in items.iter_mut().flatten() {
                    session.cookie_mut().set_http_only(false);
                    let stored = session.to_json().into_owned();
                    *session = SessionData::from_json(stored).unwrap();
                }
            }
            "_leaves_expired_sessions_out" => {
                let expired = self.expired_ids().await;
                items.extend(expired.into_iter().map(|sid| Ok(empty(sid))));
            }
            "_lists_more_than_a_page" => items.truncate(100),
            "_goes_on_after_a_corrupt_record" => {
                let end = items.iter().position(Result::is_err).map_or(items.len(), |at| at + 1);
                items.truncate(end);
            }
            "_come_back_as_they_were_set" => {
                for Listed { id, .. } in items.iter_mut().flatten() {
                    *id = id.replace(':', "%3A");
                }
            }
            "_lists_sessions_however_they_were_stored" => {
                items.retain(|item| !item.as_ref().is_ok_and(|one| self.was_updated(&one.id)));
            }
            "_leaves_neighbours_out" => {
                items.extend(self.shared.neighbour.all().collect::<Vec<_>>().await);
            }
            _ => {}
        }
        items
    }

    /// Whether the session is missing in a list that `update` forgets to write.
    fn was_updated(&self, sid: &str) -> bool {
        sid == "updated" && self.times(Update, sid) > 0
    }

    /// What is wrong about one session.
    fn mistell(&self, listed: &mut Listed) {
        let text = listed.session.loaded_json();
        let is_foreign = self.times(Set, &listed.id) + self.times(Create, &listed.id) == 0;
        let wrong_ms = match self.shared.defect {
            "all_gives_each_session_as_get_does" => {
                listed.session = SessionData::from_json(text).unwrap();
                return;
            }
            // 32 bits of milliseconds would be enough for 25 days only if they had no sign.
            "all_tells_the_time_left" if listed.id == "weeks" => 1_200_000_000 % (1 << 30),
            "all_tells_the_time_left_after_a_touch"
                if listed.id == "id" && self.times(Touch, &listed.id) > 0 =>
            {
                600_000
            }
            "all_tells_the_time_left_in_the_backend"
                if is_foreign && text.contains("2001-01-01") =>
            {
                5_000
            }
            "a_session_without_an_end_has_no_time_left" if listed.time_left.is_none() => 86_400_000,
            _ => return,
        };
        listed.time_left = Some(Duration::from_millis(wrong_ms));
    }

    fn stream(&self, what: &'static str) -> BoxStream<'_, Result<Listed, Error>> {
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

fn empty(sid: String) -> Listed {
    Listed::new(sid, SessionData::new(), None)
}

#[async_trait]
impl Enumerate for Broken {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.stream("ids").map_ok(|listed| listed.id).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
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
            "length_counts_sessions_however_they_were_stored" => {
                let known: Vec<String> = self.inner().ids().try_collect().await?;
                known.iter().filter(|sid| !self.was_updated(sid)).count() as u64
            }
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
                ids.retain(|sid| !sid.starts_with("session-") || self.times(Get, sid) == 0);
            }
            "clear_removes_more_than_a_page" => ids.truncate(100),
            "clear_removes_sessions_however_they_were_stored" => {
                ids.retain(|sid| !self.was_updated(sid));
            }
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

    fn find_by(&self) -> Option<&dyn FindBy> {
        Some(self)
    }
}
