use super::*;

fn session(text: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("text", text).unwrap();
    session
}

fn bounded(clock: &Clock) -> Near {
    Near::bounded(1 << 20, Duration::from_secs(3_600), clock.clone())
}

fn keep(near: &Near, sid: &str, text: &str) {
    near.begin(sid, near.now()).unwrap().keep(Some(session(text)), Left::Unknown);
}

fn is_there(near: &Near, sid: &str) -> bool {
    near.look(sid, near.now()).is_some()
}

#[test]
fn an_answer_that_a_change_overtook_is_not_kept() {
    let clock = Clock::fixed(1_700_000_000_000);
    let near = bounded(&clock);
    let old = near.begin("a", near.now()).unwrap();
    near.forget("a");
    // Another read begins after the change, and ends before the old one.
    let new = near.begin("a", near.now()).unwrap();
    new.keep(Some(session("new")), Left::Unknown);
    old.keep(Some(session("old")), Left::Unknown);
    let entry = near.look("a", near.now()).unwrap();
    assert_eq!(entry.session.unwrap().get::<String>("text").unwrap().unwrap(), "new");
    near.forget("a");

    let old = near.begin("a", near.now()).unwrap();
    near.forget("a");
    let new = near.begin("a", near.now()).unwrap();
    old.keep(Some(session("old")), Left::Unknown);
    assert!(!is_there(&near, "a"), "the old answer must not take the place of the new one");
    new.keep(Some(session("new")), Left::Unknown);
    assert!(is_there(&near, "a"));

    let old = near.begin("a", near.now());
    near.forget_all();
    assert!(old.is_none(), "it is there");
    let old = near.begin("b", near.now()).unwrap();
    near.forget_all();
    old.keep(Some(session("old")), Left::Unknown);
    assert!(!is_there(&near, "b"));
}

#[test]
fn only_one_of_several_reads_is_kept_and_a_dropped_one_leaves_nothing() {
    let clock = Clock::fixed(1_700_000_000_000);
    let near = bounded(&clock);
    let first = near.begin("a", near.now()).unwrap();
    assert!(near.begin("a", near.now()).is_none());
    drop(first);
    keep(&near, "a", "kept");
    assert!(is_there(&near, "a"));
}

#[test]
fn an_entry_is_used_until_its_end_and_no_longer_than_allowed() {
    let clock = Clock::fixed(1_700_000_000_000);
    let near = bounded(&clock);
    let now = near.now();
    near.begin("none", now).unwrap().keep(None, Left::Unknown);
    near.begin("minute", now).unwrap().keep(Some(session("")), Left::For(Duration::from_secs(60)));
    let mut by_cookie = session("");
    by_cookie.cookie_mut().set_max_age_ms(Some(120_000), clock.now_ms()).unwrap();
    near.begin("cookie", now).unwrap().keep(Some(by_cookie.clone()), Left::Unknown);
    near.begin("endless", now).unwrap().keep(Some(by_cookie), Left::Endless);
    near.begin("over", now).unwrap().keep(Some(session("")), Left::For(Duration::ZERO));
    for (at, there) in [
        (0, vec!["none", "minute", "cookie", "endless"]),
        (59_000, vec!["none", "minute", "cookie", "endless"]),
        (60_000, vec!["none", "cookie", "endless"]),
        (120_000, vec!["none", "endless"]),
        (3_599_000, vec!["none", "endless"]),
        (3_600_000, vec![]),
    ] {
        clock.set(1_700_000_000_000 + at);
        let found: Vec<_> = ["none", "minute", "cookie", "endless", "over"]
            .into_iter()
            .filter(|sid| is_there(&near, sid))
            .collect();
        assert_eq!(found, there, "after {at} ms");
    }
    clock.set(1_700_000_000_000 - 1);
    assert!(!is_there(&near, "none"), "the clock was set back");
}

#[test]
fn a_session_whose_date_is_stale_is_used_as_long_as_any() {
    let clock = Clock::fixed(1_700_000_000_000);
    let near = bounded(&clock);
    let mut stale = session("");
    stale.cookie_mut().set_max_age_ms(Some(1_000), clock.now_ms() - 5_000).unwrap();
    near.begin("a", near.now()).unwrap().keep(Some(stale), Left::Unknown);
    assert!(is_there(&near, "a"));
}

#[test]
fn a_lease_counts_from_when_the_question_was_sent() {
    let clock = Clock::fixed(1_700_000_000_000);
    let near = Near::coherent(1 << 20, Duration::from_secs(10), clock);
    let now = Instant::now();
    let holds = |after: u64| {
        near.holds(near.epoch.load(Ordering::SeqCst), now + Duration::from_secs(after))
    };
    assert!(near.begin("a", near.now()).is_none() && !holds(0), "nothing was confirmed");
    near.confirm(1, now);
    assert!(holds(0) && holds(9) && !holds(10));
    near.confirm(1, now + Duration::from_secs(5));
    assert!(holds(14) && !holds(15));
    near.confirm(1, now);
    assert!(holds(14), "an answer that comes late takes nothing back");
}

#[test]
fn a_lost_connection_ends_what_it_vouched_for() {
    let clock = Clock::fixed(1_700_000_000_000);
    let near = Near::coherent(1 << 20, Duration::from_secs(3_600), clock);
    let confirm = |connection| near.confirm(connection, Instant::now());
    confirm(1);
    keep(&near, "a", "");
    assert!(is_there(&near, "a"));
    near.lose(1);
    assert!(!is_there(&near, "a") && near.begin("a", near.now()).is_none());
    let sent_before = near.begin("b", near.now());
    assert!(sent_before.is_none());
    confirm(3);
    assert!(!is_there(&near, "a"), "it may have changed in between");
    let under_way = near.begin("b", near.now()).unwrap();
    keep(&near, "a", "");
    // An old connection that answers or ends late changes nothing.
    confirm(2);
    near.lose(2);
    assert!(is_there(&near, "a"));
    near.lose(3);
    confirm(4);
    under_way.keep(Some(session("")), Left::Endless);
    assert!(!is_there(&near, "a") && !is_there(&near, "b"));
}
