//! Defects of the search by a value, which reads everything here.

use async_trait::async_trait;
use cloakroom_core::{Error, ErrorKind, FindBy, Listed, SessionData};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use crate::broken::Broken;

fn refused(kind: ErrorKind) -> Error {
    Error::new(kind, "memory", "create_index", "refused")
}

#[async_trait]
impl FindBy for Broken {
    async fn create_index(&self, path: &str) -> Result<(), Error> {
        let was_indexed = std::mem::replace(&mut self.notes().is_indexed, true);
        match self.shared.defect {
            "an_index_that_exists_is_not_an_error" if was_indexed && path == "passport.user" => {
                Err(refused(ErrorKind::Other))
            }
            "a_path_that_cannot_be_indexed_is_invalid_data" if path.contains('$') => {
                Err(refused(ErrorKind::Other))
            }
            _ if path.contains('$') => Err(refused(ErrorKind::InvalidData)),
            _ => Ok(()),
        }
    }

    async fn find<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let mut found: Vec<Listed> = self.all_of(path, value).await?;
        match self.shared.defect {
            "find_lists_the_sessions_with_the_value" => found.retain(|one| one.id != "both"),
            "find_leaves_expired_sessions_out" => {
                let expired = self.expired_ids().await.into_iter();
                found.extend(expired.map(|sid| Listed::new(sid, SessionData::new(), None)));
            }
            "find_lists_more_than_a_page" => found.truncate(100),
            "find_tells_values_apart_as_javascript_does" if value == "7" => {
                found.extend(self.all_of(path, "\"7\"").await?);
            }
            "find_misses_no_record" => {
                found.retain(|one| !one.session.loaded_json().contains("50e-1"));
            }
            "find_does_not_trust_what_it_looks_for" if value.contains("$gt") => {
                found = self.everything().await?;
            }
            _ => {}
        }
        Ok(Some(stream::iter(found).map(Ok).boxed()))
    }

    async fn find_known<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let mut found: Vec<Listed> = self.all_of(path, value).await?;
        match self.shared.defect {
            "known_sessions_are_found" => found.retain(|one| one.id != "created"),
            "known_sessions_follow_their_last_write" if value == "7" => {
                found.extend(self.all_of(path, "8").await?);
            }
            "known_sessions_need_an_index_or_a_list" => found.retain(|_| path == "passport.user"),
            _ => {}
        }
        Ok(Some(stream::iter(found).map(Ok).boxed()))
    }
}

impl Broken {
    async fn everything(&self) -> Result<Vec<Listed>, Error> {
        cloakroom_core::Enumerate::all(self.inner()).try_collect().await
    }

    async fn all_of(&self, path: &str, value: &str) -> Result<Vec<Listed>, Error> {
        let mut all = self.everything().await?;
        all.retain(|one| one.session.has_value(path, value));
        Ok(all)
    }
}
