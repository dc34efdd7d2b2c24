//! A browser that keeps every cookie it was given, and does not always send the last one.

use cloakroom_core::Secrets;

use crate::sequence::Sent;

#[derive(Default)]
pub(crate) struct Browser {
    /// The values that it was given, as they stood in `Set-Cookie`.
    ///
    /// One that has expired or is for another path is sent all the same: not to have it is a case of its own.
    values: Vec<String>,
}

impl Browser {
    /// Takes what `Set-Cookie` says of the cookie `name`.
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

    /// The session id in the last cookie.
    pub(crate) fn id(&self) -> Option<&str> {
        self.values.last()?.strip_prefix("s%3A")?.split('.').next()
    }

    /// The value that it sends, if it has got one.
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
