//! What sealed and signed cookies have in common: the session inside, and the reason why a cookie is refused.

mod content;
pub(crate) mod cookies;
pub(crate) mod mac;
mod refusal;

pub use content::Content;
pub use refusal::Refusal;
