//! The option `encryption`: the store keeps ciphertexts.

use std::sync::Arc;

use cloakroom_core::{Error, ErrorKind};
use cloakroom_encryption::{Encryption, aside};
use tokio::time::timeout_at;

use crate::{
    MongoStore,
    call::Call,
    error::{self, STORE},
    runtime,
};

impl MongoStore {
    pub(crate) async fn encrypt(&self, call: &Call, json: String) -> Result<String, Error> {
        self.with_encryption(call, move |encryption| encryption.encrypt(&json)).await
    }

    pub(crate) async fn decrypt(&self, call: &Call, stored: String) -> Result<String, Error> {
        self.with_encryption(call, move |encryption| encryption.decrypt(&stored)).await
    }

    /// Runs the work, which can take tens of milliseconds, until the call's deadline.
    async fn with_encryption(
        &self,
        call: &Call,
        work: impl FnOnce(Arc<dyn Encryption>) -> Result<String, Error> + Send + 'static,
    ) -> Result<String, Error> {
        let Some(encryption) = self.options().encryption.clone() else {
            return Err(error::new(call, ErrorKind::Config, "the store has no encryption"));
        };
        runtime::current(call)?;
        runtime::check_time(call)?;
        match timeout_at(call.deadline, aside(move || work(encryption))).await {
            Ok(done) => done.map_err(|error| error.with_context(STORE, call.operation)),
            Err(_) => Err(error::timed_out(call)),
        }
    }
}
