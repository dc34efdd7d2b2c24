//! The listing of one server, from `lru_crawler metadump`, which prints one line per item.

use std::time::{Duration, Instant};

use cloakroom_backend::{Operation, jitter};
use cloakroom_core::Error;
use tokio::time::sleep;

use crate::{plain::Plain, server::Server};

/// The maximum number of items per page, and their approximate size in bytes.
const PAGE: usize = 100;
const BYTES: u64 = 4 << 20;

/// The first limit for the pause before a server that is busy with another listing is asked again. It doubles each
/// time, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(4);
const LONGEST: Duration = Duration::from_millis(100);

/// A listing in progress. It occupies the server's crawler until it ends or is dropped.
pub(crate) struct Dump<'a> {
    plain: Plain<'a>,
    /// The time of the server's clock, and when it was read.
    server_time: i64,
    asked: Instant,
    /// The first line, which was read to learn that the listing has begun.
    first: Option<String>,
}

impl<'a> Dump<'a> {
    /// Starts a listing. If the server is busy with another one, it waits for that to end.
    pub(crate) async fn start(server: &'a Server, operation: &Operation) -> Result<Self, Error> {
        let (mut plain, first) = Plain::start(server, operation, "stats\r\n").await?;
        let time = plain.stat(operation, first, "time").await?;
        let Some(time) = time.and_then(|time| i64::try_from(time).ok()) else {
            return Err(plain.unexpected(operation));
        };
        let asked = Instant::now();
        // `hash` walks the table of all keys, where each key stays in its place. `all` walks the items by age, and can
        // miss an item that is used during the listing.
        let mut way = "hash";
        let mut longest = SHORTEST;
        loop {
            plain.send(operation, &format!("lru_crawler metadump {way}\r\n")).await?;
            let line = plain.line(operation).await?;
            match line.split([' ', '=']).next().unwrap_or_default() {
                "key" | "END" => {
                    return Ok(Self { plain, server_time: time, asked, first: Some(line) });
                }
                // Another listing, or the server's own search for expired items, is in progress.
                "BUSY" => {
                    // A random pause, so that the waiting callers do not all ask at once.
                    sleep(jitter(longest / 2..=longest)).await;
                    longest = (longest * 2).min(LONGEST);
                }
                "BADCLASS" if way == "hash" => way = "all",
                "CLIENT_ERROR" | "ERROR" => {
                    let why = "does not allow listings (-X, or -o no_lru_crawler)";
                    return Err(plain.not_offered(operation, why));
                }
                _ => return Err(plain.unexpected(operation)),
            }
        }
    }

    /// Returns the keys of the next live items, or `None` at the end. A page can be empty.
    pub(crate) async fn page(
        &mut self,
        operation: &Operation,
    ) -> Result<Option<Vec<String>>, Error> {
        let (mut keys, mut bytes) = (Vec::new(), 0);
        // Items that are not live count as well, so that a page ends even if it contains no others.
        for number in 0..PAGE {
            if bytes >= BYTES {
                break;
            }
            let line = match self.first.take() {
                Some(line) => line,
                None => self.plain.line(operation).await?,
            };
            if line == "END" {
                self.first = Some(line);
                return Ok((number > 0).then_some(keys));
            }
            // The server still lists items that expire in the current second, but no longer returns them.
            let elapsed = i64::try_from(self.asked.elapsed().as_secs()).unwrap_or(i64::MAX);
            let now = self.server_time.saturating_add(elapsed);
            match item(&line) {
                Some(item) if item.expires.is_none_or(|expires| expires > now) => {
                    keys.extend(item.key);
                    bytes += item.bytes;
                }
                Some(_) => {}
                None => return Err(self.plain.unexpected(operation)),
            }
        }
        Ok(Some(keys))
    }
}

/// A line of the listing.
#[derive(Debug, PartialEq)]
struct Item {
    /// `None` if the key is not UTF-8. The keys of sessions always are.
    key: Option<String>,
    /// The expiry in seconds since 1970, or `None` if the item never expires.
    expires: Option<i64>,
    /// Its size, with what the server adds. Zero if the server does not say it.
    bytes: u64,
}

/// Parses a line such as `key=sess%3Aabc exp=1795442136 la=1795442036 cas=1 fetch=no cls=1 size=66`.
fn item(line: &str) -> Option<Item> {
    let mut fields = line.split(' ');
    let key = decode(fields.next()?.strip_prefix("key=")?)?;
    let expires: i64 = fields.next()?.strip_prefix("exp=")?.parse().ok()?;
    let size = fields.find_map(|field| field.strip_prefix("size="));
    Some(Item {
        key: String::from_utf8(key).ok(),
        expires: (expires >= 0).then_some(expires),
        bytes: size.and_then(|size| size.parse().ok()).unwrap_or_default(),
    })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = after.split_first_chunk::<2>()?;
            bytes.push(hex(digits)?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    Some(bytes)
}

/// Returns the byte of two hexadecimal digits.
fn hex(digits: &[u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let rest = "la=1795442036 cas=1 fetch=no cls=1 size=66";
        for (line, key, expires) in [
            (format!("key=k1 exp=1795442136 {rest}"), Some("k1"), Some(1_795_442_136)),
            (format!("key=p%3A%C3%A9%25 exp=-1 {rest}"), Some("p:é%"), None),
            (format!("key=a%1Bb exp=0 {rest}"), Some("a\u{1b}b"), Some(0)),
            (format!("key=%FF exp=-1 {rest}"), None, None),
        ] {
            let key = key.map(str::to_owned);
            assert_eq!(item(&line), Some(Item { key, expires, bytes: 66 }), "{line}");
        }
        for line in
            ["", "END", "key=a", "key=a exp=x", "key=%4 exp=-1", "exp=-1 key=a", "key=%+1 exp=1"]
        {
            assert_eq!(item(line), None, "{line}");
        }
    }
}
