//! Maps keys to servers with the ring of npm's `hashring`, so that Node.js looks in the same place.

use md5::Md5;
use memcache::exp::Router;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// The default number of digests of a server on the ring.
const VNODES: u32 = 40;

/// The port that [`Compatibility::Ketama`] leaves out of a server's name.
const DEFAULT_PORT: f64 = 11_211.0;

/// The hash that spreads servers and keys: the option `algorithm` of npm's `memcached`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// `md5`, the default.
    #[default]
    Md5,
    /// `sha1`.
    Sha1,
    /// `sha224`.
    Sha224,
    /// `sha256`.
    Sha256,
    /// `sha384`.
    Sha384,
    /// `sha512`.
    Sha512,
}

impl Algorithm {
    /// The algorithms by their names in Node.js.
    pub(crate) const KNOWN: [(&'static str, Self); 6] = [
        ("md5", Self::Md5),
        ("sha1", Self::Sha1),
        ("sha224", Self::Sha224),
        ("sha256", Self::Sha256),
        ("sha384", Self::Sha384),
        ("sha512", Self::Sha512),
    ];

    /// Returns the position of a key on the ring. The server of the next point has the key.
    ///
    /// ```
    /// use cloakroom_memcached::Algorithm;
    ///
    /// assert_eq!(Algorithm::Md5.hash_of("ddPy4qY3jxV1PyHBqxc67TiSzCimg5nq"), 1_140_821_788);
    /// ```
    #[must_use]
    pub fn hash_of(self, key: &str) -> u32 {
        self.points(key)[0]
    }

    /// Returns the first 16 bytes of the digest as four numbers.
    fn points(self, text: &str) -> [u32; 4] {
        let mut bytes = [0; 16];
        match self {
            Self::Md5 => bytes.copy_from_slice(&Md5::digest(text)),
            Self::Sha1 => bytes.copy_from_slice(&Sha1::digest(text)[..16]),
            Self::Sha224 => bytes.copy_from_slice(&Sha224::digest(text)[..16]),
            Self::Sha256 => bytes.copy_from_slice(&Sha256::digest(text)[..16]),
            Self::Sha384 => bytes.copy_from_slice(&Sha384::digest(text)[..16]),
            Self::Sha512 => bytes.copy_from_slice(&Sha512::digest(text)[..16]),
        }
        let (words, _) = bytes.as_chunks::<4>();
        std::array::from_fn(|word| u32::from_le_bytes(words[word]))
    }
}

/// The kind of the ring: the option `compatibility` of npm's `memcached`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compatibility {
    /// `ketama`, the default: four points per digest, and the name of a server on port 11211 is its host alone.
    #[default]
    Ketama,
    /// `hash_ring`: three points per digest, and the port is always part of the name.
    HashRing,
    /// The empty string: four points per digest, and the port is always part of the name.
    Plain,
}

impl Compatibility {
    /// The kinds by their names in npm's `memcached`.
    pub(crate) const KNOWN: [(&'static str, Self); 3] =
        [("ketama", Self::Ketama), ("hash_ring", Self::HashRing), ("", Self::Plain)];
}

/// A server in the list from which a [`Ring`] is made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RingServer {
    /// The name by which the server is configured, such as `10.0.0.1:11211`. Another spelling of the same server gets
    /// other keys.
    pub name: String,
    /// Its share of the keys, relative to the weights of the other servers.
    pub weight: f64,
    /// The number of its digests on the ring. `None` derives it from the weight.
    pub vnodes: Option<u32>,
}

impl RingServer {
    /// Creates a server with weight 1.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: 1.0, vnodes: None }
    }

    /// Returns the name that is hashed. Host and port are its first two parts between colons, as in `hashring`, so an
    /// IPv6 address is always hashed as a whole.
    fn name_on_ring(&self, compatibility: Compatibility) -> &str {
        let mut parts = self.name.split(':');
        let (host, port) = (parts.next().unwrap_or_default(), parts.next());
        let is_default = port.is_some_and(|port| port.trim().parse() == Ok(DEFAULT_PORT));
        if compatibility == Compatibility::Ketama && is_default { host } else { &self.name }
    }
}

/// The ring of npm's `hashring` 3.2.0, which `memcached` 2.2.2 asks for the server of each key.
///
/// ```
/// use cloakroom_memcached::{Ring, RingServer};
///
/// let servers = ["10.0.1.1:11211", "10.0.1.2:11211"].map(RingServer::new);
/// let ring = Ring::new(&servers, Default::default(), Default::default());
/// assert_eq!(ring.server_of("ddPy4qY3jxV1PyHBqxc67TiSzCimg5nq"), Some(1));
/// ```
#[derive(Clone, Debug)]
pub struct Ring {
    algorithm: Algorithm,
    /// Sorted by value; equal points keep the order of the list.
    points: Vec<(u32, usize)>,
}

