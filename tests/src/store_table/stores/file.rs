use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::Error;
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_test_backends::RawFiles;
use cloakroom_test_support::unique;

use super::{
    super::{
        Result,
        column::{Backend, Column},
        round_trips::round_trips,
    },
    PATIENCE, report, three,
};

const CRATE: &str = "cloakroom-file";

/// The folder that the stores have their folders in. It is removed at the end.
type Parent = tempfile::TempDir;

pub(super) async fn column() -> Result<Column> {
    let parent = tempfile::tempdir()?;
    let round_trips = round_trips(&in_folder(&parent, "counted")?, &mut || Ok(0)).await?;
    Ok(Column {
        name: "Files",
        report: report(parent, on_files).await,
        round_trips,
        backend: Some(Backend::new(CRATE, "the file system".to_owned(), "fs4")?),
    })
}

fn in_folder(parent: &Parent, name: &str) -> std::result::Result<FileStore, Error> {
    FileStore::in_folder(parent.path().join(name), FileOptions::default().with_deadline(PATIENCE))
}

fn on_files(parent: &Parent) -> StoreUnderTest {
    let name = unique("case");
    three(|part| in_folder(parent, &format!("{name}{part}")))
        .with_raw(RawFiles::new(parent.path().join(&name)))
}
