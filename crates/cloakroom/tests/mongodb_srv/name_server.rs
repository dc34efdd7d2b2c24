//! A name server: as much of RFC 1035 and RFC 2782 as a client asks for.

use std::{
    mem,
    net::UdpSocket,
    sync::{Arc, Mutex},
    thread,
};

/// All clusters have this one host, which is this machine.
const HOST: &str = "node.example.test";

const A: u16 = 1;
const TXT: u16 = 16;
const SRV: u16 = 33;

/// A name with its port and the text of its TXT record.
type Cluster = (&'static str, u16, Option<&'static str>);

/// Answers on port 53 of 127.0.0.1 until the process ends.
pub(crate) struct NameServer {
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    pub(crate) fn start(clusters: &[Cluster]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let (clusters, server) = (clusters.to_vec(), Self { asked: Arc::default() });
        let asked = Arc::clone(&server.asked);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut question) {
                let (name, kind, end) = read_question(&question[..length]);
                let data = data(&clusters, &name, kind);
                let kind_name = match kind {
                    A => "A".to_owned(),
                    TXT => "TXT".to_owned(),
                    SRV => "SRV".to_owned(),
                    other => other.to_string(),
                };
                asked.lock().unwrap().push(format!("{kind_name} {name}"));
                socket.send_to(&answer(&question[..end], kind, data.as_deref()), client).unwrap();
            }
        });
        server
    }

    /// The questions since the last time: `SRV _mongodb._tcp.plain.example.test`.
    pub(crate) fn asked(&self) -> Vec<String> {
        mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// The name and the type of a message's one question, and where that ends.
fn read_question(message: &[u8]) -> (String, u16, usize) {
    let mut labels = Vec::new();
    let mut at = 12;
    while message[at] > 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).to_lowercase());
        at = end;
    }
    (labels.join("."), u16::from_be_bytes([message[at + 1], message[at + 2]]), at + 5)
}

fn data(clusters: &[Cluster], name: &str, kind: u16) -> Option<Vec<u8>> {
    if name == HOST {
        return (kind == A).then(|| vec![127, 0, 0, 1]);
    }
    let of = name.strip_prefix("_mongodb._tcp.").unwrap_or(name);
    let (cluster, port, text) = clusters.iter().find(|(cluster, ..)| *cluster == of)?;
    match kind {
        SRV if of != name => {
            let mut data = vec![0, 0, 0, 0];
            data.extend(port.to_be_bytes());
            HOST.split('.').for_each(|label| data.extend(with_length(label)));
            data.push(0);
            Some(data)
        }
        TXT if cluster == &name => text.map(with_length),
        _ => None,
    }
}

fn with_length(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// To a question with the header before it: one record, or none.
fn answer(question: &[u8], kind: u16, data: Option<&[u8]>) -> Vec<u8> {
    let mut answer = question.to_vec();
    // An authoritative answer with one question and at most one record.
    answer[2..12].copy_from_slice(&[0x85, 0x80, 0, 1, 0, data.is_some().into(), 0, 0, 0, 0]);
    if let Some(data) = data {
        // The question's name, in class IN, for a minute.
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    answer
}
