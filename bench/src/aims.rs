//! What was aimed at, by the eight points of the plan for the library's speed.

/// What a subject of ours should cost at most.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// At most so many times what the base costs.
    Ratio(f64),
    /// At most so much more than the base.
    Over(f64),
    AtMost(f64),
    AtLeast(f64),
    /// Less than each of these peers.
    AheadOf(&'static [&'static str]),
}

/// An aim for each row that it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) point: u8,
    pub(crate) what: &'static str,
    pub(crate) area: &'static str,
    /// How the names of its tables begin, if it is not about all.
    pub(crate) table: Option<&'static str>,
    /// The kind of work, if it is not about all.
    pub(crate) work: Option<&'static str>,
    /// How the names of its subjects begin.
    pub(crate) subject: &'static str,
    /// The column, or the first one.
    pub(crate) column: Option<&'static str>,
    pub(crate) aim: Aim,
}

impl Target {
    const fn of(point: u8, what: &'static str, area: &'static str, aim: Aim) -> Self {
        let subject = "cloakroom";
        Self { point, what, area, table: None, work: None, subject, column: None, aim }
    }

    const fn table(self, table: &'static str) -> Self {
        Self { table: Some(table), ..self }
    }

    const fn work(self, work: &'static str) -> Self {
        Self { work: Some(work), ..self }
    }

    const fn column(self, column: &'static str) -> Self {
        Self { column: Some(column), ..self }
    }

    const fn subject(self, subject: &'static str) -> Self {
        Self { subject, ..self }
    }
}

/// A target of the safe preset over HTTP.
const fn http(what: &'static str, work: &'static str, aim: Aim) -> Target {
    Target::of(1, what, "http", aim).work(work).subject("cloakroom, safe").column("CPU, µs")
}

const fn instructions(what: &'static str, work: &'static str, limit: f64) -> Target {
    http(what, work, Aim::AtMost(limit)).column("instructions").table("500 bytes, instructions")
}

const fn memory(what: &'static str, work: &'static str, aim: Aim) -> Target {
    Target::of(5, what, "memory", aim).work(work)
}

const READ: &str = "read and extend";
const WRITE: &str = "write";
const ANONYMOUS: &str = "anonymous";
const TWO_THREADS: &str = "calls per second with two threads, × one";

pub(crate) const TARGETS: &[Target] = &[
    http(
        "read over HTTP, and the raw handler that checks the same signature",
        READ,
        Aim::Ratio(1.15),
    ),
    http("write over HTTP, and raw `GET` and `SET`", WRITE, Aim::Ratio(1.25)),
    http(
        "write over HTTP, and its peers",
        WRITE,
        Aim::AheadOf(&["salvo-express-session", "actix-session", "tower-sessions"]),
    ),
    http("anonymous request, and the page without the layer", ANONYMOUS, Aim::Ratio(1.05)),
    http("Redis's own CPU for a write", WRITE, Aim::Ratio(1.3)).column("Redis CPU, µs"),
    instructions("instructions of a read", READ, 62_000.0),
    instructions("instructions of a write", WRITE, 105_000.0),
    instructions("instructions of an anonymous request", ANONYMOUS, 17_000.0),
    Target::of(2, "operations of the stores, and the raw client", "store", Aim::Ratio(1.15)),
    Target::of(
        2,
        "allocations of the stores' operations, and the raw client",
        "store",
        Aim::Over(4.0),
    )
    .column("allocations"),
    Target::of(3, "the record, and the same with `RawValue` members", "record", Aim::Ratio(1.0)),
    Target::of(3, "the record, and sonic-rs", "record", Aim::AheadOf(&["sonic-rs, lazy members"])),
    Target::of(4, "`promisify` over async-trait's own box, ns", "bridge", Aim::Over(45.0))
        .subject("cloakroom, promisify")
        .table("One call"),
    Target::of(4, "allocations of `promisify`, over async-trait's own", "bridge", Aim::Over(1.0))
        .subject("cloakroom, promisify")
        .table("One call")
        .column("allocations"),
    memory("`MemoryStore`'s resident memory, and the payload", "resident memory", Aim::Ratio(1.25))
        .subject("cloakroom, MemoryStore"),
    memory("`get` of `MemoryStore` on two threads", "get", Aim::AtLeast(1.7)).column(TWO_THREADS),
    memory("`touch` of `MemoryStore` on two threads", "touch", Aim::AtLeast(1.7))
        .column(TWO_THREADS),
    memory(
        "the longest call when all sessions expire at once, µs",
        "the longest of 20,000 calls of get",
        Aim::AtMost(1_000.0),
    )
    .subject("cloakroom, after"),
    Target::of(6, "tries for each change of one session by 128 tasks", "scale", Aim::AtMost(1.05))
        .table("Redis, one session")
        .subject("128 tasks")
        .column("tries per change"),
    Target::of(6, "memory with much in flight, later and at first", "scale", Aim::AtMost(1.25))
        .table("Redis, much in flight")
        .column("later, × first"),
    Target::of(6, "memory with 10,000 connections, and the raw handler", "http", Aim::Ratio(1.25))
        .table("500 bytes, 10,000 connections")
        .column("server's memory, MB"),
    Target::of(7, "memory of `all()` with up to 1,000,000 sessions, MB", "scale", Aim::AtMost(2.0))
        .table("Redis, all sessions"),
    Target::of(
        7,
        "an operation on Redis as sessions grow, and with 1,000 of them",
        "scale",
        Aim::Ratio(1.25),
    )
    .table("Redis, as the number"),
];
