//! Kind `hashring`: the servers on which npm's client looks for keys, compared with those of `MemcachedStore`.
//!
//! Each key on each ring is one vector, and each ring with all its points is another.

use cloakroom_memcached::{Algorithm, Compatibility, Ring, RingServer};
use sha2::{Digest, Sha256};

use super::{Kind, Outcome, Report, not_applicable, report::Checks};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "hashring",
    about: "which server has which key on the rings of npm's memcached",
    replay,
};

fn replay(file: &Json, report: &mut Report) {
    let items = |name| file.get(name).map_or(&[][..], Json::items);
    let keys: Vec<String> = items("keys").iter().filter_map(Json::text).collect();
    let form = |what| Outcome::failed("form of the row", what, "another");

    for (index, hash) in items("key_hash_u32").iter().enumerate() {
        let outcome = keys.get(index).map(|key| {
            let ours = f64::from(Algorithm::Md5.hash_of(key));
            equal("hash", hash.number(), Some(ours))
        });
        report.add(format!("hash of key {index}"), outcome.unwrap_or_else(|| form("a key")));
    }
    for recorded in items("rings") {
        let name = recorded.get("name").and_then(Json::text).unwrap_or_default();
        if let Some(reason) = not_applicable::of_vector("ring", recorded) {
            report.add(name, Outcome::NotApplicable(reason));
            continue;
        }
        let Some((servers, ring)) = ring_of(recorded) else {
            report.add(name, form("args and options"));
            continue;
        };
        report.add(&*name, whole(recorded, &servers, &ring).unwrap_or_else(|| form("a ring")));
        let answers = recorded.get("lookup").map_or(&[][..], Json::items);
        let texts = recorded.get("server_index").map_or(&[][..], Json::items);
        report.add(
            format!("{name}: answers"),
            equal("number of answers", Some(keys.len()), Some(answers.len())),
        );
        for (key, answer) in keys.iter().zip(answers) {
            let wanted = answer.number().and_then(|index| texts.get(index as usize)?.text());
            let ours = name_of(&ring, &servers, key);
            report.add(format!("{name}: {key}"), equal("server", wanted, ours));
        }
    }
    for row in items("equal_weight_vnodes") {
        report.add(row.stringify(), equal_weights(row).unwrap_or_else(|| form("two numbers")));
    }
    if let Some(swap) = file.get("swap") {
        swapped(swap, items("rings"), &keys, report);
    }
    if file.get("remove_equals_rebuild").is_some() {
        // In npm, removing a server must lead to the same ring as creating one without it. A ring here is only ever
        // created.
        let mut checks = Checks::default();
        let equals = file.get("remove_equals_rebuild") == Some(&Json::Bool(true));
        checks.holds("a ring without a server is one that was made without it", equals);
        report.add("remove_equals_rebuild", checks.outcome());
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(
    what: &'static str,
    recorded: Option<T>,
    ours: Option<T>,
) -> Outcome {
    let mut checks = Checks::default();
    checks.holds("there is something to compare with", recorded.is_some());
    checks.equal(what, recorded, ours);
    checks.outcome()
}

fn name_of(ring: &Ring, servers: &[RingServer], key: &str) -> Option<String> {
    ring.server_of(key).map(|index| servers[index].name.clone())
}

/// Returns the servers as npm's client gets them, and their ring here.
fn ring_of(recorded: &Json) -> Option<(Vec<RingServer>, Ring)> {
    let args = recorded.get("args")?;
    let options = recorded.get("options")?;
    let algorithm = match options.get("algorithm").map(Json::text) {
        None => Algorithm::Md5,
        Some(name) => match &*name? {
            "md5" => Algorithm::Md5,
            "sha1" => Algorithm::Sha1,
            "sha224" => Algorithm::Sha224,
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ => return None,
        },
    };
    let compatibility = match options.get("compatibility").map(Json::text) {
        None => Compatibility::Ketama,
        Some(name) => match &*name? {
            "ketama" => Compatibility::Ketama,
            "hash_ring" => Compatibility::HashRing,
            "" => Compatibility::Plain,
            _ => return None,
        },
    };
    let servers: Option<Vec<_>> = match args {
        Json::Array(names) => {
            names.iter().map(|name| Some(RingServer::new(name.text()?))).collect()
        }
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let mut server = RingServer::new(name.to_str()?);
                server.weight = weight(value.get("weight").unwrap_or(value));
                server.vnodes =
                    value.get("vnodes").and_then(Json::number).map(|count| count as u32);
                Some(server)
            })
            .collect(),
        _ => None,
    };
    let servers = servers?;
    let ring = Ring::new(&servers, algorithm, compatibility);
    Some((servers, ring))
}

