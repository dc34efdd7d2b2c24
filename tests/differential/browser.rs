//! A browser that keeps every cookie it receives, and does not always send the last one.

use cloakroom_core::Secrets;

use crate::sequence::Sent;

#[derive(Default)]
pub(crate) struct Browser {
    /// The values that it received, as they were in `Set-Cookie`.
    ///
    /// A cookie that has expired or is for another path is still sent, because sending no cookie is a separate case.
    values: Vec<String>,
}

impl Browser {
    /// Takes the cookie `name` from `Set-Cookie` lines.
    pub(crate) fn take(&mut self, name: &str, set_cookie: &[String]) {
        let values = set_cookie.iter().filter_map(|line| {
            line.strip_prefix(name)?.strip_prefix('=')?.split(';').next().map(str::to_owned)
        });
        for value in values {
            if self.values.last() != Some(&value) {
                self.values.push(value);
            }
        }
    }

    /// Returns the session id in the last cookie.
    pub(crate) fn id(&self) -> Option<&str> {
        self.values.last()?.strip_prefix("s%3A")?.split('.').next()
    }

    /// Returns the value to send, or `None` if it has no cookie.
    pub(crate) fn value(&self, sent: &Sent, secrets: &[String]) -> Option<String> {
        let signed = |id: &str, secret: &str| Secrets::new([secret]).unwrap().cookie_value(id);
        let current = self.values.last();
        match sent {
            Sent::Current => current.cloned(),
            Sent::Earlier(back) => {
                let back = back % self.values.len().max(1);
                self.values.iter().rev().nth(back).cloned()
            }
            Sent::OldSecret => Some(signed(self.id()?, secrets.last()?)),
            Sent::WrongSecret => Some(signed(self.id()?, "wrong")),
            Sent::Verified => self.id().map(str::to_owned),
            Sent::Quoted => current.map(|value| format!("\"{value}\"")),
            Sent::Unknown => Some(signed("NEW-0", secrets.first()?)),
            Sent::Empty => Some(String::new()),
        }
    }
}
