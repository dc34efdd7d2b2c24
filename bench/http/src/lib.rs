//! What the servers of the area `http` share.
//!
//! Each server has the same pages: `GET /read` answers `views N`, `GET /write` adds one to `views` first, `GET /anonymous`
//! is behind the session middleware and asks for no session, `GET /hello` is not behind it. `POST /seed` makes a session
//! of the JSON that it is sent. `GET /count` begins to count allocations and answers how many there were before.

pub mod server;
