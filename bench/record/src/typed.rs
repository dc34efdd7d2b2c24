//! A struct with all members, by `serde_json`: it loses what it does not know.

use serde::{Deserialize, Serialize};

use crate::Subject;

pub(crate) const SUBJECT: Subject = Subject { name: "serde_json, a typed struct", read, update };

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    cookie: Cookie,
    views: i64,
    user: User,
    csrf_secret: String,
    roles: Vec<String>,
    locale: String,
    last_seen: String,
    flash: Flash,
    #[serde(skip_serializing_if = "Option::is_none")]
    cart: Option<Cart>,
    return_to: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cookie {
    original_max_age: Option<i64>,
    expires: Option<String>,
    http_only: bool,
    path: String,
}

#[derive(Deserialize, Serialize)]
struct User {
    id: i64,
    name: String,
    email: String,
    admin: bool,
}

#[derive(Deserialize, Serialize)]
struct Flash {
    info: Vec<String>,
    error: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Cart {
    items: Vec<Item>,
    total: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    sku: String,
    title: String,
    qty: i64,
    price: f64,
    tags: Vec<String>,
    in_stock: bool,
    note: Option<String>,
}

fn read(text: Vec<u8>) -> i64 {
    serde_json::from_slice::<Session>(&text).expect("it has these members").views
}

fn update(text: Vec<u8>) -> Vec<u8> {
    let mut session: Session = serde_json::from_slice(&text).expect("it has these members");
    session.views += 1;
    serde_json::to_vec(&session).expect("it was JSON")
}
