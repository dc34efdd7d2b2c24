//! A server that answers what a test tells it to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What a fake server does with a command.
pub(crate) enum Then {
    Answer(&'static str),
    /// Closes the connection without an answer.
    Close,
    /// Says nothing for ever.
    Silence,
}

type Script = dyn Fn(usize, &str) -> Then + Send + Sync;

/// Listens until the test's process ends.
pub(crate) struct Fake {
    pub(crate) url: String,
    commands: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Fake {
    /// A server that calls `script` with the number of the connection and the line of each command.
    pub(crate) fn start(script: impl Fn(usize, &str) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("memcached://{}", listener.local_addr().unwrap());
        let commands = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&commands));
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                thread::spawn(move || serve(stream.unwrap(), number, &*script, &log));
            }
        });
        Self { url, commands, connections }
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The first words of the commands so far.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, number: usize, script: &Script, log: &Mutex<Vec<String>>) {
    let mut input = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if !input.read_line(&mut line).is_ok_and(|length| length > 0) {
            return;
        }
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        if words[0] == "ms" {
            let mut value = vec![0; words[2].parse::<usize>().unwrap() + 2];
            if input.read_exact(&mut value).is_err() {
                return;
            }
        }
        log.lock().unwrap().push(words[0].to_owned());
        let answer = match script(number, line.trim_end()) {
            Then::Answer(answer) => answer,
            Then::Close => return,
            Then::Silence => "",
        };
        if input.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
