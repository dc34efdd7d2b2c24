//! The record, the cookie, and a callback as a future: without a store.

use std::hint::black_box;

use cloakroom_compat::{Callback, promisify};
use cloakroom_core::{Secrets, SessionData, find_cookie};

use crate::{Operation, documents::record, now};

pub(crate) fn operations() -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    for (parse, update, bytes) in [
        ("record of 500 bytes: parse, read", "record of 500 bytes: parse, change, write", 500),
        ("record of 20 KB: parse, read", "record of 20 KB: parse, change, write", 20_480),
    ] {
        let text = record(bytes);
        let same = text.clone();
        operations.push((
            parse,
            Box::new(move |_| {
                black_box(views(&load(&same)));
            }),
        ));
        operations.push((
            update,
            Box::new(move |_| {
                let mut session = load(&text);
                let views = views(&session);
                session.insert("views", views + 1).expect("a number is JSON");
                black_box(session.to_json());
            }),
        ));
    }
    operations.push(("cookie: find, verify", cookie()));
    operations.push((
        "promisify: a call that answers at once",
        Box::new(|time| {
            let answer = now(promisify(|callback: Callback<usize>| callback.ok(black_box(time))));
            black_box(answer.expect("it answers"));
        }),
    ));
    operations
}

/// As a store loads it: from bytes that belong to the record from then on.
fn load(text: &str) -> SessionData {
    let loaded = SessionData::from_record(black_box(text).as_bytes().to_vec());
    loaded.expect("it is JSON").expect("it is a session")
}

fn views(session: &SessionData) -> u32 {
    session.get("views").expect("it is a number").expect("it is there")
}

fn cookie() -> Box<dyn FnMut(usize)> {
    let secrets = Secrets::new(["keyboard cat"]).expect("it is a secret");
    let value = secrets.cookie_value("qW3eRtYuIoPaSdFgHjKlZxCvBnM12345");
    let header = format!("theme=dark; connect.sid={value}; lang=en");
    Box::new(move |_| {
        let value = find_cookie(black_box(header.as_bytes()), "connect.sid");
        let value = value.expect("the cookie is there");
        black_box(secrets.read_cookie_value(&value).expect("the signature is right").value.len());
    })
}
