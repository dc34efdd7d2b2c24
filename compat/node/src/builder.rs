//! The builder of a store.

use std::{
    ffi::OsStr,
    fmt,
    path::{self, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cloakroom_backend::MAX_RECORD;
use cloakroom_core::{Error, ErrorKind};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    event::NodeEvent,
    settings::{NodeStyle, OnEvent, Settings},
    store::NodeStore,
};

/// Builds a [`NodeStore`]; see [`NodeStore::builder`].
pub struct NodeStoreBuilder {
    module: Option<String>,
    export: Option<String>,
    factory: Option<String>,
    options: Result<Value, serde_json::Error>,
    name: Option<String>,
    folder: PathBuf,
    node: PathBuf,
    environment: Vec<(String, String)>,
    style: NodeStyle,
    deadline: Duration,
    start_deadline: Duration,
    max_record: u64,
    most_calls: usize,
    most_bytes: usize,
    shows_output: bool,
    on_event: Option<OnEvent>,
}

impl NodeStore {
    /// Returns a builder, which needs at least a [module](NodeStoreBuilder::module) or a
    /// [factory](NodeStoreBuilder::factory).
    #[must_use]
    pub fn builder() -> NodeStoreBuilder {
        NodeStoreBuilder::default()
    }

    /// Returns the store that a file makes: `node:./store.mjs`, or `node:///srv/app/store.mjs`. Its default export is a
    /// [factory](NodeStoreBuilder::factory), and the packages are those of its folder. It starts no process.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the URL does not name such a file.
    pub fn open(url: &str) -> Result<Self, Error> {
        let invalid = || {
            let message = "invalid url: must be node: and a file that ends in .js, .mjs or .cjs";
            Error::new(ErrorKind::Config, "node", "open", message)
        };
        let (scheme, path) = url.split_once(':').ok_or_else(invalid)?;
        let path = Path::new(path.strip_prefix("//").unwrap_or(path));
        let name = path.file_name().and_then(OsStr::to_str).ok_or_else(invalid)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if !scheme.eq_ignore_ascii_case("node") || !is_file(name) {
            return Err(invalid());
        }
        Self::builder().folder(folder.unwrap_or(Path::new("."))).factory(name).name(name).build()
    }
}

impl Default for NodeStoreBuilder {
    fn default() -> Self {
        Self {
            module: None,
            export: None,
            factory: None,
            options: Ok(json!({})),
            name: None,
            folder: PathBuf::from("."),
            node: PathBuf::from("node"),
            environment: Vec::new(),
            style: NodeStyle::default(),
            deadline: Duration::from_secs(5),
            start_deadline: Duration::from_secs(30),
            max_record: MAX_RECORD,
            most_calls: 10_000,
            most_bytes: 64 * 1_024 * 1_024,
            shows_output: false,
            on_event: None,
        }
    }
}

impl NodeStoreBuilder {
    /// Sets the package of the store, such as `connect-redis`, or a file, such as `./store.js`. It is loaded by
    /// `import()`, so CommonJS and ES modules both work.
    ///
    /// Without a [factory](Self::factory), the store is made of its export:
    ///
    /// - a class is constructed with the options: `new RedisStore(options)`;
    /// - another function is called with `express-session`, and what it returns is constructed or taken:
    ///   `new (require("connect-memcached")(session))(options)`;
    /// - an object with `get`, `set` and `destroy` is the store.
    ///
    /// The export is the one that [`export`](Self::export) names; else the only one whose name ends in `Store`; else
    /// the default one.
    #[must_use]
    pub fn module(mut self, module: impl Into<String>) -> Self {
        self.module = Some(module.into());
        self
    }

    /// Sets the export of the module, such as `MemoryStore` of `express-session`.
    #[must_use]
    pub fn export(mut self, export: impl Into<String>) -> Self {
        self.export = Some(export.into());
        self
    }

    /// Sets what makes the store: an expression of JavaScript, or a file whose name ends in `.js`, `.mjs` or `.cjs`, and
    /// whose default export it is.
    ///
    /// It is a function, which may be async and returns the store, or the store itself. The function receives an object
    /// with
    ///
    /// - `module`, the module, if there is one;
    /// - `options`, the options;
    /// - `session`, which is `express-session` if it is installed, and otherwise an object with its `Store`;
    /// - `load(name)`, which imports another package of the folder, and `require`.
    ///
    /// ```
    /// use cloakroom_node::NodeStore;
    ///
    /// let store = NodeStore::builder().module("connect-redis").factory(
    ///     r#"async ({ module, options, load }) => {
    ///         const { createClient } = await load("redis");
    ///         const client = createClient({ url: options.url });
    ///         client.on("error", () => {});
    ///         await client.connect();
    ///         return new module.RedisStore({ client, prefix: "app:" });
    ///     }"#,
    /// );
    /// ```
    #[must_use]
    pub fn factory(mut self, factory: impl Into<String>) -> Self {
        self.factory = Some(factory.into());
        self
    }

    /// Sets the options of the store, which become JSON. `{}` by default.
    ///
    /// Pass secrets here, or by [`env`](Self::env): the options go to the child over a socket, so no list of processes
    /// shows them, and neither `Debug` nor an error does.
    #[must_use]
    pub fn options(mut self, options: impl Serialize) -> Self {
        self.options = serde_json::to_value(options);
        self
    }

    /// Sets the name in errors. By default, it is that of the module, or `node`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the folder whose `node_modules` has the packages. It is the current folder of the child. The current folder
    /// of this process by default.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Sets the program, if it is not the `node` on the `PATH`. It must be Node.js 20 or newer.
    #[must_use]
    pub fn node(mut self, node: impl Into<PathBuf>) -> Self {
        self.node = node.into();
        self
    }

    /// Adds a variable to the environment of the child, which is otherwise that of this process.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets how the store's methods answer, if it cannot be seen: see [`NodeStyle`].
    #[must_use]
    pub fn style(mut self, style: NodeStyle) -> Self {
        self.style = style;
        self
    }

    /// Sets the deadline of each call, 5 s by default. A child that says nothing for three quarters of it, although an
    /// answer is due, is killed.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how long a child may take until it has its store, 30 s by default. Calls wait for it only until their own
    /// deadline.
    #[must_use]
    pub fn start_deadline(mut self, deadline: Duration) -> Self {
        self.start_deadline = deadline;
        self
    }

    /// Sets the limit on the size of a record in bytes, 16 MiB by default.
    #[must_use]
    pub fn max_record(mut self, bytes: u64) -> Self {
        self.max_record = bytes;
        self
    }

    /// Sets how many calls may wait to be sent, 10,000 by default, and of how many bytes, 64 MiB by default. Beyond
    /// them, a call fails with `Unavailable` at once.
    #[must_use]
    pub fn queue(mut self, calls: usize, bytes: usize) -> Self {
        (self.most_calls, self.most_bytes) = (calls, bytes);
        self
    }

    /// Shows what the child prints, and the messages of the store's errors, on the standard error of this process.
    ///
    /// Turn it on to find out what is wrong. What is printed may have ids, session data and passwords.
    #[must_use]
    pub fn show_output(mut self) -> Self {
        self.shows_output = true;
        self
    }

    /// Calls a function for each event, on a thread of the store. Until it returns, no answer is read.
    #[must_use]
    pub fn on_event(mut self, handler: impl Fn(NodeEvent<'_>) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(handler));
        self
    }

    /// Returns the store. It starts no process: the first call does, or [`ready`](NodeStore::ready).
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if there is neither a module nor a factory, or if a value is invalid.
    pub fn build(self) -> Result<NodeStore, Error> {
        self.settings().map(NodeStore::new)
    }

    pub(crate) fn settings(self) -> Result<Settings, Error> {
        let name = self.name.clone().or_else(|| self.module.clone());
        let name = name.unwrap_or_else(|| "node".to_owned());
        let invalid =
            |message: &str| Error::new(ErrorKind::Config, name.clone(), "open", message.to_owned());
        if self.module.is_none() && self.factory.is_none() {
            return Err(invalid("there is no store to run: name a `module` or give a `factory`"));
        }
        if self.export.is_some() && self.factory.is_some() {
            return Err(invalid("`export` is for a store without a `factory`: pick it there"));
        }
        let texts = [&self.module, &self.export, &self.factory, &self.name];
        if texts.into_iter().flatten().any(|text| text.trim().is_empty()) {
            return Err(invalid("a module, an export, a factory and a name must not be empty"));
        }
        if self.environment.iter().any(|(name, value)| {
            name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
        }) {
            return Err(invalid(
                "invalid variable of the environment: its name must not be empty or have a \"=\", and neither part may have a NUL",
            ));
        }
        if self.deadline.is_zero() || self.start_deadline.is_zero() {
            return Err(invalid("invalid deadline: must be above zero"));
        }
        // serde_json's message may quote a secret.
        let options =
            self.options.map_err(|_| invalid("invalid options: they cannot be written as JSON"))?;
        let folder = path::absolute(&self.folder)
            .map_err(|_| invalid("invalid folder: must not be empty"))?;
        let (file, factory) = match self.factory {
            Some(text) if is_file(&text) => (folder.join(text).to_str().map(str::to_owned), None),
            factory => (None, factory),
        };
        let start = json!({
            "name": name,
            "module": self.module,
            "export": self.export,
            "factory": factory,
            "file": file,
            "options": options,
            "style": self.style.as_str(),
            "maxRecord": self.max_record,
            "shows": self.shows_output,
        });
        Ok(Settings {
            name,
            node: self.node,
            folder,
            environment: self.environment,
            start: start.to_string(),
            // A year keeps every deadline within the range of `Instant`.
            deadline: self.deadline.min(YEAR),
            start_deadline: self.start_deadline.min(YEAR),
            // The length of a frame has 32 bits.
            max_record: self.max_record.min(1 << 31),
            most_calls: self.most_calls,
            most_bytes: self.most_bytes,
            shows_output: self.shows_output,
            on_event: self.on_event,
        })
    }
}

/// Returns true if a factory is a file, and not an expression.
fn is_file(factory: &str) -> bool {
    let has_ending = [".js", ".mjs", ".cjs"].iter().any(|ending| factory.ends_with(ending));
    has_ending && !factory.contains(['\n', '('])
}

const YEAR: Duration = Duration::from_secs(86_400 * 365);

// The factory, the options and the environment may have passwords.
impl fmt::Debug for NodeStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeStoreBuilder")
            .field("module", &self.module)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
