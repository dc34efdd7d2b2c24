//! What can be measured.

/// A program that measures some subjects.
pub(crate) struct Area {
    /// As it is called on the command line. Its package is `cloakroom-bench-NAME`.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What its tables show.
    pub(crate) about: &'static str,
}

impl Area {
    pub(crate) fn package(&self) -> String {
        format!("cloakroom-bench-{}", self.name)
    }
}

pub(crate) const AREAS: &[Area] = &[
    Area {
    name: "http",
    title: "HTTP on Redis",
    about: "\
Each server has a core to itself; Redis and the load generator, `wrk`, share the other one.
64 connections ask for the pages of 1,000 browsers.
What is compared is the server's CPU time per request, of all its threads.
`read and extend` answers with a member of the session, and extends it by an hour.
`write` adds one to a member.
`anonymous` is a request without a cookie for a page that asks for no session.
All subjects extend a session at each visit, as express-session does, and none keeps sessions in memory.
The raw client has no session object: it finds the key in the cookie, and parses the record into a struct.
It checks the signature of the cookie where the table says so.",
},
Area {
    name: "store",
    title: "Stores",
    about: "\
64 tasks use one store without HTTP, each operation on another one of 1,000 sessions.
They share a core, and the server behind the store has the other one.
What is compared is the client's CPU time per operation.
The base is the bare client with the same commands; for `update`, a script that compares a digest and sets.
tower-sessions parses the record into values and writes it from them.",
},
Area {
    name: "record",
    title: "The record",
    about: "\
A stored session, as bytes, is parsed, and one member is read, or changed and the whole written again.
The base keeps the other members as borrowed text too.",
},
Area {
    name: "bridge",
    title: "Callbacks as futures",
    about: "\
Everything answers at once, so that the cost is that of the bridge alone.",
},
Area {
    name: "memory",
    title: "Sessions in memory",
    about: "\
Each subject runs in a process of its own, with as many sessions as the table says.
The base of the calls is a concurrent hash table that knows no expiry; what is compared there is the CPU time per call of one thread.",
},
    Area {
        name: "scale",
        title: "Growth",
        about: "\
What an operation costs as there are more sessions, more writers of one session, and longer records.
Where the number of sessions grows, the base is the same subject with the fewest sessions.
Each change of a session that many tasks change is counted: none is lost.
The base of `set` and `update` of long records is `SET`, which compares nothing.",
    },
];
