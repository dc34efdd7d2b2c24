//! What a column takes: ids in other letters, texts and characters that do not fit, tables of other types.

use cloakroom_core::{Atomic, Created, Enumerate, FindBy, Store, Touched, Updated};
use futures::TryStreamExt;

use super::*;

/// The table as connect-session-knex makes it: with the collation of the database, which has no case.
async fn in_the_table_of_knex() -> (String, MySqlConnection) {
    let (name, mut beside) = table(&SERVER).await;
    let columns = "sid varchar(255) COLLATE utf8mb4_general_ci, sess json not null, expired datetime not null, primary key (sid)";
    run(&mut beside, &format!("CREATE TABLE {name} ({columns})")).await;
    (name, beside)
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn an_id_in_other_letters_is_another_session() {
    let (name, _) = in_the_table_of_knex().await;
    let store = open(&SERVER, &format!("table={name}&counterpart=connect-session-knex"));
    store.set("AbCdEf", &ann()).await.unwrap();
    let read = store.get("AbCdEf").await.unwrap().unwrap();
    for other in ["aBcDeF", "ABCDEF", "AbCdÉf"] {
        assert_eq!(store.get(other).await.unwrap(), None, "{other:?}");
        assert_eq!(store.get_and_touch(other, None).await.unwrap(), None, "{other:?}");
        assert_eq!(store.touch(other, &read).await.unwrap(), Touched::Missing, "{other:?}");
        assert!(matches!(store.update(other, &read).await.unwrap(), Updated::Gone), "{other:?}");
        store.destroy(other).await.unwrap();
        // The database would give it the row of ann.
        let error = refused(store.set(other, &with("user", "bob")).await, ErrorKind::InvalidId);
        assert!(error.contains("collation"), "{error}");
        assert!(
            store.create(other, &with("user", "bob")).await.unwrap()
                == cloakroom_core::Created::Exists
        );
    }
    // The collation does not tell these two ids apart at all.
    refused(store.get("AbCdEf ").await, ErrorKind::InvalidId);
    refused(store.destroy("AbCdEf ").await, ErrorKind::InvalidId);
    // MySQL has another order for the members of a json text.
    let read = store.get("AbCdEf").await.unwrap().unwrap();
    assert_eq!(read.get::<String>("user").unwrap().as_deref(), Some("ann"));
    // The marker of our own sessions is told by its bytes, too.
    store.set("CLOAKROOM-MARKER-x", &ann()).await.unwrap();
    assert_eq!(store.length().await.unwrap(), 2);
    assert_eq!(store.ids().try_collect::<Vec<_>>().await.unwrap().len(), 2);
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn nothing_is_cut_to_fit_a_column() {
    let (name, mut beside) = table(&ODD).await;
    let columns = "sid varchar(36) PRIMARY KEY, expires datetime, data text CHARACTER SET utf8mb4, createdAt datetime NOT NULL, updatedAt datetime NOT NULL";
    run(&mut beside, &format!("CREATE TABLE {name} ({columns})")).await;
    let store = open(&ODD, &format!("table={name}&counterpart=connect-session-sequelize"));
    let beyond = 65_536 - ann().to_json().len();
    let text = "x".repeat(beyond);
    refused(store.set("id", &with("user", &format!("ann{text}"))).await, ErrorKind::TooLarge);
    store.set("id", &with("user", &format!("an{text}"))).await.unwrap();
    assert!(store.get("id").await.unwrap().is_some());
    // It counts bytes.
    refused(store.set("id", &with("user", &"é".repeat(40_000))).await, ErrorKind::TooLarge);
    refused(store.set(&"x".repeat(37), &ann()).await, ErrorKind::InvalidId);
    refused(store.get(&"x".repeat(37)).await, ErrorKind::InvalidId);
    // The column of the id has the character set of the database, latin1.
    refused(store.set("😀", &ann()).await, ErrorKind::InvalidId);
    // After the store has looked at the table, the server says so.
    run(&mut beside, &format!("ALTER TABLE {name} MODIFY data varchar(200)")).await;
    run(&mut beside, &format!("DELETE FROM {name}")).await;
    refused(store.set("id", &with("user", &"x".repeat(200))).await, ErrorKind::TooLarge);
    refused(store.create("id", &with("user", "😀")).await, ErrorKind::InvalidData);
    assert_eq!(store.get("id").await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_character_that_the_column_cannot_keep_is_refused() {
    let (name, mut beside) = table(&SERVER).await;
    let columns = "session_id varchar(128) CHARACTER SET utf8mb3 NOT NULL PRIMARY KEY, expires int unsigned NOT NULL, data mediumtext CHARACTER SET utf8mb3";
    run(&mut beside, &format!("CREATE TABLE {name} ({columns})")).await;
    let store = open(&SERVER, &format!("table={name}"));
    store.set("ékey€", &with("user", "Zoë €")).await.unwrap();
    let mut read = store.get("ékey€").await.unwrap().unwrap();
    assert_eq!(read.get::<String>("user").unwrap().as_deref(), Some("Zoë €"));
    read.insert("n", 1).unwrap();
    assert!(matches!(store.update("ékey€", &read).await.unwrap(), Updated::Stored(_)));
    let error = refused(store.set("id", &with("user", "😀")).await, ErrorKind::InvalidData);
    assert!(error.contains("utf8mb4"), "{error}");
    refused(store.set("😀", &ann()).await, ErrorKind::InvalidId);
    assert_eq!(store.length().await.unwrap(), 1);
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_json_column_refuses_what_it_cannot_keep() {
    let (name, _) = in_the_table_of_knex().await;
    let store = open(&SERVER, &format!("table={name}&counterpart=connect-session-knex"));
    // MariaDB takes 31 levels, and MySQL 100.
    let deep = format!("{}{}", "[".repeat(110), "]".repeat(110));
    for value in [r#""\ud83d""#, &deep] {
        let text = format!(r#"{{"cookie":{{"originalMaxAge":null}},"a":{value}}}"#);
        let session = SessionData::from_json(text).unwrap();
        refused(store.set("id", &session).await, ErrorKind::InvalidData);
        assert_eq!(store.get("id").await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_wrong_column_is_an_error_that_names_it() {
    for (columns, message) in [
        ("expires int, data text", "the column \"session_id\" of the table"),
        ("session_id int, expires int, data text", "the column \"session_id\""),
        ("session_id char(32) PRIMARY KEY, expires int, data text", "must be varchar"),
        ("session_id varchar(9) PRIMARY KEY, expires int, data blob", "the column \"data\""),
        ("session_id varchar(9) PRIMARY KEY, expires datetime, data text", "must be int or bigint"),
        ("session_id varchar(9), expires int, data text", "needs a unique index of its own"),
        ("session_id varchar(9), expires int, data text, UNIQUE (session_id(4))", "unique index"),
        (
            "session_id varchar(9), expires int, data text, PRIMARY KEY (session_id, expires)",
            "unique index",
        ),
    ] {
        let (name, mut beside) = table(&SERVER).await;
        run(&mut beside, &format!("CREATE TABLE {name} ({columns})")).await;
        let outcome = open(&SERVER, &format!("table={name}")).set("id", &ann()).await;
        let error = refused(outcome, ErrorKind::Config);
        assert!(error.contains(message), "{columns}: {error}");
    }
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_table_with_a_long_name_is_created() {
    let name = format!("{:e<64}", table(&SERVER).await.0);
    let store = open(&SERVER, &format!("table={name}&createTable=true"));
    store.set("id", &ann()).await.unwrap();
    store.drop_table().await.unwrap();
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_missing_table_is_an_error_that_says_how_to_create_it() {
    let (name, mut beside) = table(&SERVER).await;
    let store = open(&SERVER, &format!("table={name}"));
    let error = refused(store.get("id").await, ErrorKind::Config);
    let (_, statement) = error.split_once("or with: ").unwrap();
    assert!(error.contains("createTable=true"), "{error}");
    run(&mut beside, statement).await;
    store.set("id", &ann()).await.unwrap();
    // It is looked for again when it is gone.
    run(&mut beside, &format!("DROP TABLE {name}")).await;
    refused(store.get("id").await, ErrorKind::Config);
    let creates = open(&SERVER, &format!("table={name}&createTable=true"));
    assert_eq!(creates.get("id").await.unwrap(), None);
}

/// connect-typeorm marks a row, and never brings it back.
#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_row_that_was_marked_as_destroyed_is_no_session() {
    let (name, _) = table(&SERVER).await;
    let parameters = format!("table={name}&counterpart=connect-typeorm&createTable=true");
    let store = open(&SERVER, &parameters);
    store.set("id", &ann()).await.unwrap();
    let read = store.get("id").await.unwrap().unwrap();
    store.destroy("id").await.unwrap();
    assert_eq!(store.get("id").await.unwrap(), None);
    assert_eq!(store.touch("id", &read).await.unwrap(), Touched::Missing);
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Gone));
    assert_eq!(store.get_and_touch("id", None).await.unwrap(), None);
    let created = store.create("id", &with("user", "bob")).await.unwrap();
    assert!(matches!(created, Created::Stored(_)));
    assert_eq!(store.get("id").await.unwrap(), Some(with("user", "bob")));
    assert!(matches!(store.create("id", &ann()).await.unwrap(), Created::Exists));
}

/// Whoever reads the error enlarges the column, and the service goes on.
#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_column_that_was_enlarged_keeps_what_it_refused() {
    let (name, mut beside) = table(&SERVER).await;
    let columns = |id: &str, data: &str| {
        format!(
            "session_id {id} COLLATE utf8mb4_bin NOT NULL, expires int unsigned NOT NULL, data {data}"
        )
    };
    let create = format!(
        "CREATE TABLE {name} ({}, PRIMARY KEY (session_id))",
        columns("varchar(9)", "text")
    );
    run(&mut beside, &create).await;
    let store = open(&SERVER, &format!("table={name}"));
    let long = with("text", &"x".repeat(70_000));
    refused(store.set("id", &long).await, ErrorKind::TooLarge);
    run(&mut beside, &format!("ALTER TABLE {name} MODIFY data mediumtext")).await;
    let wait = Wait::until("the longer text fits");
    while let Err(error) = store.set("id", &long).await {
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        wait.check();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    refused(store.create("0123456789", &long).await, ErrorKind::InvalidId);
    run(
        &mut beside,
        &format!("ALTER TABLE {name} MODIFY session_id varchar(10) COLLATE utf8mb4_bin NOT NULL"),
    )
    .await;
    let wait = Wait::until("the longer id fits");
    let created = loop {
        match store.create("0123456789", &long).await {
            Err(error) if error.kind() == ErrorKind::InvalidId => wait.check(),
            created => break created.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(matches!(created, Created::Stored(_)));
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn an_index_that_is_gone_is_looked_for_again() {
    let (name, mut beside) = table(&SERVER).await;
    let store = open(&SERVER, &format!("table={name}&createTable=true"));
    let found = async || FindBy::find(&store, "user", "\"ann\"").await.unwrap().is_some();
    store.create_index("user").await.unwrap();
    assert!(found().await);
    store.drop_table().await.unwrap();
    store.set("id", &ann()).await.unwrap();
    assert!(!found().await, "the new table has no index");
    store.create_index("user").await.unwrap();
    assert!(found().await);
    // By hand: the first search fails, and the next one knows.
    let index = store.index_statement("user").await.unwrap();
    let column = index.split('`').nth(3).unwrap();
    run(&mut beside, &format!("ALTER TABLE {name} DROP INDEX `{column}`, DROP COLUMN `{column}`"))
        .await;
    let rows = FindBy::find(&store, "user", "\"ann\"").await.unwrap().unwrap();
    refused(rows.try_collect::<Vec<_>>().await, ErrorKind::Config);
    assert!(!found().await);
}
