//! The shop as its visitor knows it, whichever side answers.

use std::{collections::BTreeMap, fmt};

use cloakroom_tests::dice::Dice;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Node,
    Rust,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Node => Self::Rust,
            Self::Rust => Self::Node,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Looks at the page, which shows the messages.
    Page,
    /// Looks at the page of those who are logged in.
    Account,
    Add(&'static str),
    Login {
        user: &'static str,
        remember: bool,
    },
    WrongPassword,
    Logout,
    /// Sends a form with a token that nobody has issued.
    Forged,
    /// Sends a form with a token from before the last login, or logout, that dropped the session's members.
    Stale,
    /// Closes the browser, which forgets the session's cookie.
    Close,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) side: Side,
    pub(crate) action: Action,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.side, self.action)
    }
}

/// A random visit.
pub(crate) fn visit(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    (0..8 + dice.below(10)).map(|_| step(&mut dice)).collect()
}

fn step(dice: &mut Dice) -> Step {
    let side = dice.pick(&[Side::Node, Side::Rust]);
    let action = match dice.below(20) {
        0..=3 => Action::Page,
        4 => Action::Account,
        5..=8 => Action::Add(dice.pick(&["tea", "milk", "ключ \"\u{2028}"])),
        9..=11 => Action::Login { user: dice.pick(&["ann", "bob"]), remember: dice.chance(60) },
        12 => Action::WrongPassword,
        13 | 14 => Action::Logout,
        15 => Action::Forged,
        16 => Action::Stale,
        _ => Action::Close,
    };
    Step { side, action }
}

type Messages = BTreeMap<&'static str, Vec<String>>;

/// What a visitor expects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// Whether the members stay when somebody logs in or out.
    keeps: bool,
    user: Option<&'static str>,
    remembered: Option<&'static str>,
    cart: Vec<&'static str>,
    messages: Messages,
    /// How often the members were dropped, and the tokens with them.
    pub(crate) dropped: usize,
}

impl Model {
    pub(crate) fn new(keeps: bool) -> Self {
        Self { keeps, ..Self::default() }
    }

    pub(crate) fn user(&self) -> Option<&'static str> {
        self.user
    }

    /// What each request does first. Returns true if it is a login of a visitor who is remembered.
    pub(crate) fn arrive(&mut self) -> bool {
        let remembered = self.remembered.filter(|_| self.user.is_none());
        if remembered.is_some() {
            self.log_in(remembered);
        }
        remembered.is_some()
    }

    fn log_in(&mut self, user: Option<&'static str>) {
        self.user = user;
        if !self.keeps {
            self.drop_members();
        }
    }

    fn drop_members(&mut self) {
        self.cart.clear();
        self.messages.clear();
        self.dropped += 1;
    }

    /// What a form that is not refused does, or a browser.
    pub(crate) fn act(&mut self, action: Action) {
        match action {
            Action::Add(item) => {
                self.cart.push(item);
                self.tell("info", format!("added {item}"));
            }
            Action::Login { user, remember } => {
                self.log_in(Some(user));
                self.tell("info", format!("hello {user}"));
                if remember {
                    self.remembered = Some(user);
                }
            }
            Action::WrongPassword => self.tell("error", "wrong password".to_owned()),
            Action::Logout => {
                self.log_in(None);
                self.remembered = None;
                self.tell("info", "goodbye".to_owned());
            }
            Action::Close => {
                self.user = None;
                self.drop_members();
            }
            Action::Page | Action::Account | Action::Forged | Action::Stale => {}
        }
    }

    fn tell(&mut self, kind: &'static str, text: String) {
        self.messages.entry(kind).or_default().push(text);
    }

    /// The messages, which are shown once.
    pub(crate) fn take_messages(&mut self) -> Value {
        json!(std::mem::take(&mut self.messages))
    }

    /// What both sides show at any time.
    pub(crate) fn shown(&self) -> Value {
        json!({ "user": self.user, "cart": self.cart })
    }
}
