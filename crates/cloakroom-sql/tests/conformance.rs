//! Every promise of the contract, on real databases, in the table of each npm store.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::LazyLock, time::Duration};

use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::Clock;
use cloakroom_sql::{Counterpart, Dialect, SqlOptions, SqlStore};
use cloakroom_test_backends::{Harmed, One, RawSql};
use cloakroom_test_support::{Pg, Postgres, unique};

/// All cases share it. A static is never dropped; the server ends with the test process.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());

/// Whether a promise is kept does not depend on how fast the machine is.
fn options(clock: &Clock) -> SqlOptions {
    let deadline = Duration::from_secs(60);
    let options = SqlOptions::default().with_deadline(deadline).with_clock(clock.clone());
    // Several cases run at once, and PostgreSQL accepts 100 connections.
    options.with_create_table(true).with_connections(4)
}

/// Two handles as two processes have them, and a neighbour in another table.
fn subject(
    url: &str,
    dialect: Dialect,
    counterpart: Counterpart,
    clock: Clock,
) -> (StoreUnderTest, RawSql) {
    let name = unique("case");
    let open = |name: &str| {
        let table = counterpart.table(dialect).unwrap().with_name(name);
        SqlStore::open_with(url, options(&clock).with_table(table)).unwrap()
    };
    let subject = StoreUnderTest::new(open(&name))
        .with_second_handle(open(&name))
        .with_neighbour(open(&format!("{name}.neighbour")));
    let table = counterpart.table(dialect).unwrap().with_name(&name);
    let url = url.replace("?durable=false", "?mode=rwc");
    let raw = RawSql::new(counterpart.package(), url, &name, clock).unwrap();
    (subject, raw.in_new_table(table.create_statements()))
}

fn on_postgres(counterpart: Counterpart, is_moved: bool) -> StoreUnderTest {
    let clock = if is_moved { Clock::fixed(4_102_444_800_500) } else { Clock::system() };
    let (subject, raw) = subject(&SERVER.url(), Dialect::Postgres, counterpart, clock.clone());
    let subject = subject.with_raw(raw);
    if is_moved { subject.with_clock(clock) } else { subject }
}

fn on_sqlite(counterpart: Counterpart, is_moved: bool) -> StoreUnderTest {
    let clock = if is_moved { Clock::fixed(4_102_444_800_500) } else { Clock::system() };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/sessions.db?durable=false", folder.path().display());
    let (subject, raw) = subject(&url, Dialect::Sqlite, counterpart, clock.clone());
    let subject = subject.with_raw(raw).add_guard(folder);
    if is_moved { subject.with_clock(clock) } else { subject }
}

mod pg_simple {
    use super::*;

    /// With a server to be harmed.
    async fn subject() -> StoreUnderTest {
        on_postgres(Counterpart::ConnectPgSimple, false).with_faults(|| {
            Harmed::<One<Pg>>::start(|addr, deadline| {
                let url = format!("postgres://postgres@{addr}/postgres?createTable=true");
                let options = SqlOptions::default().with_deadline(deadline);
                Ok(Box::new(SqlStore::open_with(&url, options)?))
            })
        })
    }

    suite!(
        subject,
        ignore = "needs postgres",
        not_offered = [endless],
        exceptions = [
            a_corrupt_record_can_be_destroyed = "the type json refuses what is not JSON",
            a_corrupt_record_can_be_replaced = "the type json refuses what is not JSON",
            a_corrupt_record_is_not_quoted = "the type json refuses what is not JSON",
            all_goes_on_after_a_corrupt_record = "the type json refuses what is not JSON",
            conditional_calls_on_what_is_not_a_session_are_corrupt =
                "the type json refuses what is not JSON",
            what_express_takes_for_no_session_is_none = "the type json refuses what is not JSON",
            what_is_not_a_session_is_corrupt = "the type json refuses what is not JSON",
        ],
    );
}

mod pg_simple_with_a_clock {
    use super::*;

    suite!(
        || async { on_postgres(Counterpart::ConnectPgSimple, true) },
        ignore = "needs postgres",
        not_offered = [endless, faults],
        exceptions = [
            a_corrupt_record_can_be_destroyed = "the type json refuses what is not JSON",
            a_corrupt_record_can_be_replaced = "the type json refuses what is not JSON",
            a_corrupt_record_is_not_quoted = "the type json refuses what is not JSON",
            all_goes_on_after_a_corrupt_record = "the type json refuses what is not JSON",
            conditional_calls_on_what_is_not_a_session_are_corrupt =
                "the type json refuses what is not JSON",
            what_express_takes_for_no_session_is_none = "the type json refuses what is not JSON",
            what_is_not_a_session_is_corrupt = "the type json refuses what is not JSON",
        ],
    );
}

mod knex_on_postgres {
    use super::*;

    suite!(
        || async { on_postgres(Counterpart::ConnectSessionKnex, true) },
        ignore = "needs postgres",
        not_offered = [endless, faults],
        exceptions = [
            a_corrupt_record_can_be_destroyed = "the type json refuses what is not JSON",
            a_corrupt_record_can_be_replaced = "the type json refuses what is not JSON",
            a_corrupt_record_is_not_quoted = "the type json refuses what is not JSON",
            all_goes_on_after_a_corrupt_record = "the type json refuses what is not JSON",
            conditional_calls_on_what_is_not_a_session_are_corrupt =
                "the type json refuses what is not JSON",
            what_express_takes_for_no_session_is_none = "the type json refuses what is not JSON",
            what_is_not_a_session_is_corrupt = "the type json refuses what is not JSON",
        ],
    );
}

mod sequelize_on_postgres {
    use super::*;

    suite!(
        || async { on_postgres(Counterpart::ConnectSessionSequelize, true) },
        ignore = "needs postgres",
        not_offered = [find_by, endless, faults],
    );
}

mod prisma {
    use super::*;

    suite!(
        || async { on_postgres(Counterpart::PrismaSessionStore, true) },
        ignore = "needs postgres",
        not_offered = [find_by, endless, faults],
    );
}

mod typeorm_on_postgres {
    use super::*;

    suite!(
        || async { on_postgres(Counterpart::ConnectTypeorm, true) },
        ignore = "needs postgres",
        not_offered = [find_by, endless, faults],
    );
}

mod sqlite3 {
    use super::*;

    suite!(
        || async { on_sqlite(Counterpart::ConnectSqlite3, false) },
        not_offered = [endless, faults],
    );
}

mod sqlite3_with_a_clock {
    use super::*;

    suite!(
        || async { on_sqlite(Counterpart::ConnectSqlite3, true) },
        not_offered = [endless, faults],
    );
}

mod knex_on_sqlite {
    use super::*;

    suite!(
        || async { on_sqlite(Counterpart::ConnectSessionKnex, true) },
        not_offered = [endless, faults],
    );
}

mod better_sqlite3 {
    use super::*;

    suite!(
        || async { on_sqlite(Counterpart::BetterSqlite3SessionStore, true) },
        not_offered = [endless, faults],
    );
}

mod sequelize_on_sqlite {
    use super::*;

    suite!(
        || async { on_sqlite(Counterpart::ConnectSessionSequelize, true) },
        not_offered = [endless, faults],
    );
}

mod typeorm_on_sqlite {
    use super::*;

    suite!(
        || async { on_sqlite(Counterpart::ConnectTypeorm, true) },
        not_offered = [endless, faults],
    );
}
