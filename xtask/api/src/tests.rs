//! The whole way, from the sources of a small crate to its listing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::check::{Crate, run};

/// A crate of these files, and the folder of its listing.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(files: &[(&str, &str)]) -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(file, text)| fixture.write(file, text));
        fixture
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join("src").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn listings(&self) -> PathBuf {
        self.folder.path().join("api")
    }

    fn run(&self, only_checks: bool) -> Result<String, String> {
        let folder = self.folder.path().to_owned();
        let one = Crate {
            name: "tiny".to_owned(),
            folder,
            features: vec!["b".to_owned(), "a".to_owned()],
        };
        run(&self.listings(), &[one], only_checks)
    }

    /// The listing without its first lines.
    fn listing(&self) -> String {
        self.run(false).unwrap();
        let text = fs::read_to_string(self.listings().join("tiny.txt")).unwrap();
        text.split_once("feature b\n\n").unwrap().1.to_owned()
    }
}

fn listing(files: &[(&str, &str)]) -> String {
    Fixture::new(files).listing()
}

const STORE: &str = "
use std::time::Duration;

/// A store.
pub struct Store { ttl: Duration }

impl Store {
    /// Opens it.
    pub fn open(url: &str, ttl: Duration) -> Result<Self, String> { todo!() }
    fn private(&self) {}
}
";

#[test]
fn a_changed_signature_is_shown_and_refused() {
    let fixture =
        Fixture::new(&[("lib.rs", "mod store;\npub use store::Store;"), ("store.rs", STORE)]);
    let missing = fixture.run(true).unwrap_err();
    assert!(
        missing.contains("tiny.txt") && missing.contains("+pub struct Store { .. }"),
        "{missing}"
    );

    fixture.run(false).unwrap();
    fixture.run(true).unwrap();
    fixture.write(
        "store.rs",
        &STORE.replace("private", "renamed").replace("todo!()", "Err(url.to_owned())"),
    );
    fixture.run(true).unwrap();

    fixture.write("store.rs", &STORE.replace("ttl: Duration) ->", "ttl: Option<Duration>) ->"));
    let changed = fixture.run(true).unwrap_err();
    let difference = "
 pub struct Store { .. }
 impl Store
-    pub fn open(url: &str, ttl: std::time::Duration) -> Result<Self, String>
+    pub fn open(url: &str, ttl: Option<std::time::Duration>) -> Result<Self, String>
";
    assert!(changed.contains(difference) && changed.contains("run `cargo xtask api`"), "{changed}");

    assert!(fixture.run(false).unwrap().contains(difference));
    fixture.run(true).unwrap();
}

#[test]
fn a_listing_of_a_crate_that_is_gone_is_refused_and_removed() {
    let fixture = Fixture::new(&[("lib.rs", "pub fn a() {}")]);
    fixture.run(false).unwrap();
    let gone = fixture.listings().join("gone.txt");
    fs::write(&gone, "pub fn b()\n").unwrap();
    assert!(fixture.run(true).unwrap_err().contains("-pub fn b()"));
    fixture.run(false).unwrap();
    assert!(!gone.exists());
}

#[test]
fn what_cannot_be_named_is_not_listed() {
    let text = listing(&[(
        "lib.rs",
        "
        mod inner {
            pub struct Unreachable;
            pub struct Reachable;
            impl From<Unreachable> for Reachable { fn from(_: Unreachable) -> Self { Self } }
            impl From<u8> for Reachable { fn from(_: u8) -> Self { Self } }
            pub trait Sealed {}
            impl Sealed for Reachable {}
            #[cfg(test)] pub fn in_tests() {}
        }
        pub use inner::Reachable;
        pub(crate) fn internal() {}
        #[doc(hidden)] pub mod __private { pub fn hidden() {} }
        #[cfg(test)] mod tests { absent!(); }
        ",
    )]);
    assert_eq!(text, "pub struct Reachable;\nimpl From<u8> for Reachable\n");
}

