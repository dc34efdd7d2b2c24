//! All members of a session at once.

use cloakroom_core::Error;
use serde::de::DeserializeOwned;

use super::Session;

impl Session {
    /// Returns all members as one value, as if they were one JSON object. The cookie is left out.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if the members are not a `T`. The message names the
    /// member but never quotes its value, as in [`SessionData::read`](cloakroom_core::SessionData::read). And as
    /// [`get`](Self::get).
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

    /// Removes all members. The id, the cookie and the [end](Self::set_end_after) stay.
    ///
    /// The safe preset removes the members that this request has loaded. A member that another request adds in the
    /// meantime stays.
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

    /// Undoes the changes of this request: the session is again as it was loaded, or as [`save`](Self::save) last wrote
    /// it. A session that this request made is empty again, so nothing is stored and no cookie is sent.
    ///
    /// It does not ask the store. The safe preset also undoes [`regenerate`](Self::regenerate), and an
    /// [`unset`](Self::unset) before it, unless the new session was saved. With the express preset, the old session is
    /// already gone: after [`regenerate`](Self::regenerate) the new one is empty, and after
    /// [`regenerate_keeping_data`](Self::regenerate_keeping_data) it has the old one's members.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). A session that was [destroyed](Self::destroy) or [unset](Self::unset) stays so.
    /// [`Timeout`](cloakroom_core::ErrorKind::Timeout) if another handle waits for the store beyond the deadline.
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
