//! The option `encryption`: what the store keeps is a ciphertext.

use std::sync::Arc;

use cloakroom_backend::Operation;
use cloakroom_core::{Encryption, Error, ErrorKind};

use crate::MongoStore;

impl MongoStore {
    pub(crate) async fn encrypt(
        &self,
        operation: &Operation,
        json: String,
    ) -> Result<String, Error> {
        self.apart(operation, move |encryption| encryption.encrypt(&json)).await
    }

    pub(crate) async fn decrypt(
        &self,
        operation: &Operation,
        stored: String,
    ) -> Result<String, Error> {
        self.apart(operation, move |encryption| encryption.decrypt(&stored)).await
    }

    /// Where it holds nobody up: a key takes tens of milliseconds.
    async fn apart(
        &self,
        operation: &Operation,
        work: impl FnOnce(Arc<dyn Encryption>) -> Result<String, Error> + Send + 'static,
    ) -> Result<String, Error> {
        let Some(encryption) = self.options().encryption.clone() else {
            return Err(operation.error(ErrorKind::Config, "there is no encryption"));
        };
        operation.aside(move || work(encryption)).await
    }
}
