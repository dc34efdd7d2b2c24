//! The real express-session: `tests/node/differential.mjs`.

use cloakroom_test_support::NodeProgram;
use serde_json::{Value, json};

pub(crate) struct Theirs {
    pub(crate) origin: String,
    node: NodeProgram,
}

impl Theirs {
    pub(crate) fn start(redis: &str) -> Self {
        let node =
            NodeProgram::start("differential.mjs", &["--url", &format!("{redis}/0")], &[]).unwrap();
        let ready: Value = node.ready().parse().unwrap();
        Self { origin: format!("http://127.0.0.1:{}", ready["port"]), node }
    }

    pub(crate) fn set_now(&mut self, now_ms: i64) {
        self.tell(json!({ "now": now_ms }));
    }

    pub(crate) fn set_options(&mut self, options: &Value) {
        self.tell(json!({ "options": options }));
    }

    pub(crate) fn restart_ids(&mut self) {
        self.tell(json!({ "ids": 1 }));
    }

    fn tell(&mut self, line: Value) {
        self.node.call::<Value>(line).unwrap();
    }
}
