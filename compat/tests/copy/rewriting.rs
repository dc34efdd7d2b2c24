//! Copies to a store that keeps the meaning of a record and not its text, as a column of the type `jsonb` does, and to one
//! that cannot tell every end.

use async_trait::async_trait;
use cloakroom_compat::{CopyOptions, copy, verify_copy};
use cloakroom_core::{
    Atomic, Clock, Enumerate, Error, MemoryStore, SessionData, Store, Touched, json,
};
use futures::{
    executor::block_on,
    stream::{StreamExt, TryStreamExt},
};

use crate::{NOW, counts, lives, options, store};

/// A store that turns the members round, and ends no session after the last second of 32 bits.
struct Rewriting(MemoryStore);

const LAST_MS: i64 = i32::MAX as i64 * 1_000;

#[async_trait]
impl Store for Rewriting {
    fn name(&self) -> &str {
        "rewriting"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let text = session.to_json();
        let members = json::members(&text).unwrap().rev();
        let members: Vec<_> = members
            .map(|(name, value)| format!(r#""{name}" : {}"#, value.replace(',', ", ")))
            .collect();
        let rewritten = SessionData::from_json(format!("{{{}}}", members.join(", ")))?;
        let until_ms = session.store_expiry_ms().unwrap_or(LAST_MS).min(LAST_MS);
        self.0.set(sid, &rewritten.with_store_expiry_ms(until_ms)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.0.enumerate()
    }
}

#[test]
fn a_copy_that_is_written_in_another_way_is_the_same() {
    let clock = Clock::fixed(NOW);
    let (from, to) = (store(&clock), Rewriting(store(&clock)));
    let mut endless = SessionData::new();
    endless.insert("list", [1, 2]).unwrap();
    let verified = || block_on(verify_copy(&from, &to, &options(&clock), |_| ())).unwrap();
    let again =
        |options: &CopyOptions| counts(&block_on(copy(&from, &to, options, |_| ())).unwrap());
    block_on(async {
        from.set("ends", &lives(60)).await.unwrap();
        from.set("endless", &endless).await.unwrap();
    });
    assert_eq!(verified(), 2);
    assert_eq!(again(&options(&clock)), [2, 0, 0, 0, 0, 0]);
    assert_eq!(verified(), 0);
    let written = block_on(to.get("endless")).unwrap().unwrap();
    assert_ne!(written.loaded_json(), endless.to_json());
    for options in [options(&clock), options(&clock).with_overwrite(true)] {
        assert_eq!(again(&options), [0, 2, 0, 0, 0, 0]);
    }
    assert_eq!(verified(), 0);
    // Whatever changes what JavaScript reads is a difference.
    let mut changed = block_on(to.get("endless")).unwrap().unwrap();
    changed.insert("list", [2, 1]).unwrap();
    block_on(to.set("endless", &changed)).unwrap();
    assert_eq!(verified(), 1);
    assert_eq!(again(&options(&clock)), [0, 1, 1, 0, 0, 0]);
    // So does an end that is not the last one.
    block_on(to.set("ends", &lives(60).with_store_expiry_ms(NOW + 30_000))).unwrap();
    assert_eq!(verified(), 2);
    assert_eq!(
        block_on(to.enumerate().unwrap().ids().boxed().try_collect::<Vec<_>>()).unwrap().len(),
        2
    );
}
