//! What is measured of whom.

use cloakroom_bench::{Options, documents};

use crate::{
    redis::in_an_hour,
    subject::{EXPRESS, RAW, SAFE, SIGNED, SUBJECTS, Subject},
};

/// A kind of session and of load, and who is measured with it.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The session as Express stores it, and what else than the cookie is in it.
    pub(crate) session: String,
    pub(crate) data: String,
    /// Whether the session is so long that other commands write it.
    pub(crate) is_long: bool,
    pub(crate) subjects: Vec<Subject>,
    /// What the subjects are asked.
    pub(crate) pages: Pages,
    pub(crate) connections: usize,
    pub(crate) rounds: u32,
    /// How long a server is asked in a round.
    pub(crate) seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pages {
    All,
    /// Without what is the same for sessions of all sizes. Each bare client runs only where it is the base.
    OfSessions,
    Read,
}

/// How many browsers send requests at the same time.
pub(crate) const CONNECTIONS: usize = 64;

pub(crate) fn tables(options: Options) -> Vec<Table> {
    let typical = || documents::session(500, &in_an_hour());
    let named = |names: &[&str]| -> Vec<Subject> {
        SUBJECTS.iter().copied().filter(|one| names.contains(&one.name)).collect()
    };
    // Most of the time of a table goes to the peers, which are measured with typical sessions in any case.
    let few = if options.quick {
        named(&[RAW, SIGNED, SAFE])
    } else {
        let peers = ["tower-sessions", "actix-session", "salvo-express-session"];
        named(&[&[RAW, SIGNED, SAFE, EXPRESS, "express-session on Express"], &peers[..]].concat())
    };
    let rounds = options.rounds.min(if options.quick { 2 } else { u32::MAX });
    let first = Table {
        name: "500 bytes",
        session: typical(),
        data: documents::data(414),
        is_long: false,
        subjects: SUBJECTS.to_vec(),
        pages: Pages::All,
        connections: CONNECTIONS,
        rounds,
        seconds: if options.quick { 1 } else { 2 },
    };
    let other = |name| Table {
        name,
        session: typical(),
        data: documents::data(414),
        is_long: false,
        subjects: few.clone(),
        pages: Pages::OfSessions,
        connections: CONNECTIONS,
        rounds,
        seconds: 1,
    };
    vec![
        first,
        Table {
            session: documents::session(20_480, &in_an_hour()),
            data: documents::data(20_394),
            is_long: true,
            ..other("20 KB")
        },
        Table {
            session: documents::session_of_members(50, &in_an_hour()),
            data: documents::data_of_members(50),
            ..other("50 members")
        },
        Table {
            subjects: named(&[SIGNED, SAFE]),
            pages: Pages::Read,
            connections: 10_000,
            seconds: if options.quick { 2 } else { 5 },
            ..other("500 bytes, 10,000 connections")
        },
    ]
}
