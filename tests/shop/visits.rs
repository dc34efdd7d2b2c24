//! A visitor of the shop, of which one request goes to Express and the next one to Rust.

use std::collections::BTreeMap;

use cloakroom::{ExpressSession, Secrets, tower::SessionLayer};
use cloakroom_test_support::NodeProgram;
use serde_json::{Value, json};

use crate::{
    browser::{Answer, Browser, REMEMBER_ME, SESSION},
    model::{Action, Model, Side, Step},
    rust,
};

const SECRET: &str = "keyboard cat";

/// Which Passport the shop has, and whether with `keepSessionInfo`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub(crate) passport: &'static str,
    pub(crate) keep: bool,
}

impl Variant {
    /// Whether a session keeps its members when somebody logs in or out.
    pub(crate) fn keeps(self) -> bool {
        self.keep || self.passport == "0.5"
    }
}

/// Both sides of the shop, on one store.
pub(crate) struct Shop {
    keeps: bool,
    origins: BTreeMap<Side, String>,
    pub(crate) node: NodeProgram,
}

/// How often something was seen to work.
pub(crate) type Seen = BTreeMap<&'static str, usize>;

/// What a visitor knows while a visit lasts.
struct Visitor {
    browser: Browser,
    model: Model,
    /// The last token, the side that issued it, and how often members had been dropped by then.
    token: Option<(String, Side, usize)>,
    /// A token that was good before the members were dropped.
    stale: Option<String>,
    /// The side that has issued what the browser is remembered by.
    remembered_by: Option<Side>,
    /// The side that has told something last.
    told_by: Option<Side>,
}

/// The program for a store that npm calls `store`, at this URL.
pub(crate) fn start_node(store: &str, url: &str, variant: Variant) -> NodeProgram {
    let mut arguments =
        vec!["--store", store, "--url", url, "--secret", SECRET, "--passport", variant.passport];
    arguments.extend(variant.keep.then_some("--keep"));
    NodeProgram::start("passport_shop.mjs", &arguments, &[]).unwrap()
}

/// The origin of a program that serves.
pub(crate) fn origin(node: &NodeProgram) -> String {
    let ready: Value = node.ready().parse().unwrap();
    format!("http://127.0.0.1:{}", ready["port"])
}

pub(crate) fn layer(sessions: &ExpressSession) -> SessionLayer {
    SessionLayer::new(sessions.clone(), Secrets::new([SECRET]).unwrap())
}

