//! Sessions whose `expires` is not a date, as a broken program may write it.

use cloakroom_core::{SessionData, Touched};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, check},
};

/// Values of `expires` that are not a date in text. JavaScript's `new Date` makes an invalid date of most of them.
const NO_DATES: [(&str, &str); 7] = [
    ("word", "\"garbage\""),
    ("empty", "\"\""),
    ("half", "\"\\ud800\""),
    ("number", "1e300"),
    ("flag", "true"),
    ("object", "{}"),
    ("list", "[\"2020\"]"),
];

fn session(expires: &str) -> Result<SessionData, Failure> {
    let cookie =
        format!(r#"{{"originalMaxAge":null,"expires":{expires},"httpOnly":true,"path":"/"}}"#);
    Ok(SessionData::from_json(format!(r#"{{"cookie":{cookie},"who":"ann"}}"#))?)
}

/// Checks that the sessions exist now and after a second. A time to live that is not a number ends before that.
async fn are_kept(subject: &StoreUnderTest) -> Verdict {
    for (sid, _) in NO_DATES {
        subject.is_there(sid).await?;
    }
    subject.pass(subject.short_ms() + 200).await;
    for (sid, _) in NO_DATES {
        subject.is_there(sid).await?;
    }
    Ok(())
}

/// Express goes on with such a session. Its users must not be logged out because their next request is served by Rust.
pub(crate) async fn set_with_an_expiry_that_is_not_a_date_is_kept(
    subject: &StoreUnderTest,
) -> Verdict {
    for (sid, expires) in NO_DATES {
        let session = session(expires)?;
        subject.store().set(sid, &session).await?;
        subject.holds(sid, &session).await?;
    }
    are_kept(subject).await
}

/// An arithmetic error, such as a time to live that is not a number, must not reach the backend.
pub(crate) async fn touch_with_an_expiry_that_is_not_a_date_extends(
    subject: &StoreUnderTest,
) -> Verdict {
    for (sid, _) in NO_DATES {
        subject.store().set(sid, &subject.lasting("ann")?).await?;
    }
    for (sid, expires) in NO_DATES {
        let touched = subject.touch(sid, &session(expires)?).await?;
        check(touched == Touched::Extended, format_args!("wanted `Extended`, got `{touched:?}`"))?;
    }
    are_kept(subject).await
}

/// The conditional write computes the time to live too, often in other code than `set`.
pub(crate) async fn update_with_an_expiry_that_is_not_a_date_is_kept(
    subject: &StoreUnderTest,
) -> Verdict {
    let atomic = subject.atomic()?;
    for (sid, expires) in NO_DATES {
        subject.store().set(sid, &subject.lasting("ann")?).await?;
        let mut read = subject.read(sid).await?;
        *read.cookie_mut() = session(expires)?.cookie().clone();
        super::update::is_stored(&atomic.update(sid, &read).await?)?;
    }
    are_kept(subject).await
}
