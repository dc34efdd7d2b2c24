#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod callback;
mod callbackify;
mod express_session;
mod promisify;
mod store;

pub use callback::{Callback, promisify};
pub use callbackify::{Callbackified, callbackify_store};
pub use express_session::{ExpressSession, ExpressSessionOptions};
pub use promisify::{Promisified, promisify_store};
pub use store::{CallbackAtomic, CallbackEnumerate, CallbackStore};
