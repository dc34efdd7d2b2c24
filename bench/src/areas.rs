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
All subjects extend a session at each visit, as express-session does, and none but the one that says so keeps sessions in memory; that one does not see what other servers write or log out.
The raw client has no session object: it finds the key in the cookie, and parses the record into a struct.
It checks the signature of the cookie where the table says so.
cloakroom, actix-session, salvo-express-session and express-session check a signature, too; the cookies of tower-sessions and axum_session have none by default, so these two do less.
tower-sessions and the bare client write whatever they have read, cloakroom's safe preset only if nobody else has written in between.
`commands` is what Redis ran per request, counted by itself; the run fails if cloakroom sends others than `bench/http/src/subject.rs` declares.
With 10,000 connections, the server's time includes accepting them.
Instructions are those of the whole server in user space, counted by callgrind while one connection sends one request after the other.
They vary by less than 1 %.",
},
Area {
    name: "store",
    title: "Stores",
    about: "\
64 tasks use one store without HTTP, each operation on another one of 1,000 sessions.
They share a core, and the server behind the store has the other one.
What is compared is the client's CPU time per operation.
The base is the bare client with the same commands; for `update`, a script that compares a digest and sets.
The bare client reads the record and does not look at it; the stores check that it is JSON, and tower-sessions and the npm packages parse it into values and print it from them.
`commands` is what the server ran per operation, counted by itself: Memcached counts a read that extends as `touch`, and `command` in MongoDB is any command without a kind of its own, such as `findAndModify`.
The run fails if cloakroom's stores run others than their files in `bench/store` declare, or if a subject answers with another session.
Redis Cluster has three primaries, which share the server's core; their commands and their CPU time are added up.
There, the base is the cluster client of the crate redis.
Memory in front of Redis is beside `MemoryStore`; its requests go through the layer without a network, and each reads and extends one of 10,000 sessions, chosen by Zipf's law.
Files have no server; there, the base reads, or writes a new file and renames it, without a lock, and neither waits for the disk.
In PostgreSQL, MariaDB and SQLite, the base is sqlx with the same statements and as many connections; what the database runs is not counted.
The pool of sqlx pings each connection that comes back to it; our store keeps its connections itself, and does not.
A read that extends is two statements in MariaDB, which has no `RETURNING` for an update.
There, our store also compares the ids byte by byte when it replaces a row; the base does not.",
},
Area {
    name: "record",
    title: "The record",
    about: "\
A stored session, as bytes, is parsed, and one member is read, or changed and the whole written again.
The base keeps the other members as borrowed text too.
All are built for any x86-64 processor, as a release usually is; sonic-rs recommends to build for the processor at hand, which lets it read text in longer steps.",
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
The base of the calls is a concurrent hash table that removes nothing; what is compared there is the CPU time per call of one thread.
Two threads need two cores that are free: on a busy machine, the gain is smaller than it is.
`Mutex<HashMap>`, dashmap and moka hand out the text of a record; cloakroom also checks it and finds its members, and tower-sessions copies a map of values.",
},
    Area {
        name: "scale",
        title: "Growth",
        about: "\
What an operation costs as there are more sessions, more writers of one session, more in flight, and longer records.
Where the number of sessions grows, the base is the same subject with the fewest sessions.
Those sessions have 111 bytes each, so that 10,000,000 of them fit into 3 GB; a quick run stops at 1,000,000.
`all` reads all sessions as a stream; the memory is what the program had at most while it read, beyond what it had before.
With much in flight, each task reads a session, changes it and writes it, again and again; `later` is the most memory in use in the second half of the time, beside the most in the first.
Each change of a session that many tasks change is counted: none is lost.
The base of `set` and `update` of long records is `SET`, which compares nothing.",
    },
];