/// Returns the weight that npm computes, `+value || 1`.
fn weight(value: &Json) -> f64 {
    let number = match value {
        Json::Number(number) => *number,
        Json::String(text) => {
            text.to_str().and_then(|text| text.trim().parse().ok()).unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    };
    if number == 0.0 || number.is_nan() { 1.0 } else { number }
}

/// Checks everything that was recorded of a ring besides its answers.
fn whole(recorded: &Json, servers: &[RingServer], ring: &Ring) -> Option<Outcome> {
    let mut checks = Checks::default();
    let texts = |name| -> Option<Vec<String>> {
        recorded.get(name)?.items().iter().map(Json::text).collect()
    };
    let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
    checks.equal("servers", texts("servers")?, names.clone());
    let mut once: Vec<String> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    checks.equal("servers, each once", texts("server_index")?, once);

    let parsed = recorded.get("parsed")?.items();
    checks.equal("parsed servers", parsed.len(), servers.len());
    for (server, parsed) in servers.iter().zip(parsed) {
        checks.equal("name", parsed.get("string")?.text(), Some(server.name.clone()));
        checks.equal("weight", parsed.get("weight")?.number(), Some(server.weight));
        let vnodes = server.vnodes.unwrap_or_default();
        checks.equal("vnodes", parsed.get("vnodes")?.number(), Some(f64::from(vnodes)));
    }

    let points: Vec<(f64, String)> = ring
        .points()
        .map(|(point, server)| (f64::from(point), servers[server].name.clone()))
        .collect();
    checks.equal("size", recorded.get("size")?.number(), Some(points.len() as f64));
    let mut owned: Vec<(String, f64)> = Vec::new();
    for (_, name) in &points {
        match owned.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += 1.0,
            None => owned.push((name.clone(), 1.0)),
        }
    }
    let per_server = recorded.get("points_per_server")?.members().iter();
    let mut per_server: Vec<(String, f64)> = per_server
        .map(|(name, count)| Some((name.to_str()?, count.number()?)))
        .collect::<Option<_>>()?;
    per_server.sort_by(|a, b| a.0.cmp(&b.0));
    owned.sort_by(|a, b| a.0.cmp(&b.0));
    checks.equal("points of each server", per_server, owned);

    let some = |name| -> Option<Vec<(f64, String)>> {
        let points = recorded.get(name)?.items().iter();
        points
            .map(|point| Some((point.items().first()?.number()?, point.items().get(1)?.text()?)))
            .collect()
    };
    let (first, last) = (some("first_points")?, some("last_points")?);
    checks.holds("some points", !first.is_empty() && !last.is_empty());
    let (from_start, from_end) =
        (first.len().min(points.len()), points.len().saturating_sub(last.len()));
    checks.equal("first points", first, points[..from_start].to_vec());
    checks.equal("last points", last, points[from_end..].to_vec());

    let mut digest = Sha256::new();
    for (point, name) in &points {
        digest.update(format!("{point} {name}\n"));
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    checks.equal("digest of all points", recorded.get("ring_sha256")?.text(), Some(digest));
    Some(checks.outcome())
}

/// Checks a row `[servers, digests]`: the number of digests that each of several equal servers has.
fn equal_weights(row: &Json) -> Option<Outcome> {
    let [count, digests] = row.items() else { return None };
    let count = count.number()? as usize;
    let servers: Vec<_> = (0..count).map(|n| RingServer::new(format!("10.0.0.{n}:1"))).collect();
    let ring = Ring::new(&servers, Algorithm::Md5, Compatibility::Ketama);
    let ours = ring.points().len() as f64 / 4.0 / count as f64;
    Some(equal("digests of each server", digests.number(), Some(ours)))
}

/// Checks a server that was replaced by another: only its keys move, and all of them to the new one. A ring here never
/// changes; a store with the new server's name and the old server's points would behave the same.
fn swapped(swap: &Json, rings: &[Json], keys: &[String], report: &mut Report) {
    let text = |name| swap.get(name).and_then(Json::text);
    let answers = swap.get("lookup_after").map_or(&[][..], Json::items);
    let names: Vec<Option<String>> = answers.iter().map(Json::text).collect();
    // The ring of these servers without weights.
    let of_swap = rings.iter().filter_map(ring_of).find(|(servers, _)| {
        let others = |name: &String| servers.iter().any(|server| server.name == *name);
        text("from").is_some_and(|from| others(&from))
            && servers.len() == 3
            && names.iter().flatten().all(|name| others(name) || Some(name) == text("to").as_ref())
    });
    for (key, name) in keys.iter().zip(&names) {
        let ours = of_swap.as_ref().and_then(|(servers, ring)| name_of(ring, servers, key));
        let ours = if ours == text("from") { text("to") } else { ours };
        report.add(format!("swap: {key}"), equal("server", name.clone(), ours));
    }
    let only = swap.get("only_renamed") == Some(&Json::Bool(true));
    let mut checks = Checks::default();
    checks.equal("number of answers", keys.len(), names.len());
    checks.holds("nothing else has changed", only);
    report.add("swap", checks.outcome());
}