/// Serves an app, and returns its origin.
pub(crate) async fn serve(app: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

impl Shop {
    /// `rust_keeps` is what Rust does with the members, and right when it is what Passport does.
    pub(crate) async fn open(store: &str, url: &str, variant: Variant, rust_keeps: bool) -> Self {
        let node = start_node(store, url, variant);
        let sessions = cloakroom::open(url).unwrap();
        let app = rust::shop(layer(&sessions), sessions, rust_keeps);
        let origins = [(Side::Node, origin(&node)), (Side::Rust, serve(app).await)];
        Self { keeps: variant.keeps(), origins: origins.into(), node }
    }

    /// A visit. What is not as the visitor expects is the error.
    pub(crate) fn play(&self, steps: &[Step], seen: &mut Seen) -> Result<(), String> {
        let mut visitor = Visitor {
            browser: Browser::new(),
            model: Model::new(self.keeps),
            token: None,
            stale: None,
            remembered_by: None,
            told_by: None,
        };
        for step in steps {
            let before = visitor.browser.clone();
            self.take(&mut visitor, *step, seen).map_err(|what| format!("{step}: {what}"))?;
            if step.action == Action::Close {
                continue; // Whoever is remembered is logged in by the next step.
            }
            // The one that did it is asked last: the other one has the whole of it, or has not.
            for side in [step.side.other(), step.side] {
                self.look(&mut visitor, side, seen)
                    .map_err(|what| format!("{step}: then {side:?}: {what}"))?;
            }
            self.check_old_cookies(&before, &visitor, *step, seen)
                .map_err(|what| format!("{step}: {what}"))?;
        }
        Ok(())
    }

    fn url(&self, side: Side, path: &str) -> String {
        format!("{}{path}", self.origins[&side])
    }

    fn get(&self, visitor: &mut Visitor, side: Side, path: &str, seen: &mut Seen) -> Answer {
        if visitor.model.arrive() {
            let what = match visitor.remembered_by {
                Some(issued_by) if issued_by != side => "remembered by the other side",
                _ => "remembered by the same side",
            };
            *seen.entry(what).or_default() += 1;
            visitor.remembered_by = Some(side);
        }
        let answer = visitor.browser.get(&self.url(side, path));
        visitor.learn(&answer, side);
        answer
    }

    /// Compares what a side shows at any time.
    fn look(&self, visitor: &mut Visitor, side: Side, seen: &mut Seen) -> Result<(), String> {
        let answer = self.get(visitor, side, "/me", seen);
        expect(&answer, 200)?;
        same(&shown(&answer), &visitor.model.shown())
    }

    fn take(&self, visitor: &mut Visitor, step: Step, seen: &mut Seen) -> Result<(), String> {
        let Step { side, action } = step;
        match action {
            Action::Page => {
                let answer = self.get(visitor, side, "/", seen);
                expect(&answer, 200)?;
                same(&shown(&answer), &visitor.model.shown())?;
                let messages = visitor.model.take_messages();
                same(&answer.body["flash"], &messages)?;
                if messages != json!({}) && visitor.told_by != Some(side) {
                    *seen.entry("a message of the other side").or_default() += 1;
                }
            }
            Action::Account => {
                let answer = self.get(visitor, side, "/account", seen);
                expect(&answer, if visitor.model.user().is_some() { 200 } else { 401 })?;
            }
            Action::Close => {
                visitor.browser.cookies.remove(SESSION);
                visitor.model.act(action);
            }
            Action::Forged => {
                self.refused(visitor, side, "aBcDeF12-BLG9LgjPqweVQbICKjel2_yrrn0", seen)?;
                *seen.entry("a forged token refused").or_default() += 1;
            }
            Action::Stale => {
                let Some(token) = visitor.stale.clone() else { return Ok(()) };
                self.refused(visitor, side, &token, seen)?;
                *seen.entry("a stale token refused").or_default() += 1;
            }
            Action::Add(item) => self.post(visitor, step, "/add", json!({ "item": item }), seen)?,
            Action::Login { user, remember } => {
                let form = json!({
                    "username": user, "password": format!("{user}'s password"), "remember": remember,
                });
                self.post(visitor, step, "/login", form, seen)?;
                if remember {
                    visitor.remembered_by = Some(side);
                }
            }
            Action::WrongPassword => {
                let form = json!({ "username": "ann", "password": "guessed" });
                self.post(visitor, step, "/login", form, seen)?;
            }
            Action::Logout => self.post(visitor, step, "/logout", json!({}), seen)?,
        }
        Ok(())
    }

    /// Sends a form with a token of whichever side has issued the last one.
    fn post(
        &self,
        visitor: &mut Visitor,
        step: Step,
        path: &str,
        mut form: Value,
        seen: &mut Seen,
    ) -> Result<(), String> {
        // A browser that was closed has no session that a token could belong to.
        if visitor.token.as_ref().is_none_or(|token| token.2 != visitor.model.dropped)
            || !visitor.browser.cookies.contains_key(SESSION)
        {
            self.look(visitor, step.side.other(), seen)?;
        }
        let Some((token, issued_by, _)) = visitor.token.clone() else {
            return Err("no token was issued".to_owned());
        };
        form["_csrf"] = json!(token);
        let answer = visitor.browser.post(&self.url(step.side, path), &form);
        if !matches!(answer.status, 302 | 303) {
            return Err(format!("{path} is answered with {}", answer.status));
        }
        if issued_by != step.side {
            *seen.entry("a token of the other side").or_default() += 1;
        }
        visitor.model.act(step.action);
        visitor.told_by = Some(step.side);
        Ok(())
    }

    /// Sends a form that must be refused, and must change nothing.
    fn refused(
        &self,
        visitor: &mut Visitor,
        side: Side,
        token: &str,
        seen: &mut Seen,
    ) -> Result<(), String> {
        // Who is remembered is logged in by this request as by any other.
        self.look(visitor, side, seen)?;
        let form = json!({ "_csrf": token, "item": "a thing that nobody wants" });
        expect(&visitor.browser.post(&self.url(side, "/add"), &form), 403)
    }

    /// A cookie that the browser no longer has must not work, on either side.
    fn check_old_cookies(
        &self,
        before: &Browser,
        visitor: &Visitor,
        step: Step,
        seen: &mut Seen,
    ) -> Result<(), String> {
        for name in [SESSION, REMEMBER_ME] {
            let Some(old) = before.cookies.get(name) else { continue };
            let is_replaced = visitor.browser.cookies.get(name) != Some(old);
            // A login leaves the token that the browser was remembered by until now to its week.
            let is_left = name == REMEMBER_ME && matches!(step.action, Action::Login { .. });
            if is_left || (!is_replaced && step.action != Action::Logout) {
                continue;
            }
            for side in [Side::Node, Side::Rust] {
                let answer = visitor.browser.with_only(name, old).get(&self.url(side, "/me"));
                expect(&answer, 200)?;
                let what = format!("the old {name} on {side:?}");
                same(&answer.body["user"], &Value::Null).map_err(|why| format!("{what}: {why}"))?;
                if is_replaced {
                    same(&answer.body["cart"], &json!([]))
                        .map_err(|why| format!("{what}: {why}"))?;
                }
            }
            let what = match (step.action, name) {
                (Action::Logout, SESSION) => "a logout",
                (Action::Logout, _) => "a logout of a visitor who was remembered",
                _ => "an old cookie worth nothing",
            };
            *seen.entry(what).or_default() += 1;
        }
        Ok(())
    }
}

impl Visitor {
    /// Takes the token of a page.
    fn learn(&mut self, answer: &Answer, side: Side) {
        let Some(token) = answer.body["csrf"].as_str() else { return };
        let dropped = self.model.dropped;
        let last = self.token.replace((token.to_owned(), side, dropped));
        if let Some((token, _, _)) = last.filter(|last| last.2 != dropped) {
            self.stale = Some(token);
        }
    }
}

fn shown(answer: &Answer) -> Value {
    json!({ "user": answer.body["user"], "cart": answer.body["cart"] })
}

fn expect(answer: &Answer, status: u16) -> Result<(), String> {
    if answer.status == status {
        return Ok(());
    }
    Err(format!("{} instead of {status}, {}", answer.status, answer.body))
}

fn same(found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} instead of {expected}"))
}
