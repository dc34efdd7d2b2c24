//! The option `encryption`.

use std::sync::Arc;

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};
use cloakroom_encryption::Encryption;

use crate::MongoStore;

impl MongoStore {
    pub(crate) async fn encrypt(
        &self,
        operation: &Operation,
        json: String,
    ) -> Result<String, Error> {
        self.with_encryption(operation, move |encryption| encryption.encrypt(&json)).await
    }

    pub(crate) async fn decrypt(
        &self,
        operation: &Operation,
        stored: String,
    ) -> Result<String, Error> {
        self.with_encryption(operation, move |encryption| encryption.decrypt(&stored)).await
    }

    /// Runs the work, which can take tens of milliseconds, on a thread for blocking work, until the call's deadline.
    async fn with_encryption(
        &self,
        operation: &Operation,
        work: impl FnOnce(Arc<dyn Encryption>) -> Result<String, Error> + Send + 'static,
    ) -> Result<String, Error> {
        let Some(encryption) = self.options().encryption.clone() else {
            return Err(operation.error(ErrorKind::Config, "the store has no encryption"));
        };
        operation.aside(move || work(encryption)).await
    }
}
