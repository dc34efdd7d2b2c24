//! Certificates for a server on 127.0.0.1.

use std::{fs, path::Path, process::Command};

use crate::{Error, find_program};

pub(crate) const CA_CERTIFICATE: &str = "ca.crt";
pub(crate) const CERTIFICATE: &str = "server.crt";
pub(crate) const KEY: &str = "server.key";

/// A server's certificate must not be its own authority: strict clients refuse that.
const CONFIG: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
";

/// Makes an authority and a certificate that it signed.
pub(crate) fn make_certificates(folder: &Path) -> Result<(), Error> {
    let openssl = find_program("openssl").ok_or_else(|| Error::missing("openssl"))?;
    let config = folder.join("openssl.cnf");
    fs::write(&config, CONFIG).map_err(|error| Error::io("write", &config, &error))?;
    let make = |arguments: &[&str]| {
        let output = Command::new(&openssl)
            .current_dir(folder)
            .args(["req", "-x509", "-config", "openssl.cnf", "-days", "30", "-nodes"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(arguments)
            .output()
            .map_err(|error| Error::io("run", &openssl, &error))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::new(format!("openssl: {}", String::from_utf8_lossy(&output.stderr))))
    };
    make(&[
        "-subj",
        "/CN=Test authority",
        "-extensions",
        "authority",
        "-keyout",
        "ca.key",
        "-out",
        CA_CERTIFICATE,
    ])?;
    make(
        &[
            "-subj",
            "/CN=127.0.0.1",
            "-extensions",
            "server",
            "-CA",
            CA_CERTIFICATE,
            "-CAkey",
            "ca.key",
        ]
        .into_iter()
        .chain(["-keyout", KEY, "-out", CERTIFICATE])
        .collect::<Vec<_>>(),
    )
}
