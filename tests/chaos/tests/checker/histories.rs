//! Short histories by hand, one claim each.

use cloakroom_chaos::{
    check::{Kind, Limits, check},
    history::{Answer, Call, History, Loss, Lost, Operation, Outcome},
};

fn operation(start_us: u64, end_us: Option<u64>, call: Call, outcome: Outcome) -> Operation {
    let process = "r0".to_owned();
    Operation { process, sid: "a".to_owned(), start_us, end_us, late_us: 0, call, outcome }
}

fn ok(start_us: u64, end_us: u64, call: Call, answer: Answer) -> Operation {
    operation(start_us, Some(end_us), call, Outcome::Ok(answer))
}

fn unknown(start_us: u64, call: Call) -> Operation {
    operation(start_us, None, call, Outcome::Unknown("no answer".to_owned()))
}

fn failed(start_us: u64, end_us: u64, call: Call) -> Operation {
    operation(start_us, Some(end_us), call, Outcome::Failed("refused".to_owned()))
}

fn create(start_us: u64, end_us: u64, content: &str) -> Operation {
    ok(start_us, end_us, Call::Create(content.to_owned()), Answer::Done)
}

fn modify(start_us: u64, end_us: u64, token: &str, stored: &str) -> Operation {
    let answer = Answer::Modified(Some(stored.to_owned()));
    ok(start_us, end_us, Call::Modify(token.to_owned()), answer)
}

fn destroy(start_us: u64, end_us: u64) -> Operation {
    ok(start_us, end_us, Call::Destroy, Answer::Done)
}

fn set(content: &str) -> Call {
    Call::Set { content: content.to_owned(), repeats: false }
}

fn read(start_us: u64, end_us: u64, found: &str) -> Operation {
    let found = Some(found.to_owned()).filter(|found| !found.is_empty());
    ok(start_us, end_us, Call::Read, Answer::Found(found))
}

fn kinds(operations: Vec<Operation>, losses: Vec<Loss>) -> Vec<Kind> {
    let limits = Limits { deadline_us: Default::default(), over_us: u64::MAX };
    let findings = check(&History { operations, losses }, &limits);
    assert_eq!(findings.undecided, 0);
    findings.violations.iter().map(|violation| violation.kind).collect()
}

#[test]
fn each_history_is_right_or_broken_as_it_says() {
    let broken = |kind| vec![kind];
    let right = Vec::new;
    let rows: Vec<(&str, Vec<Operation>, Vec<Kind>)> = vec![
        ("what was stored is read", vec![create(0, 1, "x"), read(2, 3, "x")], right()),
        (
            "an acknowledged write is gone",
            vec![create(0, 1, "x"), read(2, 3, "")],
            broken(Kind::LostWrite),
        ),
        (
            "a write in progress may be seen or not",
            vec![create(0, 9, "x"), read(2, 3, ""), read(4, 5, "x")],
            right(),
        ),
        (
            "but not seen and then not seen",
            vec![create(0, 9, "x"), read(2, 3, "x"), read(4, 5, "")],
            broken(Kind::Unexplained),
        ),
        (
            "one of two atomic writes is gone",
            vec![create(0, 1, "x"), modify(2, 3, "y", "x y"), modify(4, 5, "z", "x z")],
            broken(Kind::LostWrite),
        ),
        (
            "a blind writer has not seen the other's write, and writes over it",
            vec![
                create(0, 1, "x"),
                read(2, 3, "x"),
                modify(4, 5, "y", "x y"),
                ok(6, 7, set("x z"), Answer::Done),
                read(8, 9, "x z"),
            ],
            right(),
        ),
        (
            "an atomic writer has seen less than was acknowledged after a blind one",
            vec![
                create(0, 1, "x"),
                ok(2, 3, set("x z"), Answer::Done),
                modify(4, 5, "y", "x z y"),
                read(6, 7, "x z"),
            ],
            broken(Kind::LostWrite),
        ),
        (
            "a destroyed session is back",
            vec![create(0, 1, "x"), destroy(2, 3), read(4, 5, "x")],
            broken(Kind::Revived),
        ),
        (
            "a touch finds a destroyed session",
            vec![create(0, 1, "x"), destroy(2, 3), ok(4, 5, Call::Touch, Answer::Exists)],
            broken(Kind::Unexplained),
        ),
        (
            "a destroyed session is created again",
            vec![create(0, 1, "x"), destroy(2, 3), create(4, 5, "y"), read(6, 7, "y")],
            right(),
        ),
        (
            "a write of unknown outcome happens late, even after a destroy",
            vec![unknown(0, set("x")), destroy(2, 3), read(4, 5, ""), read(6, 7, "x")],
            right(),
        ),
        (
            "but once",
            vec![unknown(0, set("x")), read(2, 3, "x"), destroy(4, 5), read(6, 7, "x")],
            broken(Kind::Unexplained),
        ),
        (
            "a destroy of unknown outcome explains a missing session",
            vec![create(0, 1, "x"), unknown(2, Call::Destroy), read(3, 4, "x"), read(5, 6, "")],
            right(),
        ),
        (
            "a change of unknown outcome that was seen has happened",
            vec![
                create(0, 1, "x"),
                unknown(2, Call::Modify("y".to_owned())),
                read(3, 4, "x y"),
                read(5, 6, "x"),
            ],
            broken(Kind::Unexplained),
        ),
        (
            "a failed write was seen",
            vec![create(0, 1, "x"), failed(2, 3, Call::Modify("y".to_owned())), read(4, 5, "x y")],
            broken(Kind::FailedHappened),
        ),
        (
            "a write was made twice",
            vec![
                create(0, 1, "x"),
                unknown(2, Call::Modify("y".to_owned())),
                modify(2, 5, "z", "x z"),
                read(6, 7, "x z y"),
                read(6, 8, "x y"),
            ],
            broken(Kind::Twice),
        ),
        ("nobody wrote what was read", vec![read(0, 1, "x")], broken(Kind::Invented)),
        (
            "an old content after a newer one was read, which comes back",
            vec![create(0, 1, "x"), modify(2, 3, "y", "x y"), read(4, 5, "x"), read(6, 7, "x y")],
            broken(Kind::StaleRead),
        ),
    ];
    for (claim, operations, wanted) in rows {
        assert_eq!(kinds(operations, Vec::new()), wanted, "{claim}");
    }
}

