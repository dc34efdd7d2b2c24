//! TLS with real servers and with certificates as people make them.

use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use cloakroom_core::{Error, ErrorKind, Store};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_support::{RedisServer, SentinelServer, free_port, unique};
use tokio_rustls::rustls::crypto::CryptoProvider;

use crate::{
    connecting::{check, failure},
    listing, session,
};

/// A folder for certificates, removed on drop.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(unique("cloakroom-tls"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Runs `openssl` with these arguments, separated by spaces, in the folder.
    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .current_dir(&self.0)
            .args(arguments.split(' '))
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {log}");
    }

    /// `NAME.crt` and `NAME.key`: self-signed, as most instructions have it.
    fn self_signed(&self, name: &str, more: &str) {
        self.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -keyout {name}.key -out {name}.crt {more}"
        ));
    }

    /// `NAME.crt` and `NAME.key`, signed by `ca.crt`.
    fn signed(&self, name: &str, subject: &str) {
        self.openssl(&format!(
            "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj {subject}"
        ));
        fs::write(self.0.join("extensions"), "basicConstraints = CA:FALSE\n").unwrap();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out {name}.crt"
        ));
    }
}

/// A server that speaks TLS on a port of its own.
struct TlsServer {
    _server: RedisServer,
    port: u16,
}

impl TlsServer {
    fn start(folder: &Folder, name: &str, more: &[&str]) -> Self {
        let (certificate, key) =
            (folder.path(&format!("{name}.crt")), folder.path(&format!("{name}.key")));
        let mut outcome = Err(String::new());
        // Another server can take the port first.
        for _ in 0..5 {
            let port = free_port();
            let port_text = port.to_string();
            let mut options = vec!["--tls-port", &port_text, "--tls-cert-file", &certificate];
            options.extend(["--tls-key-file", &key, "--tls-auth-clients", "no"]);
            options.extend(more);
            match RedisServer::start_with(&options) {
                Ok(server) => return Self { _server: server, port },
                Err(error) => outcome = Err(error.to_string()),
            }
        }
        outcome.unwrap()
    }

    fn url(&self, host: &str, query: &str) -> String {
        format!("rediss://{host}:{}/?{query}", self.port)
    }
}

