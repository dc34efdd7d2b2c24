//! Drops the table.

use cloakroom_backend::Idempotency;
use cloakroom_core::Error;

use crate::{
    call::Call,
    statement::{Statement, Values},
    store::SqlStore,
};

impl SqlStore {
    /// Drops the table, with every session in it. Does nothing if the table does not exist.
    ///
    /// For the end of a test that had a table of its own; [`Enumerate::clear`](cloakroom_core::Enumerate::clear) ends all
    /// sessions and keeps the table. The next operation finds no table, or creates it again if
    /// [`create_table`](crate::SqlOptions::create_table) says so.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use cloakroom_core::{SessionData, Store};
    /// use cloakroom_sql::SqlStore;
    ///
    /// let store = SqlStore::open("sqlite::memory:?table=of_a_test")?;
    /// store.set("an id", &SessionData::new()).await?;
    /// store.drop_table().await?;
    /// assert_eq!(store.get("an id").await?, None);
    /// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own errors, such as that of a role that must not drop the table.
    pub async fn drop_table(&self) -> Result<(), Error> {
        let operation = self.operation("drop_table", Idempotency::Repeatable);
        let sql = format!("DROP TABLE IF EXISTS {}", self.table().quoted());
        let statement = Statement { sql, slots: Vec::new() };
        let dropped = self.run(&operation, |_| Call::write(&statement, Values::default())).await;
        self.forget_table();
        dropped.map(drop)
    }
}
