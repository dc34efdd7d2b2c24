//! A ciphertext of connect-memcached.

use cloakroom_core::SessionData;
use cloakroom_encryption::{Counterpart, Encryption, Kruptein, KrupteinOptions};

use super::bench::{Bench, Item, Sent};
use crate::{
    json::Json,
    replay::{Outcome, kruptein, memcached::Options, report::Checks, script::Described},
};

/// Checks a row. Returns `None` if it is malformed.
pub(super) fn check(
    bench: &mut Bench,
    row: &Json,
    described: Option<&Described>,
) -> Option<Result<Outcome, String>> {
    let text = |name| row.get(name).and_then(Json::text);
    let counterpart = match &*text("store")? {
        "connect-memcached 3.0.0" => Counterpart::ConnectMemcached3,
        "connect-memcached 2.0.0" => Counterpart::ConnectMemcached2,
        _ => return None,
    };
    let version = match counterpart {
        Counterpart::ConnectMemcached3 => "3.1.",
        _ => "3.0.",
    };
    let (key, flags) = (text("key")?, row.get("flags")?.number()? as u32);
    let item = Item { key, flags, value: text("value")?.into_bytes() };
    let (plaintext, got, secret) = (text("plaintext_json")?, text("get_json")?, text("secret")?);
    let mut given = KrupteinOptions::of(counterpart);
    if let Some(options) = row.get("options") {
        kruptein::set_options(&mut given, options)?;
    }
    let options =
        Options { prefix: String::new(), namespace: String::new(), ttl: None, flags: item.flags };
    let is_version = text("kruptein")?.starts_with(version);

    Some((|| {
        let mut checks = Checks::default();
        checks.holds("the kruptein of this version", is_version);
        checks.equal("what Node.js got of it", &plaintext, &got);
        checks.equal("flags", 0, item.flags);
        if let Some(described) = described {
            checks.equal("plaintext", described.text.as_deref(), Some(&*plaintext));
        }
        let kruptein = || Kruptein::new(&secret, given.clone()).map_err(|error| error.to_string());
        let store = bench.store(&options, Some(kruptein()?))?;
        bench.plant(&item)?;
        let session = bench.get(&store, &item.key)?;
        let read = session.as_ref().map(SessionData::loaded_json);
        checks.equal("what was read", Some(&*plaintext), read);

        bench.flush()?;
        if let Some(session) = &session {
            let sent = bench.set(&store, &item.key, session)?;
            checks.holds("it was stored", matches!(sent, Sent::Stored { .. }));
            let written = bench.item(&item.key)?;
            let value =
                written.as_ref().map(|item| String::from_utf8_lossy(&item.value).into_owned());
            checks.equal("flags", Some(item.flags), written.map(|item| item.flags));
            // Decrypted by an instance that has not seen any of this before.
            let decrypted = kruptein()?.decrypt(&value.unwrap_or_default());
            checks.equal("decrypted again", Some(&plaintext), decrypted.ok().as_ref());
        }
        Ok(checks.outcome())
    })())
}
