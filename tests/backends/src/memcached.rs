//! Memcached, in its older text protocol.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, RawAccess};

/// The records under a prefix on one Memcached or several.
///
/// On several, a record is put where one is already, or else on the first of them, unless
/// [`with_home`](Self::with_home) says where a key belongs. It blocks, which is quick on the same machine.
#[derive(Clone)]
pub struct RawMemcached {
    addrs: Vec<String>,
    prefix: String,
    home: Option<Home>,
    flags: u32,
    encrypt: Transform,
    decrypt: Transform,
}

type Home = Arc<dyn Fn(&str) -> usize + Send + Sync>;
type Transform = Arc<dyn Fn(&str) -> Result<String, AccessError> + Send + Sync>;

impl std::fmt::Debug for RawMemcached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawMemcached").field("addrs", &self.addrs).finish_non_exhaustive()
    }
}

impl RawMemcached {
    /// The records under this prefix, on the servers at these addresses.
    pub fn new(addrs: impl IntoIterator<Item = String>, prefix: impl Into<String>) -> Self {
        let as_it_is: Transform = Arc::new(|text| Ok(text.to_owned()));
        Self {
            addrs: addrs.into_iter().collect(),
            prefix: prefix.into(),
            home: None,
            // Those of connect-memcached 2 and 3.
            flags: 2,
            encrypt: Arc::clone(&as_it_is),
            decrypt: as_it_is,
        }
    }

    /// The same access, with the place of the server that has a key.
    #[must_use]
    pub fn with_home(mut self, home: impl Fn(&str) -> usize + Send + Sync + 'static) -> Self {
        self.home = Some(Arc::new(home));
        self
    }

    /// The same access to records that are encrypted, which have the flags 0.
    #[must_use]
    pub fn with_encryption(
        mut self,
        encrypt: impl Fn(&str) -> Result<String, AccessError> + Send + Sync + 'static,
        decrypt: impl Fn(&str) -> Result<String, AccessError> + Send + Sync + 'static,
    ) -> Self {
        (self.flags, self.encrypt, self.decrypt) = (0, Arc::new(encrypt), Arc::new(decrypt));
        self
    }

    /// The flags and the bytes of a record. It must not be on two servers.
    ///
    /// # Errors
    ///
    /// If a server cannot be asked, or two of them have the record.
    pub fn item(&self, sid: &str) -> Result<Option<(u32, String)>, AccessError> {
        let mut found = None;
        for addr in &self.addrs {
            let (mut stream, line) = say(addr, &format!("get {}{sid}", self.prefix))?;
            let words: Vec<&str> = line.split(' ').collect();
            let ["VALUE", _, flags, length] = &*words else { continue };
            let mut value = vec![0; length.parse()?];
            stream.read_exact(&mut value)?;
            let item = (flags.parse()?, String::from_utf8(value)?);
            if found.replace(item).is_some() {
                return Err(format!("{sid:?} is on two servers").into());
            }
        }
        Ok(found)
    }

    /// How many items a server has of all that were stored since it was started.
    pub(crate) fn items(addr: &str) -> Result<usize, AccessError> {
        let (mut stream, mut line) = say(addr, "stats")?;
        while line.trim_end() != "END" {
            if let Some(items) = line.trim_end().strip_prefix("STAT curr_items ") {
                return Ok(items.parse()?);
            }
            line.clear();
            stream.read_line(&mut line)?;
        }
        Err("the statistics have no number of items".into())
    }

    pub(crate) fn has(addr: &str, key: &str) -> Result<bool, AccessError> {
        Ok(Self::lives(addr, key)?.is_some())
    }

    fn lives(addr: &str, key: &str) -> Result<Option<i64>, AccessError> {
        let (_, line) = say(addr, &format!("mg {key} t"))?;
        Ok(line.strip_prefix("HD t").map(str::parse).transpose()?)
    }
}

/// The first line of the answer, and what follows.
fn say(addr: &str, command: &str) -> Result<(BufReader<TcpStream>, String), AccessError> {
    let mut stream = BufReader::new(TcpStream::connect(addr)?);
    stream.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok((stream, line.trim_end().to_owned()))
}

impl RawMemcached {
    /// Stores a record for so many seconds, or for ever with 0.
    fn store(&self, sid: &str, record: &str, seconds: u32) -> Result<(), AccessError> {
        let (key, value) = (format!("{}{sid}", self.prefix), (self.encrypt)(record)?);
        let home = self.home.as_ref().map_or(0, |home| home(&key));
        let mut place = self.addrs.get(home).ok_or("no server was given")?;
        for addr in &self.addrs[1..] {
            if Self::lives(addr, &key)?.is_some() {
                place = addr;
            }
        }
        let command = format!("set {key} {} {seconds} {}\r\n{value}", self.flags, value.len());
        match say(place, &command)?.1.as_str() {
            "STORED" => Ok(()),
            answer => Err(format!("Memcached answers {answer:?}").into()),
        }
    }
}

#[async_trait]
impl RawAccess for RawMemcached {
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        self.store(sid, record, 7_200)
    }

    async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError> {
        self.store(sid, record, 0).map(|()| true)
    }

    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        let Some((flags, value)) = self.item(sid)? else { return Ok(None) };
        if flags != self.flags {
            return Err(format!("the record has the flags {flags}").into());
        }
        (self.decrypt)(&value).map(Some)
    }

    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        for addr in &self.addrs {
            if let Some(seconds) = Self::lives(addr, &format!("{}{sid}", self.prefix))? {
                // A negative number is an item without an expiry.
                return Ok(u64::try_from(seconds).ok().map(Duration::from_secs));
            }
        }
        Ok(None)
    }
}
