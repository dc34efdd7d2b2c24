//! Values that differ from a recorded one in one place, to see that a replay notices.

use crate::json::{Json, Text};

/// The value with each of its leaves changed in turn, and with an item or member too many or too few.
#[must_use]
pub fn changed(value: &Json) -> Vec<Json> {
    match value {
        Json::Null => vec![Json::from("x")],
        Json::Bool(value) => vec![Json::Bool(!value)],
        Json::Number(number) => vec![Json::Number(number + 1.0)],
        Json::String(_) => {
            vec![Json::from(&*format!("{}x", value.text().unwrap_or_default()))]
        }
        Json::Array(items) => {
            let one_more = items.iter().cloned().chain([Json::from("x")]).collect();
            let mut all = vec![Json::Array(one_more)];
            for (place, item) in items.iter().enumerate() {
                let fewer = items.iter().enumerate().filter(|(at, _)| *at != place);
                all.push(Json::Array(fewer.map(|(_, item)| item.clone()).collect()));
                all.extend(changed(item).into_iter().map(|item| {
                    let mut items = items.clone();
                    items[place] = item;
                    Json::Array(items)
                }));
            }
            all
        }
        Json::Object(_) => changed_members(value, |_| true),
    }
}

/// The object with each of these members changed in turn, and without it.
pub fn changed_members(object: &Json, is_answer: impl Fn(&Text) -> bool) -> Vec<Json> {
    let mut all = Vec::new();
    for (name, value) in object.members().iter().filter(|(name, _)| is_answer(name)) {
        let others = object.members().iter().filter(|(known, _)| known != name);
        all.push(Json::object(others.cloned().collect()));
        all.extend(changed(value).into_iter().map(|value| {
            let members = object.members().iter();
            let members = members.map(|(known, old)| {
                (known.clone(), if known == name { value.clone() } else { old.clone() })
            });
            Json::object(members.collect())
        }));
    }
    all
}

/// A value in which texts were replaced, and how many.
#[derive(Debug)]
pub struct Rewritten {
    /// The value.
    pub json: Json,
    /// The number of texts that are others now.
    pub count: usize,
}

/// The value with each text under the name `member`, wherever it stands, replaced by what `change` makes of it; `None`
/// leaves it.
pub fn rewritten(value: &Json, member: &str, change: impl Fn(&str) -> Option<String>) -> Rewritten {
    let mut count = 0;
    let json = rewrite(value, member, &change, &mut count);
    Rewritten { json, count }
}

fn rewrite(
    value: &Json,
    member: &str,
    change: &impl Fn(&str) -> Option<String>,
    count: &mut usize,
) -> Json {
    match value {
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| rewrite(item, member, change, count)).collect())
        }
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let changed =
                    value.text().filter(|_| name == member).and_then(|text| change(&text));
                let value = match changed {
                    Some(text) => {
                        *count += 1;
                        Json::from(&*text)
                    }
                    None => rewrite(value, member, change, count),
                };
                (name.clone(), value)
            });
            Json::Object(members.collect())
        }
        other => other.clone(),
    }
}
