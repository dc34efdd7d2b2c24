//! What a file of this area has: a server, and who does what with it.

use std::pin::Pin;

use cloakroom_bench::Options;
use serde_json::Value;

use crate::case::Case;

/// The sizes of the records, by the names of their tables.
const SIZES: [(&str, usize); 2] = [("500 bytes", 500), ("20 KB", 20_480)];

/// A server, or whatever a store needs. It is started once for all sizes.
pub(crate) trait Backend: Sized {
    /// How the names of its tables begin.
    const NAME: &str;

    fn start() -> Self;

    /// What is measured with sessions of this text. Each subject has stored its sessions.
    fn cases(&self, size: &str, text: &str) -> impl Future<Output = (Vec<Case>, Vec<Answer>)>;
}

type Reading = Pin<Box<dyn Future<Output = Value>>>;

/// The members of a session as a subject reads them; a cookie may be among them.
pub(crate) struct Answer {
    name: &'static str,
    read: Box<dyn Fn() -> Reading>,
}

impl Answer {
    pub(crate) fn new<F: Future<Output = Value> + 'static>(
        name: &'static str,
        read: impl Fn() -> F + 'static,
    ) -> Self {
        Self { name, read: Box::new(move || -> Reading { Box::pin(read()) }) }
    }

    /// All subjects answer with the same session.
    async fn check(&self, expected: &Value) {
        let answer = without_cookie((self.read)().await);
        assert_eq!(answer, *expected, "{} answers with another session", self.name);
    }
}

/// The members of a session, without its cookie, which not all subjects store, and without what session-file-store adds.
pub(crate) fn without_cookie(mut session: Value) -> Value {
    if let Some(members) = session.as_object_mut() {
        members.remove("cookie");
        members.remove("__lastAccess");
    }
    session
}

pub(crate) async fn measure<B: Backend>(options: Options) {
    if !options.asks_for(B::NAME) {
        return;
    }
    let backend = B::start();
    for (size, bytes) in SIZES {
        if !options.asks_for(&format!("{}, {size}", B::NAME)) {
            continue;
        }
        let text = cloakroom_bench::documents::session(bytes, "2099-01-01T00:00:00.000Z");
        let session = without_cookie(serde_json::from_str(&text).expect("it is JSON"));
        let (mut cases, answers) = backend.cases(size, &text).await;
        let mut rounds = options.rounds;
        if options.quick && bytes > 500 {
            // Typical sessions show how the peers compare.
            cases.retain(Case::is_in_targets);
            rounds = rounds.min(2);
        }
        cases.retain(|case| options.asks_for(&case.full_name()));
        for answer in &answers {
            answer.check(&session).await;
        }
        let mut allocations = Vec::new();
        for case in &cases {
            allocations.push(case.warm_up(options.warm_up()).await);
        }
        for round in 0..rounds {
            for (case, allocations) in cases.iter().zip(&allocations) {
                if case.is_in_targets() || options.has_peers(round) {
                    case.sample(round, options.time(), *allocations).await.print();
                }
            }
        }
        for answer in &answers {
            answer.check(&session).await;
        }
    }
}
