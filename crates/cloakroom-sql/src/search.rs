//! The search by a value: pages of the rows with its key, and of those with an odd one, each read and compared.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, IndexValue, Operation, check_index_path, is_index_path};
use cloakroom_core::{Error, ErrorKind, FindBy, Listed};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::{
    call::Call,
    check::Checked,
    dialect::Dialect,
    enumerate::{Place, SESSIONS},
    statement::{DATA, LAST, Statement, Values},
    store::SqlStore,
    value_index::{ODD, ValueIndex, key},
};

/// What a search needs for each of its pages.
struct Search {
    checked: Arc<Checked>,
    statement: Statement,
    path: String,
    value: String,
}

impl SqlStore {
    /// Returns the statement that creates the index by the value at a path, for a table that is so large that
    /// [`create_index`](FindBy::create_index) meets the deadline. Nothing is created.
    ///
    /// PostgreSQL then lets the sessions be written meanwhile if `CONCURRENTLY` is put before `IF NOT EXISTS`.
    ///
    /// # Errors
    ///
    /// As for [`create_index`](FindBy::create_index).
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let store = cloakroom_sql::SqlStore::open("sqlite::memory:")?;
    /// let statement = store.index_statement("passport.user").await?;
    /// assert!(statement.starts_with("CREATE INDEX IF NOT EXISTS \"cloakroom_passport_user_"));
    /// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
    /// ```
    pub async fn index_statement(&self, path: &str) -> Result<String, Error> {
        let operation = self.operation("index_statement", Idempotency::Read);
        check_index_path(&operation, path)?;
        let checked = self.checked(&operation).await?;
        self.value_index(&operation, &checked, path).map(|index| index.create())
    }

    fn value_index<'t>(
        &'t self,
        operation: &Operation,
        checked: &Checked,
        path: &'t str,
    ) -> Result<ValueIndex<'t>, Error> {
        ValueIndex::new(self.table(), checked.data_type, path).ok_or_else(|| {
            let message = match self.table().dialect {
                Dialect::MySql => {
                    "a column of the type json cannot be indexed by a path, only a text"
                }
                _ => "a column of text cannot be indexed by a path, only json or jsonb",
            };
            operation.error(ErrorKind::Unsupported, message)
        })
    }

    /// Returns true if the index exists. It is looked for until it does.
    async fn has_index(&self, operation: &Operation, name: &str) -> Result<bool, Error> {
        if self.indexes().contains(name) {
            return Ok(true);
        }
        let (table, dialect) = (self.table(), self.table().dialect);
        let look = Statement::new(dialect, ValueIndex::look(dialect));
        let known_as = match dialect {
            Dialect::Postgres => table.quoted(),
            Dialect::MySql | Dialect::Sqlite => table.name.clone(),
        };
        let values = || Values { sid: &known_as, data: name, ..Values::default() };
        let answer = self.run(&operation.reading(), |_| Call::rows(&look, values())).await?;
        if answer.rows.is_empty() {
            return Ok(false);
        }
        self.indexes().insert(name.to_owned());
        Ok(true)
    }

    /// Returns the sessions with a key that have the value.
    fn with_key<'s>(
        &'s self,
        search: Arc<Search>,
        key: String,
    ) -> BoxStream<'s, Result<Listed, Error>> {
        let pages = stream::try_unfold(Some(Place::first()), {
            let search = Arc::clone(&search);
            move |place| {
                let (search, key) = (Arc::clone(&search), key.clone());
                async move {
                    let Some(place) = place else { return Ok(None) };
                    let operation = self.operation("find", Idempotency::Read);
                    let Search { checked, statement, .. } = &*search;
                    self.rows(&operation, checked, statement, &key, place, SESSIONS).await.map(Some)
                }
            }
        });
        pages
            .map_ok(move |page| {
                let search = Arc::clone(&search);
                let listed =
                    page.into_iter().filter_map(|row| self.listed("find", row).transpose());
                let theirs = listed.filter(move |listed| match listed {
                    Ok(listed) => listed.session.has_value(&search.path, &search.value),
                    Err(_) => true,
                });
                stream::iter(theirs)
            })
            .try_flatten()
            .boxed()
    }
}

#[async_trait]
impl FindBy for SqlStore {
    /// For tables of PostgreSQL whose sessions have the type `json` or `jsonb`, of SQLite, and of MariaDB and MySQL
    /// whose sessions are texts, which `json` of MariaDB is, too: these get a generated column. While the index is made,
    /// no session can be written; [`index_statement`](SqlStore::index_statement) returns what is sent.
    async fn create_index(&self, path: &str) -> Result<(), Error> {
        let operation = self.operation("create_index", Idempotency::Repeatable);
        check_index_path(&operation, path)?;
        let checked = self.checked(&operation).await?;
        let index = self.value_index(&operation, &checked, path)?;
        let create = Statement { sql: index.create(), slots: Vec::new() };
        let made = self.run(&operation, |_| Call::write(&create, Values::default())).await;
        match made {
            Ok(_) => Ok(()),
            // PostgreSQL's `IF NOT EXISTS` does not see what another process has not committed yet.
            Err(error) => match self.has_index(&operation, &index.name()).await {
                Ok(true) => Ok(()),
                _ => Err(error),
            },
        }
    }

    async fn find<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let operation = self.operation("find", Idempotency::Read);
        let wanted = IndexValue::parse(value).filter(|_| is_index_path(path));
        let Some(wanted) = wanted else { return Ok(None) };
        let checked = self.checked(&operation).await?;
        let Some(index) = ValueIndex::new(self.table(), checked.data_type, path) else {
            return Ok(None);
        };
        if !self.has_index(&operation, &index.name()).await? {
            return Ok(None);
        }
        let (condition, order) = (index.condition(DATA, LAST), index.order());
        let order = match self.table().dialect {
            // Ids that begin alike.
            Dialect::Postgres => format!("{order}, {}", index.id()),
            Dialect::MySql | Dialect::Sqlite => order,
        };
        let statement = checked.statements.listing(self.table().dialect, &condition, &order);
        let (path, value) = (path.to_owned(), value.to_owned());
        let search = Arc::new(Search { checked, statement, path, value });
        let odd = self.with_key(Arc::clone(&search), ODD.to_owned());
        Ok(Some(match key(&wanted) {
            Some(key) => self.with_key(search, key).chain(odd).boxed(),
            None => odd,
        }))
    }
}
