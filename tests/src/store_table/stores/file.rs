use cloakroom_file::{FileOptions, FileStore};

use super::{
    super::{
        Result,
        column::{Backend, Column},
        outcomes::Outcomes,
        round_trips::round_trips,
    },
    PATIENCE, SUITE,
};

const CRATE: &str = "cloakroom-file";

pub(super) async fn column() -> Result<Column> {
    let parent = tempfile::tempdir()?;
    let options = FileOptions::default().with_deadline(PATIENCE);
    let store = FileStore::in_folder(parent.path().join("counted"), options)?;
    Ok(Column {
        name: "Files",
        round_trips: round_trips(&store, &mut || Ok(0)).await?,
        outcomes: Outcomes::declared(&store, CRATE, SUITE, Some("durable")).await?,
        backend: Some(Backend::new(CRATE, "the file system".to_owned(), "fs4")?),
    })
}
