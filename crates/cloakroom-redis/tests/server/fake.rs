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
    /// Answers, then closes the connection.
    AnswerAndClose(&'static str),
    /// Closes the connection without an answer.
    Close,
    /// Says nothing for ever.
    Silence,
}

type Script = dyn Fn(usize, &[String]) -> Then + Send + Sync;

/// Listens until the test's process ends.
pub(crate) struct Fake {
    pub(crate) url: String,
    commands: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Fake {
    /// A server that calls `script` with the number of the connection and the words of each command.
    pub(crate) fn start(script: impl Fn(usize, &[String]) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let commands = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::new(AtomicUsize::new(0));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&commands));
        let count = Arc::clone(&open);
        let accepted = Arc::new(AtomicUsize::new(0));
        let total = Arc::clone(&accepted);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (script, log, count) =
                    (Arc::clone(&script), Arc::clone(&log), Arc::clone(&count));
                count.fetch_add(1, Ordering::SeqCst);
                total.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    serve(stream.unwrap(), number, &*script, &log);
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, commands, open, accepted }
    }

    /// Forgets the commands so far.
    pub(crate) fn forget(&self) {
        self.commands.lock().unwrap().clear();
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The first words of the commands so far.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, number: usize, script: &Script, log: &Mutex<Vec<String>>) {
    let mut input = BufReader::new(stream);
    while let Some(words) = read(&mut input) {
        log.lock().unwrap().push(words[0].clone());
        let (answer, close) = match script(number, &words) {
            Then::Answer(answer) => (answer, false),
            Then::AnswerAndClose(answer) => (answer, true),
            Then::Close => ("", true),
            Then::Silence => ("", false),
        };
        if input.get_mut().write_all(answer.as_bytes()).is_err() || close {
            return;
        }
    }
}

/// One command: an array of strings. `None` at the end.
fn read(input: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let words = number(input)?;
    (0..words)
        .map(|_| {
            let mut word = vec![0; number(input)? + 2];
            input.read_exact(&mut word).ok()?;
            word.truncate(word.len() - 2);
            Some(String::from_utf8_lossy(&word).into_owned())
        })
        .collect()
}

fn number(input: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

/// What Redis 7 says to `HELLO 3`, as far as the client looks.
pub(crate) const HELLO: &str = "%1\r\n$5\r\nproto\r\n:3\r\n";
