//! Kind `vectors`: single signatures, cookies and records of express-session.

mod cookie_text;
mod differences;
mod handler;
mod read_cookie;
mod record;
mod set_cookie;
mod signature;

use super::{Kind, Outcome, Report, not_applicable};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "vectors",
    about: "signatures, Set-Cookie, Cookie headers, records, ids",
    replay: replay_sections,
};

/// A section of the file, and the function that checks its vectors. It returns `None` if the vector is malformed.
type Section = (&'static str, fn(&Json) -> Option<Outcome>);

const SECTIONS: [Section; 8] = [
    ("sign", signature::sign),
    ("unsign", signature::unsign),
    ("set_cookie", set_cookie::check),
    ("read_cookie", read_cookie::check),
    ("parse", cookie_text::parse),
    ("serialize", cookie_text::serialize),
    ("record", record::check),
    ("genid", signature::genid),
];

fn replay_sections(file: &Json, report: &mut Report) {
    for (section, _) in SECTIONS {
        for (place, row) in file.get(section).map_or(&[][..], Json::items).iter().enumerate() {
            let id = row.get("id").and_then(Json::text).filter(|_| section != "genid");
            let id =
                id.map_or_else(|| format!("{section}[{place}]"), |id| format!("{section} {id}"));
            report.add(id, check(section, row));
        }
    }
}

/// Checks one vector of a section.
#[must_use]
pub fn check(section: &str, row: &Json) -> Outcome {
    let Some((_, check)) = SECTIONS.iter().find(|(known, _)| *known == section) else {
        return Outcome::failed("section", "one that this replay knows", section);
    };
    if let Some(reason) = not_applicable::of_vector(section, row) {
        return Outcome::NotApplicable(reason);
    }
    check(row).unwrap_or_else(|| {
        Outcome::failed("form of the vector", "the members of its section", row.stringify())
    })
}