#[test]
fn what_a_server_loses_explains_what_is_missing_and_never_what_is_back() {
    let loss = |lost| vec![Loss { sid: None, start_us: 10, end_us: 12, lost }];
    let missing = || vec![create(0, 1, "x"), read(20, 21, "")];
    let back = || vec![create(0, 1, "x"), destroy(2, 3), read(20, 21, "x")];
    for lost in [Lost::All, Lost::Any] {
        assert_eq!(kinds(missing(), loss(lost)), []);
        assert_eq!(kinds(back(), loss(lost)), [Kind::Revived]);
    }
    for lost in [Lost::Nothing, Lost::Unacknowledged] {
        assert_eq!(kinds(missing(), loss(lost)), [Kind::LostWrite]);
        assert_eq!(kinds(back(), loss(lost)), [Kind::Revived]);
    }
    let survives = || vec![create(0, 1, "x"), read(20, 21, "x")];
    assert_eq!(kinds(survives(), loss(Lost::All)), [Kind::Unexplained]);
    assert_eq!(kinds(survives(), loss(Lost::Any)), []);
}

#[test]
fn an_eviction_explains_one_session_once_and_at_its_time() {
    let evicted = |sid: &str, start_us| {
        let sid = Some(sid.to_owned());
        vec![Loss { sid, start_us, end_us: start_us + 2, lost: Lost::All }]
    };
    let missing = || vec![create(0, 1, "x"), read(20, 21, "")];
    assert_eq!(kinds(missing(), evicted("a", 10)), []);
    assert_eq!(kinds(missing(), evicted("b", 10)), [Kind::LostWrite]);
    assert_eq!(kinds(missing(), evicted("a", 30)), [Kind::LostWrite]);
    // What was evicted is gone: an update must not bring it back.
    let revived = || vec![create(0, 1, "x"), modify(20, 21, "y", "x y")];
    assert_eq!(kinds(revived(), evicted("a", 10)), [Kind::Unexplained]);
    assert_eq!(kinds(revived(), evicted("b", 10)), []);
    let again = || vec![create(0, 1, "x"), create(20, 21, "y"), read(22, 23, "")];
    assert_eq!(kinds(again(), evicted("a", 10)), [Kind::LostWrite]);
}

#[test]
fn what_was_read_but_not_acknowledged_can_be_gone_after_a_kill() {
    let operations = || {
        vec![
            create(0, 1, "x"),
            unknown(8, Call::Modify("y".to_owned())),
            read(9, 10, "x y"),
            read(20, 21, "x"),
        ]
    };
    let loss = |lost| vec![Loss { sid: None, start_us: 10, end_us: 12, lost }];
    assert_eq!(kinds(operations(), loss(Lost::Unacknowledged)), []);
    assert_eq!(kinds(operations(), loss(Lost::Nothing)), [Kind::Unexplained]);
}

#[test]
fn a_limit_counts_the_delays_of_the_machine() {
    let took = |end_us, late_us| {
        let mut operation = read(0, end_us, "");
        operation.late_us = late_us;
        let limits = Limits { deadline_us: [("r0".to_owned(), 1_000_000)].into(), over_us: 0 };
        let history = History { operations: vec![operation], losses: Vec::new() };
        check(&history, &limits).violations.iter().map(|one| one.kind).collect::<Vec<_>>()
    };
    assert_eq!(took(1_900_000, 0), []);
    assert_eq!(took(3_000_000, 0), [Kind::Late]);
    assert_eq!(took(3_000_000, 100_000), []);
}
