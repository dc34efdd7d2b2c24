//! Vectors for which express-session loses or breaks something and this code deliberately behaves better.
//!
//! Such a vector is checked twice: whether the file has the known behaviour of Express, and whether this code keeps its
//! promise.

use super::super::Outcome;

pub(super) const COOKIE_OF_ANY_NAME: Outcome = Outcome::PassedDifferently(
    "a cookie whose name every JavaScript object has: Express fails or does not find it, here it is a name like any other",
);
pub(super) const EXPIRY_BEYOND_DATES: Outcome = Outcome::PassedDifferently(
    "an expiry beyond JavaScript's dates: Express stores null and sends no cookie, here setting it is an error",
);
pub(super) const NO_AGE: Outcome = Outcome::PassedDifferently(
    "a cookie whose age is not a number: Express throws at the end of the request and stores nothing, here nothing is lost",
);
pub(super) const NOT_A_VALUE: Outcome = Outcome::PassedDifferently(
    "a change for which Express throws at the end of the request: here setting it is an error",
);
pub(super) const RECORD_WITHOUT_COOKIE: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: Express always answers 500, here it is read, and gets a cookie when it is written",
);
pub(super) const COOKIE_NO_OBJECT: Outcome = Outcome::PassedDifferently(
    "a cookie that is an array or empty: Express writes one without expiry members, here it is the default one",
);
pub(super) const RESERVED_MEMBER: Outcome = Outcome::PassedDifferently(
    "a member with a name of Express's own: Express erases it when the session is read, here it is kept",
);
pub(super) const RESERVED_NAME_SET: Outcome = Outcome::PassedDifferently(
    "setting a member with a name of Express's own: Express loses it or fails, here it is an error",
);
pub(super) const COOKIE_WITH_TO_JSON: Outcome = Outcome::PassedDifferently(
    "a cookie with a member toJSON: Express writes its insides from then on, here it stays a cookie",
);
pub(super) const MAX_AGE_BESIDE_ORIGINAL: Outcome = Outcome::PassedDifferently(
    "a cookie with a member maxAge: Express shows an expiry of its own until the next write, here the record's",
);
