//! The option `encryption`: what the store keeps is a ciphertext.

use std::sync::Arc;

use cloakroom_core::{Encryption, Error, ErrorKind};

use crate::{
    MongoStore,
    call::Call,
    error::{self, STORE},
    runtime,
};

impl MongoStore {
    pub(crate) async fn encrypt(&self, call: &Call, json: String) -> Result<String, Error> {
        self.apart(call, move |encryption| encryption.encrypt(&json)).await
    }

    pub(crate) async fn decrypt(&self, call: &Call, stored: String) -> Result<String, Error> {
        self.apart(call, move |encryption| encryption.decrypt(&stored)).await
    }

    /// Where it holds nobody up: a key takes tens of milliseconds.
    async fn apart(
        &self,
        call: &Call,
        work: impl FnOnce(Arc<dyn Encryption>) -> Result<String, Error> + Send + 'static,
    ) -> Result<String, Error> {
        let Some(encryption) = self.options().encryption.clone() else {
            return Err(error::new(call, ErrorKind::Config, "there is no encryption"));
        };
        let runtime = runtime::current(call)?;
        runtime::check_time(call)?;
        let task = runtime.spawn_blocking(move || work(encryption));
        match tokio::time::timeout_at(call.deadline, task).await {
            Ok(Ok(answer)) => answer.map_err(|error| error.with_context(STORE, call.operation)),
            Ok(Err(_)) => Err(error::cancelled(call)),
            Err(_) => Err(error::timed_out(call)),
        }
    }
}
