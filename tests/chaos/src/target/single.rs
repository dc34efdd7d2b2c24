//! One server behind proxies, one for each process.

use cloakroom_test_support::{Error, Kind, Proxy, Server};
use fastrand::Rng;

use super::{Failure, Fault, NpmStore, PROXIES, STORE_DEADLINE_MS, Target};
use crate::history::{Loss, Lost};

/// What can be done to a server of any kind.
trait Machine: Send {
    fn stop(&mut self);
    fn restart(&mut self) -> Result<(), Error>;
    fn pause(&mut self) -> Result<(), Error>;
    fn resume(&mut self) -> Result<(), Error>;
}

impl<K: Kind + Send> Machine for Server<K> {
    fn stop(&mut self) {
        Self::stop(self);
    }
    fn restart(&mut self) -> Result<(), Error> {
        Self::restart(self)
    }
    fn pause(&mut self) -> Result<(), Error> {
        Self::pause(self)
    }
    fn resume(&mut self) -> Result<(), Error> {
        Self::resume(self)
    }
}

/// Fills the server at an address, or empties it again.
pub(super) type Fill = fn(&str, bool) -> Result<(), Failure>;

/// One server behind proxies.
pub struct Single {
    /// `None` for a server that somebody else runs.
    machine: Option<Box<dyn Machine>>,
    proxies: Vec<Proxy>,
    addr: String,
    /// The URL, with `ADDR` for the address.
    pattern: String,
    version: String,
    npm: Option<(&'static str, &'static str)>,
    lost_on_kill: Lost,
    fill: Option<Fill>,
    /// The proxies that the present fault concerns.
    harmed: Vec<usize>,
}

impl std::fmt::Debug for Single {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Single").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Single {
    /// A server with the URL `pattern`, in which `ADDR` stands for its address.
    ///
    /// # Errors
    ///
    /// If there is no port for a proxy.
    pub fn of<K: Kind + Send + 'static>(
        server: Server<K>,
        pattern: &str,
        version: String,
        lost_on_kill: Lost,
    ) -> Result<Self, Failure> {
        let addr = server.addr();
        Ok(Self {
            machine: Some(Box::new(server)),
            proxies: proxies(&addr)?,
            addr,
            pattern: pattern.to_owned(),
            version,
            npm: None,
            lost_on_kill,
            fill: None,
            harmed: Vec::new(),
        })
    }

    /// The server at a URL with one host and a port, which this run does not stop.
    ///
    /// # Errors
    ///
    /// If the URL does not have one host and a port.
    pub fn outside(url: &str) -> Result<Self, Failure> {
        let (scheme, rest) = url.split_once("://").ok_or("not a URL")?;
        let (authority, _) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let has_port = host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
        if host.contains(',') || !has_port {
            return Err("a URL needs one host and a port: the network to it is harmed".into());
        }
        Ok(Self {
            machine: None,
            proxies: proxies(host)?,
            addr: host.to_owned(),
            pattern: url.replacen(host, "ADDR", 1),
            version: format!("{scheme}, given"),
            npm: None,
            lost_on_kill: Lost::Nothing,
            fill: None,
            harmed: Vec::new(),
        })
    }

    /// The same with an npm store and its options beside it.
    #[must_use]
    pub fn with_npm(mut self, store: &'static str, options: &'static str) -> Self {
        self.npm = Some((store, options));
        self
    }

    /// The same with a function that fills the server.
    #[must_use]
    pub(super) fn with_fill(mut self, fill: Fill) -> Self {
        self.fill = Some(fill);
        self
    }

    fn at(&self, addr: &str) -> String {
        self.pattern.replacen("ADDR", addr, 1)
    }

    fn machine(&mut self) -> Result<&mut dyn Machine, Failure> {
        Ok(&mut **self.machine.as_mut().ok_or("the server is not ours")?)
    }

    fn harm_proxies(&self, how: impl Fn(&Proxy)) {
        self.harmed.iter().for_each(|number| how(&self.proxies[*number]));
    }
}

fn proxies(addr: &str) -> Result<Vec<Proxy>, Failure> {
    Ok((0..PROXIES).map(|_| Proxy::start(addr)).collect::<Result<_, _>>()?)
}

/// The URL with one more parameter.
pub(super) fn with_deadline(url: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}deadline={STORE_DEADLINE_MS}")
}

impl Target for Single {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn url(&self, process: usize) -> String {
        with_deadline(&self.at(&self.proxies[process % (PROXIES - 1)].addr()))
    }

    fn plain_url(&self) -> String {
        self.at(&self.addr)
    }

    fn npm(&self) -> Option<NpmStore> {
        let (store, options) = self.npm?;
        let url = self.at(&self.proxies[PROXIES - 1].addr());
        Some(NpmStore { store, url, options })
    }

    fn faults(&self) -> Vec<Fault> {
        let network =
            [Fault::Silence, Fault::Cut, Fault::LoseAnswers, Fault::Refuse, Fault::Garble];
        let mut faults = vec![Fault::KillClient, Fault::FreezeClient];
        faults.extend(network);
        if self.machine.is_some() {
            // As often as both kinds of faults of the network together.
            faults.extend([Fault::Kill, Fault::Freeze, Fault::Kill, Fault::Freeze]);
        }
        faults.extend(self.fill.map(|_| Fault::Fill));
        faults
    }

    fn loses(&self, fault: Fault) -> Lost {
        if fault == Fault::Kill { self.lost_on_kill } else { Lost::Nothing }
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        Ok(Vec::new())
    }

    fn begin(&mut self, fault: Fault, random: &mut Rng) -> Result<(), Failure> {
        // Node.js's clients are not asked to recognize junk.
        let most = if fault == Fault::Garble { PROXIES - 1 } else { PROXIES };
        self.harmed = (0..most).filter(|_| random.bool()).collect();
        if self.harmed.is_empty() {
            self.harmed.push(random.usize(..most));
        }
        match fault {
            Fault::Kill => self.machine()?.stop(),
            Fault::Freeze => self.machine()?.pause()?,
            Fault::Silence => self.harm_proxies(Proxy::silence),
            Fault::Cut => self.harm_proxies(Proxy::cut),
            Fault::LoseAnswers => self.harm_proxies(Proxy::lose_answers),
            Fault::Refuse => self.harm_proxies(Proxy::refuse),
            Fault::Garble => self.harm_proxies(Proxy::garble),
            Fault::Fill => self.fill.ok_or("it cannot be filled")?(&self.addr, true)?,
            Fault::Lock | Fault::FailOver | Fault::KillClient | Fault::FreezeClient => {
                return Err(format!("{fault} is nothing that one server does").into());
            }
        }
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> Result<(), Failure> {
        match fault {
            Fault::Kill => self.machine()?.restart()?,
            Fault::Freeze => self.machine()?.resume()?,
            Fault::Refuse => {
                for number in &self.harmed {
                    self.proxies[*number].listen()?;
                }
            }
            Fault::Fill => self.fill.ok_or("it cannot be filled")?(&self.addr, false)?,
            _ => self.harm_proxies(Proxy::pass),
        }
        Ok(())
    }
}
