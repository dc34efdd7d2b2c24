//! The suite as tests.

use std::future::Future;

use crate::{
    Case, CaseReport, Options, Outcome, StoreUnderTest,
    run::{maker, run_case},
};

/// Generates a named test from every case, for the store in a [`StoreUnderTest`].
///
/// The first argument is an async function without arguments, or a closure, that returns a fresh `StoreUnderTest` for
/// each case. These optional arguments follow, in this order:
///
/// - `ignore = "needs redis-server"` excludes all tests from a plain `cargo test`, which shows the reason.
/// - `not_offered = [touch, atomic, …]` declares what the store, or the access behind it, lacks. Those tests are in a
///   module `not_offered`, and fail if the part is offered after all. Without the declaration, the cases fail, but for
///   those of `find_by`, which only saves time. The parts are
///   `touch`, `atomic`, `enumerate` or one of its four methods `ids`, `all`, `length` and `clear`, `find_by`, and
///   `second_handle`, `neighbour`, `raw`, `endless` and `faults`. A `raw` whose every record has an end lacks `endless`.
/// - `exceptions = [case = "reason", …]` names promises that this store is known to break. Those tests are in a module
///   `exceptions`, and fail if the promise is kept after all.
///
/// Call it at the top level of a test file, or in a module; two calls need two modules. The calling crate needs no
/// other dependency and no async test attribute.
///
/// ```test_harness
/// use cloakroom_conformance::StoreUnderTest;
/// use cloakroom_core::MemoryStore;
///
/// cloakroom_conformance::suite!(
///     || async { StoreUnderTest::new(MemoryStore::new()).with_neighbour(MemoryStore::new()) },
///     ignore = "takes a few seconds",
///     not_offered = [find_by, second_handle, raw, faults],
/// );
/// ```
#[macro_export]
macro_rules! suite {
    (
        $subject:expr
        $(, ignore = $ignore:literal)?
        $(, not_offered = [$($part:ident),* $(,)?])?
        $(, exceptions = [$($name:ident = $why:literal),* $(,)?])?
        $(,)?
    ) => {
        $crate::__cases! {
            $crate::__suite,
            [$] [$subject] [$(#[ignore = $ignore])?]
            [$($($part)*)?] [$($($part)*)?] [$($($name $why)*)?]
        }
    };
}

/// Defines a macro that decides, from the declarations, into which module a case goes. `$d` is a dollar sign for that
/// macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __suite {
    (
        [$d:tt] [$subject:expr] $attributes:tt
        $parts:tt [$($part:ident)*] [$($name:ident $why:literal)*]
        { $($group:ident { $($case:ident $needs:tt $promise:literal)* })* }
    ) => {
        #[cfg(test)]
        fn __cloakroom_case(case: $crate::Case, expectation: $crate::__private::Expectation) {
            $crate::__private::test(case, expectation, $subject);
        }

        $( $crate::__part!($part); )*
        $( const _: $crate::Case = $crate::__private::by_name::$name; const _: &str = $why; )*

        macro_rules! __cloakroom_place {
            $( ($d place:ident $name $d needs:tt) => {
                $crate::__test! { $d place exceptions $name $attributes [] }
            }; )*
            $( ($d place:ident $d case:ident [$part $d($d rest:ident)*]) => {
                $crate::__test! { $d place not_offered $d case $attributes $parts }
            }; )*
            ($d place:ident $d case:ident [$d need:ident $d($d rest:ident)*]) => {
                __cloakroom_place! { $d place $d case [$d($d rest)*] }
            };
            ($d place:ident $d case:ident []) => {
                $crate::__test! { $d place offered $d case $attributes [] }
            };
        }

        $($( __cloakroom_place! { offered $case $needs } )*)*

        mod not_offered {
            $($( __cloakroom_place! { not_offered $case $needs } )*)*
        }

        mod exceptions {
            $($( __cloakroom_place! { exceptions $case $needs } )*)*
        }
    };
}

/// Generates the test of a case in one of three places.
#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    (offered offered $case:ident [$(#[$attribute:meta])*] []) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            __cloakroom_case(
                $crate::__private::by_name::$case,
                $crate::__private::Expectation::Passed,
            );
        }
    };
    (not_offered not_offered $case:ident [$(#[$attribute:meta])*] [$($part:ident)*]) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            super::__cloakroom_case(
                $crate::__private::by_name::$case,
                $crate::__private::Expectation::NotOffered(&[$(stringify!($part)),*]),
            );
        }
    };
    (exceptions exceptions $case:ident [$(#[$attribute:meta])*] []) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            super::__cloakroom_case(
                $crate::__private::by_name::$case,
                $crate::__private::Expectation::Failed,
            );
        }
    };
    ($($elsewhere:tt)*) => {};
}