/// Whether Node.js takes the server's certificate under this name.
fn node_takes(folder: &Folder, name: &str, host: &str, port: u16) -> bool {
    const PROGRAM: &str = r#"
        const [ca, host, port] = process.argv.slice(1);
        const socket = require("tls").connect(
            { ca: require("fs").readFileSync(ca), host: "127.0.0.1", port, servername: host,
              checkServerIdentity: (_, certificate) =>
                require("tls").checkServerIdentity(host, certificate) },
            () => process.exit(0));
        socket.on("error", (error) => { console.error(error.code); process.exit(1); });
    "#;
    // An address is not sent as a name, but it is checked.
    let program = if host.parse::<std::net::IpAddr>().is_ok() {
        PROGRAM.replace("servername: host,", "")
    } else {
        PROGRAM.to_owned()
    };
    let (certificate, port) = (folder.path(&format!("{name}.crt")), port.to_string());
    let output =
        Command::new("node").args(["-e", &program, &certificate, host, &port]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    output.status.success()
}

fn assert_refused(error: &Error, cause: &str) {
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    let source = error.source().unwrap_or_else(|| panic!("{error:?}")).to_string();
    assert!(source.contains(cause), "{source}");
}

#[tokio::test]
#[ignore = "needs redis-server, openssl and node"]
async fn a_self_signed_certificate_is_taken_where_node_takes_it() {
    let folder = Folder::new();
    folder.self_signed(
        "alternative",
        "-subj /CN=x -addext subjectAltName=DNS:localhost,IP:127.0.0.1",
    );
    folder.self_signed("subject", "-subj /O=x/CN=localhost");
    folder.self_signed("address", "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1");
    folder.self_signed(
        "leaf",
        "-subj /CN=x -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE",
    );
    folder.openssl("req -newkey rsa:2048 -nodes -keyout old.key -out old.csr -subj /CN=localhost");
    folder.openssl("x509 -req -in old.csr -signkey old.key -days 30 -out old.crt");
    folder.openssl("ecparam -genkey -name prime256v1 -noout -out curve.key");
    folder.openssl("req -x509 -new -key curve.key -days 30 -subj /CN=localhost -out curve.crt");
    folder
        .openssl("req -newkey rsa:2048 -nodes -keyout past.key -out past.csr -subj /CN=localhost");
    folder.openssl("x509 -req -in past.csr -signkey past.key -days -1 -out past.crt");
    folder.self_signed("other", "-subj /CN=localhost");

    for (name, takes_name, takes_address) in [
        ("alternative", true, true),
        ("subject", true, false),
        ("address", true, true),
        ("leaf", true, false),
        ("old", true, false),
        ("curve", true, false),
        ("past", false, false),
    ] {
        for protocols in ["TLSv1.2", "TLSv1.3"] {
            let server = TlsServer::start(&folder, name, &["--tls-protocols", protocols]);
            for (host, wanted) in [("localhost", takes_name), ("127.0.0.1", takes_address)] {
                let case = format!("{name} {protocols} {host}");
                assert_eq!(node_takes(&folder, name, host, server.port), wanted, "node: {case}");
                let file = folder.path(&format!("{name}.crt"));
                let url = server.url(host, &format!("caFile={file}"));
                if wanted {
                    check(&url).await;
                } else {
                    assert_refused(&failure(&url).await, "certificate");
                }
                let other = server.url(host, &format!("caFile={}", folder.path("other.crt")));
                assert_refused(&failure(&other).await, "certificate");
                assert_refused(&failure(&server.url(host, "")).await, "certificate");
                check(&server.url(host, "insecureSkipVerify=true")).await;
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server and openssl"]
async fn a_server_name_is_checked_instead_of_the_host() {
    let folder = Folder::new();
    folder.self_signed("ca", "-subj /CN=authority");
    folder.signed("server", "/CN=redis.internal");
    let server = TlsServer::start(&folder, "server", &[]);
    let ca = folder.path("ca.crt");
    let url = |name: &str| server.url("127.0.0.1", &format!("caFile={ca}&serverName={name}"));
    check(&url("redis.internal")).await;
    assert_refused(&failure(&url("other.internal")).await, "certificate");
    assert_refused(
        &failure(&server.url("127.0.0.1", &format!("caFile={ca}"))).await,
        "certificate",
    );

    let mut options = RedisOptions::default();
    options.ca_file = Some(ca.into());
    options.server_name = Some("redis.internal".to_owned());
    RedisStore::open_with(&server.url("127.0.0.1", ""), options).unwrap().ping().await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server and openssl"]
async fn a_client_has_a_certificate() {
    let folder = Folder::new();
    folder.self_signed("ca", "-subj /CN=authority");
    folder.signed("server", "/CN=localhost");
    folder.signed("client", "/CN=client");
    folder.self_signed("stranger", "-subj /CN=stranger");
    let ca = folder.path("ca.crt");
    let files = |certificate: &str, key: &str| {
        let (certificate, key) = (folder.path(certificate), folder.path(key));
        format!("caFile={ca}&certFile={certificate}&keyFile={key}")
    };
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let options = ["--tls-auth-clients", "yes", "--tls-ca-cert-file", &ca];
        let options = [&options[..], &["--tls-protocols", protocols]].concat();
        let server = TlsServer::start(&folder, "server", &options);
        check(&server.url("localhost", &files("client.crt", "client.key"))).await;
        for query in [format!("caFile={ca}"), files("stranger.crt", "stranger.key")] {
            let error = failure(&server.url("localhost", &query)).await;
            assert_refused(&error, "alert");
        }
    }
    let url = format!("rediss://localhost?{}", files("client.crt", "server.key"));
    let error = RedisStore::open(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.source().is_some(), "{error:?}");
}

#[tokio::test]
#[ignore = "needs redis-server and openssl"]
async fn no_default_provider_is_needed_or_made() {
    let folder = Folder::new();
    folder.self_signed("server", "-subj /CN=localhost");
    let server = TlsServer::start(&folder, "server", &[]);
    let file = folder.path("server.crt");
    check(&server.url("localhost", &format!("caFile={file}"))).await;
    check(&server.url("localhost", "insecureSkipVerify=true")).await;
    failure(&server.url("localhost", "")).await;
    // With ring and aws-lc-rs in one program rustls has no default and panics when it is asked for one.
    let default: Option<&Arc<CryptoProvider>> = CryptoProvider::get_default();
    assert!(default.is_none());
}

#[test]
fn files_are_read_when_the_store_is_opened() {
    let missing = Path::new("/no/such/file").display();
    for option in ["caFile", "certFile", "keyFile"] {
        let error = RedisStore::open(&format!("rediss://h?{option}={missing}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(option), "{error}");
    }
}

/// A cluster of one node, and a sentinel that answers in TLS too.
#[tokio::test]
#[ignore = "needs redis-server and openssl"]
async fn a_cluster_and_a_master_are_reached_over_tls() {
    let bus = free_port().to_string();
    // Without `tls-cluster`, the node tells its clients the port for plain connections.
    let options = ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", &bus];
    let node = RedisServer::start_tls_with(&options).unwrap();
    let mut socket = redis::Client::open(format!("unix://{}", node.unix_socket().display()))
        .unwrap()
        .get_connection()
        .unwrap();
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16_383).exec(&mut socket).unwrap();
    let ca = |server: &RedisServer| server.ca_certificate().unwrap().display().to_string();
    let url = format!("rediss+cluster://{}?caFile={}", node.addr(), ca(&node));
    let store = RedisStore::open(&url).unwrap();
    // The node takes a moment to use its slots.
    while let Err(error) = store.set("a", &session()).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert_eq!(store.get("a").await.unwrap(), Some(session()));
    assert_eq!(listing(&store).length().await.unwrap(), 1);

    let master = RedisServer::start_tls().unwrap();
    let ca = master.ca_certificate().unwrap();
    let ca = ca.to_str().unwrap();
    let port = free_port().to_string();
    let folder = ca.trim_end_matches("ca.crt");
    let (certificate, key) = (format!("{folder}server.crt"), format!("{folder}server.key"));
    let sentinel = SentinelServer::start_with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        ca,
        "--tls-auth-clients",
        "no",
        "--tls-replication",
        "yes",
    ])
    .unwrap();
    sentinel.watch(master.port()).unwrap();
    let url = format!("rediss+sentinel://127.0.0.1:{port}/mymaster?caFile={ca}");
    let store = RedisStore::open(&url).unwrap();
    store.set("a", &session()).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some(session()));
}
