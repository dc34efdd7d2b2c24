//! Stores in files, and the bare system calls.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cloakroom::file::{FileOptions, FileStore};
use cloakroom_bench::{commands::Counts, tasks::Task};
use tokio::task::spawn_blocking;

use crate::{
    backend::{Answer, Backend},
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::{self, Declared, PATIENCE},
    node::NodeStore,
};

const BARE: &str = "a read, or a write and a rename";

fn sid(number: usize) -> String {
    format!("{number:032x}")
}

/// A folder, which is removed at the end.
pub(crate) struct InFiles(PathBuf);

impl Backend for InFiles {
    const NAME: &str = "Files";

    fn start() -> Self {
        let name = format!("cloakroom-bench-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let folder = |name: &str| {
            let folder = self.0.join(name);
            fs::create_dir_all(&folder).expect("there is space");
            folder
        };
        let count = || std::future::ready(Counts::new());
        let place = Place::new(format!("{}, {size}", Self::NAME), None, BARE, count);
        let bare_folder = folder("bare");
        let mut cases = bare(&place, &bare_folder, text);
        // The bare calls do not wait for the disk, nor does npm's package wait for the name of a file to be there.
        let options = FileOptions::default().with_durable(false).with_deadline(PATIENCE);
        let store = FileStore::in_folder(folder("cloakroom"), options).expect("it is a folder");
        let commands = Declared::default();
        let (ours, our_answer) = cloakroom_store::cases(&place, store, text, sid, commands).await;
        let node = folder("node");
        let node = Arc::new(NodeStore::start("session-file-store", &node.to_string_lossy(), text));
        cases.extend(ours);
        cases.extend(["get", "set", "touch"].map(|work| Case::node(&place, &node, work)));
        let bare_answer = Answer::new(BARE, move || {
            let text = fs::read(bare_folder.join(sid(0))).expect("it is there");
            std::future::ready(serde_json::from_slice(&text).expect("it is JSON"))
        });
        (cases, vec![bare_answer, our_answer, node.answer()])
    }
}

impl Drop for InFiles {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bare(place: &Place, folder: &Path, text: &str) -> Vec<Case> {
    let text: Arc<str> = text.into();
    for number in 0..KEYS {
        write(&folder.join(sid(number)), &text).expect("there is space");
    }
    let bytes = text.len();
    let folder: Arc<Path> = folder.into();
    let get = with_clone(&folder, move |folder, mut task: Task| async move {
        while let Some(number) = task.next() {
            let file = folder.join(sid(key(&task, number)));
            let text = spawn_blocking(move || fs::read(file)).await.expect("it does not panic");
            assert_eq!(text.expect("it is there").len(), bytes);
        }
    });
    let both = (folder, text);
    let set = with_clone(&both, |(folder, text), mut task: Task| async move {
        while let Some(number) = task.next() {
            let (file, text) = (folder.join(sid(key(&task, number))), Arc::clone(&text));
            let written = spawn_blocking(move || write(&file, &text)).await;
            written.expect("it does not panic").expect("there is space");
        }
    });
    let touch = with_clone(&both, |(folder, _), mut task: Task| async move {
        while let Some(number) = task.next() {
            let file = folder.join(sid(key(&task, number)));
            let change = move || write(&file, &fs::read_to_string(&file)?);
            let written = spawn_blocking(change).await;
            written.expect("it does not panic").expect("it is there");
        }
    });
    vec![
        Case::new(place, BARE, "get", get),
        Case::new(place, BARE, "set", set),
        Case::new(place, BARE, "touch", touch),
    ]
}

/// Replaces a file as a whole.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension(format!("{:?}", std::thread::current().id()));
    fs::write(&new, text)?;
    fs::rename(new, file)
}
