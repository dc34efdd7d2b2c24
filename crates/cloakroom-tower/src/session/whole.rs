//! All members of a session at once.

use cloakroom_core::Error;
use serde::de::DeserializeOwned;

use super::Session;

impl Session {
    /// Reads all members into a type, as if they were one JSON object, without the cookie.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) when they are not a `T`: the message names the member, and
    /// nothing of its value, as in [`SessionData::read`](cloakroom_core::SessionData::read). Then as [`get`](Self::get).
    ///
    /// ```
    /// #[derive(serde::Deserialize)]
    /// struct Shop {
    ///     user: Option<String>,
    ///     #[serde(default)]
    ///     cart: Vec<String>,
    /// }
    ///
    /// # fn example(session: cloakroom_tower::Session) -> Result<usize, cloakroom_core::Error> {
    /// let shop: Shop = session.read()?;
    /// # Ok(shop.user.map_or(0, |_| shop.cart.len())) }
    /// ```
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.copy("read")?.read()
    }

    /// Removes all members, and keeps the id, the cookie and the [end](Self::set_end_after).
    ///
    /// The safe preset removes the members that this request knows of: one that another request adds in the meantime
    /// stays.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn clear(&self) -> Result<(), Error> {
        let computed = {
            let mut state = self.shared().open_for_change("clear")?;
            state.record_mut("clear")?.clear();
            state.memory.take_computed(None)
        };
        drop(computed);
        Ok(())
    }

    /// Undoes what this request has changed: the session is as it was loaded, or as it was last saved by hand. A session
    /// that this request has made is new and empty again, so that nothing is stored and no cookie is sent.
    ///
    /// It asks nothing of the store. With the safe preset it undoes [`regenerate`](Self::regenerate), too, as long as the
    /// new session is not saved. With the express preset the old session is gone by then: the new one is empty after
    /// [`regenerate`](Self::regenerate), and after [`regenerate_keeping_data`](Self::regenerate_keeping_data) it keeps what
    /// it had from the old one.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert): what was [destroyed](Self::destroy) or [unset](Self::unset) stays so.
    /// [`Timeout`](cloakroom_core::ErrorKind::Timeout) when another handle is asking the store and gets no answer.
    ///
    /// ```
    /// # use cloakroom_core::Error;
    /// # use cloakroom_tower::Session;
    /// async fn add(session: Session, item: String) -> Result<http::StatusCode, Error> {
    ///     let items = session.modify("items", |items: Option<u32>| items.unwrap_or_default() + 1)?;
    ///     session.insert("last", item)?;
    ///     if items > 100 {
    ///         session.rollback().await?;
    ///         return Ok(http::StatusCode::CONFLICT);
    ///     }
    ///     Ok(http::StatusCode::CREATED)
    /// }
    /// ```
    pub async fn rollback(&self) -> Result<(), Error> {
        self.life().rollback().await
    }
}
