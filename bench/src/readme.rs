//! The lines about speed in the README.

use std::fs;

use crate::{
    areas::AREAS,
    run::{folder, kept},
    summary::Row,
};

const BEGIN: &str = "<!-- The lines about speed, written by `cargo xtask bench --write`. -->\n";
const END: &str = "<!-- End of the lines about speed. -->";

const OURS: &str = "cloakroom, safe";
const PEERS: [&str; 4] =
    ["salvo-express-session", "actix-session", "tower-sessions", "express-session on Express"];

/// Writes them from what was measured here last. Without measurements it leaves them as they are.
pub(crate) fn write() -> Result<(), String> {
    let area = AREAS.iter().find(|area| area.name == "http").ok_or("the area http is gone")?;
    let Some(measured) = kept(area) else { return Ok(()) };
    let lines = lines(&measured.rows).ok_or("http was measured without a subject of the README")?;
    let file = folder().join("../README.md");
    let text = fs::read_to_string(&file).map_err(|error| format!("README.md: {error}"))?;
    let between = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) =
        between.ok_or("README.md lacks the marks around the lines about speed")?;
    fs::write(&file, format!("{before}{BEGIN}\n{lines}\n{END}{after}"))
        .map_err(|error| format!("README.md: {error}"))
}

fn lines(rows: &[Row]) -> Option<String> {
    let ratio = |work: &str, subject: &str| {
        let mut rows = rows.iter().filter(|row| row.table == "500 bytes" && row.work == work);
        let row = rows.find(|row| row.subject == subject)?;
        row.columns.first()?.ratio.map(|ratio| ratio.median)
    };
    let ours = |work| ratio(work, OURS).map(|ratio| format!("{ratio:.2} ×"));
    let peers = |work| {
        let peers = PEERS.map(|peer| Some(format!("{peer} {:.2} ×", ratio(work, peer)?)));
        peers.into_iter().collect::<Option<Vec<_>>>().map(|peers| peers.join(", "))
    };
    Some(format!(
        "What a request costs on Redis with a session of 500 bytes, in the server's CPU time, is in \
         [docs/performance.md](docs/performance.md) beside the bare client and other libraries:\n\n\
         - a read that extends the session: {} the bare client with the same cookie check ({})\n\
         - a write: {} the bare client's `GET` and `SET` ({})\n\
         - a request without a session: {} the page without the layer\n",
        ours("read and extend")?,
        peers("read and extend")?,
        ours("write")?,
        peers("write")?,
        ours("anonymous")?,
    ))
}
