//! A value, and the text that was printed of it.

use std::{
    ops::{Deref, DerefMut},
    sync::OnceLock,
};

/// A value that remembers the text which was printed of it. Whoever can change the value makes it forget the text.
#[derive(Default)]
pub(super) struct Printed<T> {
    value: T,
    text: OnceLock<String>,
}

impl<T> Printed<T> {
    /// Returns the text of the value, which `print` makes unless it was printed before.
    pub(super) fn text(&self, print: impl FnOnce() -> String) -> &str {
        self.text.get_or_init(print)
    }

    /// Takes the text out.
    pub(super) fn take_text(&mut self) -> Option<String> {
        self.text.take()
    }
}

/// A clone has no text: it is usually made to be changed.
impl<T: Clone> Clone for Printed<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), text: OnceLock::new() }
    }
}

impl<T> Deref for Printed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Printed<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.text.take();
        &mut self.value
    }
}
