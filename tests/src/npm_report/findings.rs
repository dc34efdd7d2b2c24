//! Why stores break promises, in sentences that their maintainers could act on, with the smallest steps that show it.

use cloakroom_conformance::Outcome;

use super::column::Column;

/// One reason for which stores break promises.
pub(super) struct Finding {
    /// What happens.
    pub(super) title: &'static str,
    /// What could be done about it.
    pub(super) advice: &'static str,
    /// The smallest steps that show it, as JavaScript with a `store`.
    pub(super) steps: &'static str,
    /// The cases that fail for it.
    pub(super) cases: &'static [&'static str],
    /// The stores, by their names in `tests/npm/package.json`; empty if it is true of all stores whose case fails.
    pub(super) stores: &'static [&'static str],
}

/// A case that fails is explained by the first one that has it.
pub(super) static FINDINGS: &[Finding] = &[
    Finding {
        title: "`touch` stores the whole session",
        advice: "Change the expiry alone; Memcached has a command for it, `touch`. As it is, a request that only reads writes \
            back what it has read, over what another request has written since, and brings back a session that a logout has destroyed.",
        steps: r#"
const cookie = {};
store.set("a", { cookie, n: 1 }, () =>
  store.touch("a", { cookie, n: 0 }, () =>
    store.destroy("b", () =>
      store.touch("b", { cookie, n: 2 }, () =>
        store.get("a", (_, a) => store.get("b", (_, b) => console.log(a.n, b.n)))))));
// 0 2: the first has lost its data, the second is back."#,
        cases: &[
            "touch_keeps_the_members",
            "touch_keeps_the_cookie",
            "touch_missing_is_missing",
            "touch_never_creates",
            "touch_never_revives",
            "touch_with_a_passed_expiry_is_missing",
            "a_touch_that_meets_a_set_undoes_nothing",
            "a_touch_that_meets_a_destroy_revives_nothing",
            "sequences_match_a_model",
        ],
        stores: &["connect-memcached", "next-session"],
    },
    Finding {
        title: "A session whose cookie has no expiry is gone at the first read",
        advice: "Leave `null` as it is when texts become dates: `new Date(null)` is in 1970. express-session writes \
            `\"expires\":null` for every session that ends with the browser, so none of them can be read.",
        steps: r#"
await store.set("a", { cookie: { expires: null } });
console.log(await store.get("a"));
// null"#,
        cases: &[
            "unknown_members_come_back",
            "numbers_come_back_as_written",
            "escapes_come_back_as_written",
            "lone_surrogates_come_back",
            "unicode_comes_back",
            "member_order_comes_back",
            "doubled_names_come_back",
            "a_session_without_members_comes_back",
            "a_record_without_cookie_gets_one",
            "a_record_of_100_kb_comes_back",
            "a_record_of_1_mb_comes_back_or_is_too_large",
            "a_browser_session_is_kept",
            "touch_of_a_browser_session_gives_the_default",
        ],
        stores: &["next-session"],
    },
    Finding {
        title: "`touch` of a missing session is an error",
        advice: "Call back without an error: a session may end between the read and the touch of one request, and \
            express-session answers such an error with status 500.",
        steps: r#"
store.touch("never stored", { cookie: {} }, (error) => console.log(error?.message));
// connect-mongo: Unable to find the session to touch
// session-file-store: ENOENT: no such file or directory, open '…'"#,
        cases: &[
            "touch_missing_is_missing",
            "touch_never_creates",
            "touch_refuses_an_empty_id",
            "touch_takes_every_id_that_set_takes",
            "a_touch_that_meets_a_destroy_revives_nothing",
            "sequences_match_a_model",
        ],
        stores: &["connect-mongo", "connect-mongo-5", "session-file-store"],
    },
    Finding {
        title: "`touch` writes back the record that it read",
        advice: "Take a lock for the file, or look at the record again before it is replaced. As it is, a request that only \
            reads undoes what another request stores between the two.",
        steps: r#"
const cookie = {};
store.set("a", { cookie, n: 1 }, () => {
  store.touch("a", { cookie }, () => store.get("a", (_, session) => console.log(session.n)));
  store.set("a", { cookie, n: 2 });
});
// 1: the second set is lost."#,
        cases: &["a_touch_that_meets_a_set_undoes_nothing"],
        stores: &["session-file-store"],
    },
    Finding {
        title: "`touch` extends a session that has expired",
        advice: "Add the condition that the session has not expired, as `get` has it. Until the store's own cleaning removes \
            an expired record, a touch makes a session live again whose time was over, and any old cookie can do it.",
        steps: r#"
const expires = (ms) => ({ cookie: { expires: new Date(Date.now() + ms) } });
store.set("a", expires(1_000), () => setTimeout(() =>
  store.get("a", (_, before) => store.touch("a", expires(60_000), () =>
    store.get("a", (_, after) => console.log(!before, Boolean(after))))), 2_000));
// true true: gone, and back."#,
        cases: &["touch_never_revives"],
        stores: &["connect-mongo", "connect-mongo-5", "connect-pg-simple", "session-file-store"],
    },
    Finding {
        title: "The expiry of the cookie does not count",
        advice: "Compare `cookie.expires` in `get`, and leave out what has passed in `all`, `ids` and `length`. As it is, every \
            session lives for the option `ttl`, 14 days by default, so that an old cookie gets in long after its time.",
        steps: r#"
const expires = new Date(Date.now() - 60_000);
store.set("a", { cookie: { expires } }, () => store.get("a", (_, session) => console.log(Boolean(session))));
// true"#,
        cases: &[
            "a_sub_second_session_is_stored",
            "an_expired_session_is_gone",
            "set_with_a_passed_expiry_stores_nothing",
            "set_with_a_passed_expiry_destroys",
            "set_replaces_the_expiry",
            "set_creates_over_an_expired_session",
            "a_session_outlives_its_stale_cookie",
            "touch_extends",
            "touch_shortens",
            "touch_of_a_browser_session_gives_the_default",
            "touch_never_revives",
            "touch_with_a_passed_expiry_ends_the_session",
            "set_extends_a_session_that_was_read",
            "set_keeps_a_session_with_a_stale_cookie",
            "an_attribute_that_is_changed_ends_no_session",
            "touch_extends_a_session_that_was_read",
            "length_leaves_expired_sessions_out",
            "a_dropped_set_leaves_no_endless_record",
        ],
        stores: &["connect-loki"],
    },
    Finding {
        title: "`touch` does not tell whether there was a session",
        advice: "Call back with `(null, true)` or `(null, false)`: the answer of Redis's `EXPIRE`, the number of rows of an \
            `UPDATE` and MongoDB's `matchedCount` say it. As it is, a request extends the cookie of a session that no longer exists.",
        steps: r#"
store.touch("never stored", { cookie: {} }, (error, touched) => console.log(Boolean(error), touched));
// false undefined; connect-sqlite3: false true"#,
        cases: &[
            "touch_missing_is_missing",
            "touch_never_revives",
            "touch_with_a_passed_expiry_is_missing",
            "sequences_match_a_model",
        ],
        stores: &[],
    },
    Finding {
        title: "`touch` leaves a session without an expiry as it is",
        advice: "Give it the default time to live, as `set` does. Whoever turns \"remember me\" off, and goes on, is logged out \
            when the old cookie would have ended.",
        steps: r#"
const expires = new Date(Date.now() + 2_000);
store.set("a", { cookie: { expires, maxAge: 2_000 } }, () => store.touch("a", { cookie: { expires: null } }, () =>
  setTimeout(() => store.get("a", (_, session) => console.log(Boolean(session))), 4_000)));
// false"#,
        cases: &["touch_of_a_browser_session_gives_the_default"],
        stores: &["connect-session-knex", "connect-sqlite3"],
    },
    Finding {
        title: "`touch` replaces the cookie in the record",
        advice: "Keep the expiry outside of the record, as the stores on Redis, MongoDB and PostgreSQL do. A touch that \
            writes the record can undo what another request has written to it in the meantime.",
        steps: r#"
store.set("a", { cookie: { path: "/" } }, () =>
  store.touch("a", { cookie: { path: "/other" } }, () =>
    store.get("a", (_, session) => console.log(session.cookie.path))));
// /other"#,
        cases: &["touch_keeps_the_cookie", "touch_keeps_the_members"],
        stores: &[],
    },
    Finding {
        title: "The time to live is cut to whole seconds, and zero is for ever",
        advice: "Round up, and take one second for less: `Math.max(1, Math.ceil(maxAge / 1000))`. By the time that `set` \
            runs, a session of one second has 999 ms left, which is cut to zero, and Memcached keeps it until it is restarted.",
        steps: r#"
const cookie = { maxAge: 999 };
store.set("a", { cookie }, () => setTimeout(() => store.get("a", (_, session) => console.log(session)), 5_000));
// { cookie: { maxAge: 999 } }"#,
        cases: &[
            "a_sub_second_session_is_stored",
            "a_session_lives_as_long_as_its_cookie",
            "an_expired_session_is_gone",
            "set_replaces_the_expiry",
            "set_creates_over_an_expired_session",
            "set_extends_a_session_that_was_read",
            "set_keeps_a_session_with_a_stale_cookie",
            "a_session_outlives_its_stale_cookie",
            "an_attribute_that_is_changed_ends_no_session",
            "touch_extends",
            "touch_shortens",
            "touch_of_a_browser_session_gives_the_default",
            "touch_extends_a_session_that_was_read",
            "a_dropped_set_leaves_no_endless_record",
        ],
        stores: &["connect-memcached"],
    },
    Finding {
        title: "A session of more than 30 days ends at once",
        advice: "Send the time as a date, `Math.floor(Date.now() / 1000) + seconds`, if it is more than 2,592,000 seconds: \
            Memcached takes such numbers for dates, and a month after 1970 has passed. \"Remember me\" for 31 days logs its user out.",
        steps: r#"
const cookie = { maxAge: 31 * 86_400_000 };
store.set("a", { cookie }, (error) => store.get("a", (_, session) => console.log(error, session)));
// undefined undefined"#,
        cases: &[
            "a_session_of_31_days_is_kept",
            "a_session_until_the_year_10000_is_kept",
            "a_session_until_the_last_date_is_kept",
        ],
        stores: &["connect-memcached"],
    },
    Finding {
        title: "A date that is far away is an error",
        advice: "Clamp the expiry to the greatest value of the column. Express writes dates up to the year 275760.",
        steps: r#"
store.set("a", { cookie: { expires: "+010000-01-01T00:00:00.000Z" } }, (error) => console.log(error?.code));
// ER_WARN_DATA_OUT_OF_RANGE"#,
        cases: &[
            "a_session_until_the_year_10000_is_kept",
            "a_session_until_the_last_date_is_kept",
            "a_session_of_31_days_is_kept",
        ],
        stores: &[],
    },
    Finding {
        title: "An expiry that is not a date ends the session, or is an error",
        advice: "Check `Number.isNaN(date.getTime())`, and take the default time to live then. Express writes whatever an \
            application puts into `cookie.expires`. connect-session-knex even rejects the promise of `touch` instead of calling back, which ends an Express process. \
            (Stores that are right about this fail as well, where they store `1e300` as `1e+300`.)",
        steps: r#"
store.set("a", { cookie: { expires: "soon" } }, (error) =>
  store.get("a", (_, session) => console.log(Boolean(error), Boolean(session))));
// connect-redis, connect-mongo: false false; connect-pg-simple, express-mysql-session: true false
// connect-sqlite3: false true, and a touch with such an expiry ends the session"#,
        cases: &[
            "set_with_an_expiry_that_is_not_a_date_is_kept",
            "touch_with_an_expiry_that_is_not_a_date_extends",
        ],
        stores: &[],
    },
    Finding {
        title: "`length` counts sessions that have expired",
        advice: "Count with the condition that `get` has, so that the number is that of the users who are logged in.",
        steps: r#"
store.set("a", { cookie: { expires: new Date(Date.now() + 500), originalMaxAge: 500 } }, () =>
  setTimeout(() => store.length((_, length) => console.log(length)), 2_000));
// 1"#,
        cases: &["length_leaves_expired_sessions_out"],
        stores: &[],
    },
    Finding {
        title: "`all` does not tell how long a session lives",
        advice: "Put the expiry that the backend keeps into `cookie.expires` of each session in the list. A touch leaves the \
            record alone, so the cookie in it is stale, and whoever copies the list to another store ends the sessions of users who only read.",
        steps: r#"
const expires = (ms) => ({ cookie: { expires: new Date(Date.now() + ms) } });
store.set("a", expires(600_000), () => store.touch("a", expires(3_600_000), () => store.all((_, sessions) =>
  console.log(Math.round((new Date(Object.values(sessions)[0].cookie.expires) - Date.now()) / 60_000)))));
// 10, but the session lives for 60 minutes."#,
        cases: &[
            "all_tells_the_time_left_after_a_touch",
            "every_call_gives_a_browser_session_the_same_time",
        ],
        stores: &[],
    },
    Finding {
        title: "Two ids are one session",
        advice: "Declare the column of the id with a collation that does not pad, such as `utf8mb4_nopad_bin` of MariaDB, or \
            compare the id after the read. With `utf8mb4_bin`, spaces at the end do not count.",
        steps: r#"
store.set("a", { cookie: {}, who: "ann" }, () => store.get("a ", (_, session) => console.log(session?.who)));
// ann"#,
        cases: &[
            "ids_with_odd_characters_are_kept_apart",
            "ids_that_differ_in_case_are_kept_apart",
        ],
        stores: &["express-mysql-session"],
    },
    Finding {
        title: "An id that the backend cannot take is an error without a code",
        advice: "Refuse such an id before it is sent, with a code that an application can tell from an outage, or encode it. \
            express-session's ids never have these characters, but a cookie can be signed for any id.",
        steps: r#"
for (const sid of ["a b", "a\0b", "a/b", "a".repeat(300)]) {
  store.set(sid, { cookie: {} }, (error) => console.log(JSON.stringify(sid.slice(0, 9)), error?.code));
}
// connect-memcached: white space is an error, and a NUL ends the key, so that "a\0b" reads the session of "a"
// connect-pg-simple, connect-session-knex: a NUL is an error of PostgreSQL
// session-file-store: "/" is a folder, and 300 characters are too long for a file
// express-mysql-session: ER_DATA_TOO_LONG beyond 128 characters"#,
        cases: &[
            "ids_with_odd_characters_are_kept_apart",
            "ids_with_control_characters_are_kept_apart",
            "ids_in_unicode_are_kept_apart",
            "long_ids_are_kept_apart",
            "touch_takes_every_id_that_set_takes",
        ],
        stores: &[],
    },
    Finding {
        title: "A record that is too large cannot be told from an outage",
        advice: "Give the error a code. An application could then drop what is large, instead of trying again.",
        steps: r#"
store.set("a", { cookie: {}, text: "x".repeat(1_100_000) }, (error) => console.log(error.name, error.code));
// Error undefined"#,
        cases: &["a_record_of_1_mb_comes_back_or_is_too_large"],
        stores: &[],
    },
    Finding {
        title: "A copy of a session that was touched ends at once",
        advice: "There is nothing to do for a store: `set` of express-session takes the time to live from the cookie alone. \
            After a touch, the record of many stores has a cookie whose time is over, so whoever copies it to another store has to change it.",
        steps: r#"
const cookie = { expires: new Date(Date.now() - 1_000), maxAge: -1_000 };
store.set("a", { cookie }, () => store.get("a", (_, session) => console.log(Boolean(session))));
// false"#,
        cases: &["set_keeps_a_copy_for_its_time"],
        stores: &[],
    },
    Finding {
        title: "A record is parsed and printed again",
        advice: "There is nothing to do for a store: express-session hands over a parsed session, so what another program \
            wrote is gone before the store is called. It matters to programs that keep more than JavaScript does, such as whole numbers of 64 bits.",
        steps: r#"
const session = JSON.parse('{"n":1.0,"m":12345678901234567890,"7":1,"cookie":{}}');
store.set("a", session, () => store.get("a", (_, found) => console.log(JSON.stringify(found))));
// {"7":1,"n":1,"m":12345678901234567000,"cookie":{}}"#,
        cases: &[
            "numbers_come_back_as_written",
            "escapes_come_back_as_written",
            "spaces_come_back",
            "crlf_between_tokens_comes_back",
            "doubled_names_come_back",
            "member_order_comes_back",
        ],
        stores: &[],
    },
];

impl Finding {
    fn explains(&self, store: &str, case: &str) -> bool {
        self.cases.contains(&case) && (self.stores.is_empty() || self.stores.contains(&store))
    }
}

/// The finding that explains a failure.
pub(super) fn explaining(store: &str, case: &str) -> Option<&'static Finding> {
    FINDINGS.iter().find(|finding| finding.explains(store, case))
}

/// The failures without a finding.
pub(super) fn unexplained(columns: &[Column]) -> Vec<String> {
    let mut found = Vec::new();
    for column in columns {
        let store = column.store.name;
        for verdict in column.with_outcome(Outcome::Failed) {
            if explaining(store, &verdict.case).is_none() {
                found.push(format!("{store}: {}: {}", verdict.case, verdict.reason));
            }
        }
    }
    found
}
