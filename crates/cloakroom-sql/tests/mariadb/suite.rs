//! Every promise of the contract, in the table of each npm store.

use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::Clock;
use cloakroom_sql::{Counterpart, Dialect};
use cloakroom_test_backends::{One, RawSql, Shared};
use cloakroom_test_support::Maria;

use super::*;

/// One server for all cases that harm it, which takes a second to start.
static HARMED: LazyLock<Shared<One<Maria>>> = LazyLock::new(Shared::default);

const TEXT: &str = "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

fn options(clock: &Clock) -> SqlOptions {
    // Whether a promise is kept does not depend on how fast the machine is.
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    options.with_create_table(true).with_connections(4).with_clock(clock.clone())
}

/// Two handles as two processes have them, and a neighbour in another table.
async fn subject(counterpart: Counterpart, is_moved: bool) -> StoreUnderTest {
    let clock = if is_moved { Clock::fixed(4_102_444_800_500) } else { Clock::system() };
    let (name, url) = (unique("case"), SERVER.url());
    let open = |name: &str| {
        let mut table = counterpart.table(Dialect::MySql).unwrap().with_name(name);
        // `json` of MariaDB refuses half a surrogate pair, and what is not JSON. Many cases have one of them.
        table.data.sql_type = table.data.sql_type.replace("json", TEXT);
        SqlStore::open_with(&url, options(&clock).with_table(table)).unwrap()
    };
    let store = open(&name);
    // The rows are read and written beside the store, too.
    store.ping().await.unwrap();
    let subject = StoreUnderTest::new(store)
        .with_second_handle(open(&name))
        .with_neighbour(open(&format!("{name}.neighbour")))
        .with_raw(RawSql::new(counterpart.package(), &*url, &name, clock.clone()).unwrap());
    if is_moved { subject.with_clock(clock) } else { subject }
}

mod express_mysql_session {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let subject = super::subject(Counterpart::ExpressMysqlSession, false).await;
        subject.with_faults(|| {
            let name = unique("case");
            HARMED.harmed(move |addr, deadline| {
                let url = format!("mysql://root@{addr}/test?createTable=true&table={name}");
                let options = SqlOptions::default().with_deadline(deadline);
                Ok(Box::new(SqlStore::open_with(&url, options)?))
            })
        })
    }

    suite!(subject, ignore = "needs mariadb-server", not_offered = [endless]);
}

mod express_mysql_session_with_a_clock {
    use super::*;

    suite!(
        || subject(Counterpart::ExpressMysqlSession, true),
        ignore = "needs mariadb-server",
        not_offered = [endless, faults],
    );
}

mod knex {
    use super::*;

    suite!(
        || subject(Counterpart::ConnectSessionKnex, true),
        ignore = "needs mariadb-server",
        not_offered = [endless, faults],
    );
}

mod sequelize {
    use super::*;

    suite!(
        || subject(Counterpart::ConnectSessionSequelize, true),
        ignore = "needs mariadb-server",
        not_offered = [endless, faults],
    );
}

mod typeorm {
    use super::*;

    suite!(
        || subject(Counterpart::ConnectTypeorm, true),
        ignore = "needs mariadb-server",
        not_offered = [endless, faults],
    );
}