impl Ring {
    /// Creates the ring of these servers. Their order matters only if two servers have the same point.
    #[must_use]
    pub fn new(servers: &[RingServer], algorithm: Algorithm, compatibility: Compatibility) -> Self {
        let total: f64 = servers.iter().map(|server| server.weight).sum();
        let replicas = if compatibility == Compatibility::HashRing { 3 } else { 4 };
        let mut points = Vec::new();
        for (index, server) in servers.iter().enumerate() {
            let name = server.name_on_ring(compatibility);
            let vnodes = server.vnodes.filter(|vnodes| *vnodes > 0).unwrap_or(VNODES);
            // Computed in this order, as `hashring` does: seven equal servers have 39 digests each, because the rounded
            // product is slightly below 40.
            let share = server.weight / total * f64::from(vnodes) * servers.len() as f64;
            let count = if vnodes == VNODES { share.floor() as u32 } else { vnodes };
            for number in 0..count {
                let digest = algorithm.points(&format!("{name}-{number}"));
                points.extend(digest[..replicas].iter().map(|point| (*point, index)));
            }
        }
        points.sort_by_key(|(point, _)| *point);
        Self { algorithm, points }
    }

    /// Returns the index of the server that has this key, or `None` if the ring is empty.
    ///
    /// Pass the full key, with namespace and prefix, before a long key is replaced by its digest.
    #[must_use]
    pub fn server_of(&self, key: &str) -> Option<usize> {
        let hash = self.algorithm.hash_of(key);
        let place = self.points.partition_point(|(point, _)| *point < hash);
        self.points.get(place).or(self.points.first()).map(|(_, server)| *server)
    }

    /// Returns all points with the indices of their servers, in order.
    #[must_use]
    pub fn points(&self) -> impl ExactSizeIterator<Item = (u32, usize)> + '_ {
        self.points.iter().copied()
    }
}

/// For a client of the crate `memcache` whose servers are in the same order as those of the ring.
impl Router for Ring {
    fn route(&self, key: &[u8], servers: &[String]) -> usize {
        let server = str::from_utf8(key).ok().and_then(|key| self.server_of(key));
        // If the client has more servers than the ring, the rest get no keys. If it has fewer, the last one gets the
        // keys of the missing ones.
        server.unwrap_or_default().min(servers.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(names: &[&str]) -> Ring {
        let servers: Vec<_> = names.iter().copied().map(RingServer::new).collect();
        Ring::new(&servers, Algorithm::default(), Compatibility::default())
    }

    /// From `fixtures/hashring.json`; the replay checks all of it.
    #[test]
    fn points_are_those_of_npm() {
        let ring = ring(&["10.0.1.1:11211", "10.0.1.2:11211"]);
        assert_eq!(
            ring.points().take(4).collect::<Vec<_>>(),
            [(14_164_473, 1), (16_012_927, 1), (17_349_376, 0), (20_424_420, 0)]
        );
        assert_eq!(ring.points().len(), 320);
    }

    #[test]
    fn seven_equal_servers_have_39_digests_each() {
        let names: Vec<String> = (1..=7).map(|number| format!("10.0.0.{number}:1")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(ring(&names).points().len(), 7 * 39 * 4);
    }

    #[test]
    fn a_key_beyond_the_last_point_is_the_first_servers() {
        let ring = Ring { algorithm: Algorithm::Md5, points: vec![(5, 1), (5, 0), (9, 2)] };
        assert_eq!(ring.server_of("any text hashes beyond nine"), Some(1));
        assert_eq!(Ring { algorithm: Algorithm::Md5, points: Vec::new() }.server_of("a"), None);
    }

    /// What hashring 3.2.0 on Node.js 20.20.2 answers.
    #[test]
    fn every_hash_spreads_keys_as_node_does() {
        let servers = ["10.0.1.1:11211", "10.0.1.2:11211", "10.0.1.3:11211"].map(RingServer::new);
        for ((name, algorithm), wanted) in Algorithm::KNOWN.into_iter().zip(ANSWERS) {
            let ring = Ring::new(&servers, algorithm, Compatibility::default());
            let answers: String = (0..24)
                .map(|number| ring.server_of(&format!("key-{number}")).unwrap().to_string())
                .collect();
            assert_eq!(answers, wanted, "{name}");
        }
    }

    const ANSWERS: [&str; 6] = [
        "222221222102010101212122",
        "210021122021202200000222",
        "021201000200101001211001",
        "001111021011201212121020",
        "001121220212122002210002",
        "000011022201010122100200",
    ];

    #[test]
    fn only_ketama_drops_the_default_port() {
        let server = RingServer::new("cache-a:11211");
        assert_eq!(server.name_on_ring(Compatibility::Ketama), "cache-a");
        assert_eq!(server.name_on_ring(Compatibility::HashRing), "cache-a:11211");
        for name in ["cache-a", "cache-a:11212", "[::1]:11211"] {
            assert_eq!(RingServer::new(name).name_on_ring(Compatibility::Ketama), name);
        }
    }
}