#[test]
fn everything_that_is_promised_is_listed() {
    let text = listing(&[
        ("lib.rs", "#[cfg(feature = \"a\")] pub mod deep;\nmod kinds;\npub use kinds::*;\npub use other;\npub use other::Thing as Renamed;\npub mod again { pub use other::Thing; }"),
        (
            "deep.rs",
            "use super::Kind; use std::fmt; mod more; pub use self::more::{LIMIT, limit};
            type Hidden = Box<dyn Fn(&Kind) -> u8>;
            #[derive(Clone, Debug)] #[must_use] pub struct Options<T> { pub kind: Kind, pub(crate) secret: T, pub call: Hidden }
            impl<T> fmt::Display for Options<T> where T: Clone, { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() } }",
        ),
        ("deep/more.rs", "pub const LIMIT: usize = 4_000; pub fn limit(mut of: usize) -> () {}"),
        (
            "kinds.rs",
            "#[non_exhaustive] pub enum Kind { One = 1, Two(u8), #[cfg(unix)] Three { a: String } }
            #[async_trait] pub trait Store: Send + Sync { type Error: Into<String>; async fn get(&self) -> Result<(), Self::Error>; fn name(&self) -> &str { \"\" } }
            #[async_trait] impl<S: Store + ?Sized> Store for Box<S> { type Error = S::Error; async fn get(&self) -> Result<(), S::Error> { todo!() } }
            macro_rules! each { ($($name:ident => $ty:ty),*) => { $( impl Kind { pub fn $name(&self) -> $ty { todo!() } } )* } }
            each!(one => u8, two => Vec<u8>);
            pin_project! { pub struct Body<B> { #[pin] inner: B } }
            #[macro_export] macro_rules! suite { ($make:expr) => { $make }; }",
        ),
    ]);
    let expected = r#"pub use other
pub use other::Thing as Renamed
pub use other::Thing as again::Thing

pub struct Body<B> { .. }

#[non_exhaustive]
pub enum Kind
    #[cfg(unix)] Three { a: String }
    One
    Two(u8)
impl Kind
    pub fn one(&self) -> u8
    pub fn two(&self) -> Vec<u8>

#[async_trait]
pub trait Store: Send + Sync
    async fn get(&self) -> Result<(), Self::Error>
    fn name(&self) -> &str { .. }
    type Error: Into<String>
impl<S: Store + ?Sized> Store for Box<S>
    type Error = S::Error

#[cfg(feature = "a")]
pub const deep::LIMIT: usize = 4_000

#[cfg(feature = "a")]
pub struct deep::Options<T> { .. }
    pub call: Box<dyn Fn(&Kind) -> u8>
    pub kind: Kind
#[cfg(feature = "a")]
impl<T: Clone> Clone for deep::Options<T>
#[cfg(feature = "a")]
impl<T: std::fmt::Debug> std::fmt::Debug for deep::Options<T>
#[cfg(feature = "a")]
impl<T> std::fmt::Display for deep::Options<T> where T: Clone

#[cfg(feature = "a")]
pub fn deep::limit(of: usize)

macro suite!
    ($make: expr)
"#;
    assert_eq!(text, expected);
}

#[test]
fn how_the_code_is_written_changes_nothing() {
    let one = "mod a; mod b; pub use a::A; pub use b::Error;";
    let text = listing(&[
        ("lib.rs", one),
        (
            "a.rs",
            "use crate::Error; use std::sync::Arc; #[derive(Clone)] pub struct A; impl A { pub fn x(&self, a: Arc<str>, b: u8) -> Result<(), Error> { Ok(()) } pub fn y() {} }",
        ),
        ("b.rs", "pub struct Error;"),
    ]);
    let other = listing(&[
        ("lib.rs", "pub use self::parts::{A, b::Error}; mod parts;"),
        (
            "parts/mod.rs",
            "pub mod b; pub struct A; impl A { pub fn y() {} } impl Clone for A { fn clone(&self) -> Self { A } } impl A { pub fn x(&self, mut a: std::sync::Arc<str,>, b: u8,) -> Result<(), b::Error,> { Ok(()) } }",
        ),
        ("parts/b.rs", "pub struct Error;"),
    ]);
    assert_eq!(text, other);
}

#[test]
fn a_macro_that_cannot_be_read_is_an_error() {
    let fixture = Fixture::new(&[("lib.rs", "mod a;"), ("a.rs", "other::make_items!(A, B);")]);
    let error = fixture.run(false).unwrap_err();
    assert!(error.contains("tiny: make_items!, called in `crate::a`"), "{error}");
    assert!(!Path::new(&fixture.listings()).exists());
}
