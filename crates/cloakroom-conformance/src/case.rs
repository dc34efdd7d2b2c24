//! One promise, and the function that tests it.

use std::fmt;

use futures::future::BoxFuture;

use crate::{StoreUnderTest, failure::Verdict};

pub(crate) type Body = for<'a> fn(&'a StoreUnderTest) -> BoxFuture<'a, Verdict>;

/// One promise of the contract and its test.
///
/// ```
/// let case = cloakroom_conformance::CASES[0];
/// assert_eq!(case.name(), "get_missing_is_none");
/// assert!(case.promise().starts_with("Returns the session, or `None`"));
/// ```
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    group: &'static str,
    promise: &'static str,
    needs: &'static [&'static str],
    body: Body,
}

impl Case {
    /// Returns the claim in snake case, which is the name of the test that [`suite!`](crate::suite) generates.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the theme, such as `get`, `expiry` or `touch`.
    #[must_use]
    pub const fn group(&self) -> &'static str {
        self.group
    }

    /// Returns the sentence of the contract in `cloakroom_core` that the case tests.
    #[must_use]
    pub const fn promise(&self) -> &'static str {
        self.promise
    }

    /// Returns the parts of the contract that the case needs in addition to `get`, `set` and `destroy`, by the names
    /// that `not_offered` accepts.
    #[must_use]
    pub const fn needs(&self) -> &'static [&'static str] {
        self.needs
    }

    pub(crate) fn hold<'a>(&self, subject: &'a StoreUnderTest) -> BoxFuture<'a, Verdict> {
        (self.body)(subject)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! case_table {
    ({ $($group:ident { $($name:ident [$($need:ident)*] $promise:literal)* })* }) => {
        /// All cases, by theme.
        pub static CASES: &[Case] = &[$($(by_name::$name),*),*];

        /// The cases by name, so that a wrong name in a macro call does not compile.
        #[allow(
            missing_docs,
            non_upper_case_globals,
            reason = "for the macro; the names are those of the cases"
        )]
        pub mod by_name {
            use super::Case;

            $($(
                pub const $name: Case = Case {
                    name: stringify!($name),
                    group: stringify!($group),
                    promise: $promise,
                    needs: &[$(stringify!($need)),*],
                    body: |subject| Box::pin(crate::cases::$group::$name(subject)),
                };
            )*)*
        }
    };
}

crate::__cases! { case_table, }
