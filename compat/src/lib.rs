#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod callback;
mod callbackify;
mod copy;
mod express_session;
mod migrating;
mod promisify;
mod store;

pub use callback::{Callback, promisify};
pub use callbackify::{Callbackified, callbackify_store};
pub use copy::{CopyOptions, CopyProgress, copy, verify_copy};
pub use express_session::{ExpressSession, ExpressSessionOptions};
pub use migrating::{Migrating, is_moving};
pub use promisify::{Promisified, promisify_store};
pub use store::{CallbackAtomic, CallbackEnumerate, CallbackStore};