/// Rejects a word that `not_offered` does not know, and an exception that does not name a case.
///
/// ```compile_fail
/// # use cloakroom_conformance::{StoreUnderTest, suite};
/// suite!(|| async { StoreUnderTest::new(cloakroom_core::MemoryStore::new()) }, not_offered = [tuoch]);
/// ```
///
/// ```compile_fail
/// # use cloakroom_conformance::{StoreUnderTest, suite};
/// suite!(|| async { StoreUnderTest::new(cloakroom_core::MemoryStore::new()) }, exceptions = [set = "no"]);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __part {
    (touch) => {};
    (atomic) => {};
    (enumerate) => {};
    (ids) => {};
    (all) => {};
    (length) => {};
    (clear) => {};
    (find_by) => {};
    (second_handle) => {};
    (neighbour) => {};
    (raw) => {};
    (endless) => {};
    (faults) => {};
    ($part:ident) => {
        compile_error!(concat!(
            "no part of a store is named `",
            stringify!($part),
            "`: see the documentation of suite!"
        ));
    };
}

/// The declaration of the store's author about a case.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub enum Expectation {
    /// No declaration: the store must keep the promise.
    Passed,
    /// One of these parts is not offered.
    NotOffered(&'static [&'static str]),
    /// The promise is known to be broken.
    Failed,
}

/// Runs one case.
///
/// # Panics
///
/// If the outcome is not the declared one.
#[doc(hidden)]
pub fn test<F, Fut>(case: Case, expectation: Expectation, subject: F)
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = StoreUnderTest> + Send + 'static,
{
    let report = run_case(&case, maker(subject), Options::default().time_limit);
    if let Some(complaint) = complaint(&case, &report, expectation) {
        panic!("{complaint}\n  the promise: {}", report.promise);
    }
}

/// The part that a store may lack without a declaration.
const FIND_BY: &str = "find_by";

/// Returns why the outcome is not the declared one, and what to change in the declaration.
///
/// A declaration that is no longer true fails, too. Otherwise a promise that a store keeps today could be broken
/// tomorrow without a failing test.
fn complaint(case: &Case, report: &CaseReport, expectation: Expectation) -> Option<String> {
    let reason = report.reason.as_deref().unwrap_or_default();
    Some(match (expectation, report.outcome) {
        (Expectation::Passed, Outcome::Passed) | (Expectation::Failed, Outcome::Failed) => {
            return None;
        }
        (Expectation::NotOffered(parts), Outcome::NotOffered) if parts.contains(&reason) => {
            return None;
        }
        // Without a search, sessions are found by a listing: it keeps no promise, and only saves time.
        (Expectation::Passed, Outcome::NotOffered) if reason == FIND_BY => return None,
        // Any other part that nobody has declared must not count as passed: the author may only have forgotten to
        // provide it.
        (_, Outcome::NotOffered) => {
            format!("`{reason}` is not offered: declare it with not_offered = [{reason}]")
        }
        (Expectation::NotOffered(parts), Outcome::Passed) => {
            let mut declared = case.needs().to_vec();
            declared.retain(|part| parts.contains(part));
            let declared = declared.join("` or `");
            format!("`{declared}` is offered after all: remove it from not_offered")
        }
        (Expectation::Failed, Outcome::Passed) => {
            format!("`{}` is kept after all: remove it from exceptions", case.name())
        }
        (_, Outcome::Failed) => reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_declared_passes() {
        const ATOMIC: Expectation = Expectation::NotOffered(&["atomic", "touch"]);
        let of = |outcome, reason: Option<&str>| {
            CaseReport::new(&crate::CASES[0], outcome, reason.map(str::to_owned))
        };
        let passed = of(Outcome::Passed, None);
        let failed = of(Outcome::Failed, Some("broken"));
        let lacks_atomic = of(Outcome::NotOffered, Some("atomic"));
        let lacks_ids = of(Outcome::NotOffered, Some("ids"));
        let lacks_find_by = of(Outcome::NotOffered, Some("find_by"));

        for (report, expectation, words) in [
            (&passed, Expectation::Passed, None),
            (&failed, Expectation::Failed, None),
            (&lacks_atomic, ATOMIC, None),
            (&failed, Expectation::Passed, Some("broken")),
            (&failed, ATOMIC, Some("broken")),
            (&lacks_atomic, Expectation::Passed, Some("declare it with not_offered = [atomic]")),
            (&lacks_atomic, Expectation::Failed, Some("declare it with not_offered = [atomic]")),
            (&lacks_find_by, Expectation::Passed, None),
            (&lacks_find_by, Expectation::Failed, Some("declare it with not_offered = [find_by]")),
            (&lacks_ids, ATOMIC, Some("declare it with not_offered = [ids]")),
            (&passed, ATOMIC, Some("remove it from not_offered")),
            (&passed, Expectation::Failed, Some("remove it from exceptions")),
        ] {
            let complaint = complaint(&crate::CASES[0], report, expectation);
            match words {
                Some(words) => assert!(complaint.as_deref().is_some_and(|c| c.contains(words))),
                None => assert_eq!(complaint, None),
            }
        }
    }
}
