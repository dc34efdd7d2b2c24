//! The README's table of stores says what is so today.

use cloakroom_tests::store_table::{but_for_versions, readme, replace, table};

/// But for the versions of the servers, which differ from one machine to the next.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server, memcached, mongod and postgresql"]
async fn the_table_of_stores_is_up_to_date() {
    let text = std::fs::read_to_string(readme()).unwrap();
    let made = table().await.unwrap();
    let (stands, _) = replace(&text, &made.table).unwrap();
    assert_eq!(
        but_for_versions(&stands),
        but_for_versions(&made.table),
        "run `cargo xtask table`; of the promises that are not kept:\n{}",
        made.broken
    );
}
