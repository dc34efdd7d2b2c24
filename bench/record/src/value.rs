//! `serde_json::Value`, which parses everything, and sorts the members when it writes them.

use serde_json::Value;

use crate::Subject;

pub(crate) const SUBJECT: Subject = Subject { name: "serde_json::Value", read, update };

fn read(text: Vec<u8>) -> i64 {
    let value: Value = serde_json::from_slice(&text).expect("it is JSON");
    value["views"].as_i64().expect("it is a number")
}

fn update(text: Vec<u8>) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&text).expect("it is JSON");
    let views = value["views"].as_i64().expect("it is a number");
    value["views"] = (views + 1).into();
    serde_json::to_vec(&value).expect("it was JSON")
}
