//! What a proxy does to connections.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use super::*;
use crate::first_bytes;

/// A server that sends everything back.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || io::copy(&mut &stream, &mut &stream));
        }
    });
    addr
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn ask(mut stream: &TcpStream) -> io::Result<usize> {
    stream.write_all(b"hello")?;
    first_bytes(&mut stream).map(|bytes| bytes.len())
}

#[test]
fn a_silent_connection_stays_silent_and_a_new_one_works() {
    let proxy = Proxy::start(&echo()).unwrap();
    let old = connect(&proxy);
    assert_eq!(ask(&old).unwrap(), 5);
    proxy.silence();
    let silent = connect(&proxy);
    for stream in [&old, &silent] {
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert_eq!(ask(stream).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
    // A client cannot tell when its connection has been accepted.
    while proxy.open() < 2 {
        thread::yield_now();
    }
    proxy.pass();
    assert_eq!(ask(&connect(&proxy)).unwrap(), 5);
    assert_eq!(ask(&old).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(ask(&silent).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(proxy.connections(), 3);
}

#[test]
fn a_cut_ends_all_connections_until_they_may_pass() {
    let proxy = Proxy::start(&echo()).unwrap();
    let old = connect(&proxy);
    assert_eq!(ask(&old).unwrap(), 5);
    proxy.cut();
    for stream in [&old, &connect(&proxy)] {
        assert!(!ask(stream).is_ok_and(|length| length > 0));
    }
    proxy.pass();
    let new = connect(&proxy);
    assert_eq!(ask(&new).unwrap(), 5);
    drop(proxy);
    assert!(!ask(&new).is_ok_and(|length| length > 0));
}

#[test]
fn junk_comes_once_in_place_of_an_answer() {
    let proxy = Proxy::start(&echo()).unwrap();
    let mut old = &connect(&proxy);
    assert_eq!(ask(old).unwrap(), 5);
    proxy.garble();
    old.write_all(b"hello").unwrap();
    let mut junk = [0; pair::JUNK.len()];
    old.read_exact(&mut junk).unwrap();
    assert_eq!(junk, pair::JUNK);
    assert_eq!(ask(old).unwrap(), 5);
}

#[test]
fn a_lost_answer_ends_its_connection_and_no_other() {
    let proxy = Proxy::start(&echo()).unwrap();
    let (old, busy) = (connect(&proxy), connect(&proxy));
    for stream in [&old, &busy] {
        assert_eq!(ask(stream).unwrap(), 5);
    }
    proxy.lose_answers();
    assert!(!ask(&old).is_ok_and(|length| length > 0));
    assert_eq!(ask(&connect(&proxy)).unwrap(), 5);
}

#[test]
fn a_connection_that_is_spared_survives_all_but_a_refusal() {
    let proxy = Proxy::start_sparing(&echo(), b"ell").unwrap();
    let spared = connect(&proxy);
    assert_eq!(ask(&spared).unwrap(), 5);
    for harm in [Proxy::silence, Proxy::lose_answers, Proxy::cut] {
        harm(&proxy);
        assert_eq!(ask(&spared).unwrap(), 5);
        proxy.pass();
    }
    proxy.refuse();
    assert!(!ask(&spared).is_ok_and(|length| length > 0));
}

#[test]
fn a_proxy_that_refuses_listens_again_on_the_same_port() {
    let proxy = Proxy::start(&echo()).unwrap();
    let old = connect(&proxy);
    assert_eq!(ask(&old).unwrap(), 5);
    proxy.refuse();
    assert!(!ask(&old).is_ok_and(|length| length > 0));
    let refused = TcpStream::connect(proxy.addr()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    proxy.listen().unwrap();
    assert_eq!(ask(&connect(&proxy)).unwrap(), 5);
}
