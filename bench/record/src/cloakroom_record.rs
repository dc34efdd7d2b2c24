//! `SessionData`, which keeps the text and what has changed.

use cloakroom::SessionData;

use crate::Subject;

pub(crate) const SUBJECT: Subject = Subject { name: "cloakroom, SessionData", read, update };

fn load(text: Vec<u8>) -> SessionData {
    SessionData::from_record(text).expect("it is JSON").expect("it is a session")
}

fn views(session: &SessionData) -> i64 {
    session.get("views").expect("it is a number").expect("it is there")
}

fn read(text: Vec<u8>) -> i64 {
    views(&load(text))
}

fn update(text: Vec<u8>) -> Vec<u8> {
    let mut session = load(text);
    let views = views(&session);
    session.insert("views", views + 1).expect("a number is JSON");
    session.to_json().into_owned().into_bytes()
}
