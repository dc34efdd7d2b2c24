//! `sonic-rs`, with the members as lazy values.

use sonic_rs::JsonValueTrait;

use crate::Subject;

pub(crate) const SUBJECT: Subject = Subject { name: "sonic-rs, lazy members", read, update };

fn read(text: Vec<u8>) -> i64 {
    // All of it is read, as by the others: a store must know that the text is whole.
    let mut views = None;
    for member in sonic_rs::to_object_iter(&text[..]) {
        let (name, value) = member.expect("it is JSON");
        if name == "views" {
            views = value.as_i64();
        }
    }
    views.expect("it is there, and a number")
}

fn update(text: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    for member in sonic_rs::to_object_iter(&text[..]) {
        let (name, value) = member.expect("it is JSON");
        out.push(if out.is_empty() { b'{' } else { b',' });
        let name: &str = &name;
        serde_json::to_writer(&mut out, name).expect("a name is JSON");
        out.push(b':');
        if name == "views" {
            let views = value.as_i64().expect("it is a number");
            serde_json::to_writer(&mut out, &(views + 1)).expect("a number is JSON");
        } else {
            out.extend_from_slice(value.as_raw_str().as_bytes());
        }
    }
    out.push(b'}');
    out
}
