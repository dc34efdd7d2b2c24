//! TLS, by rustls and ring.

use std::{fs, io, net::IpAddr, path::Path, sync::Arc};

use cloakroom_core::{Error, ErrorKind};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::{
    error::{ConnectFailure, STORE},
    socket::Socket,
    stream::{Stream, io_failure},
};

/// Trusts the certificates in the file, or the public authorities that browsers trust.
pub(crate) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Error> {
    let roots = match ca_file {
        Some(path) => read(path)?,
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
    };
    // The provider is named: a program where another crate brings a second one would panic otherwise.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| config("cannot set up TLS".to_owned()).with_source(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read(path: &Path) -> Result<RootCertStore, Error> {
    let failed =
        |why: &str| config(format!("{why} the certificates of the option \"caFile\": {path:?}"));
    let pem = fs::read(path).map_err(|error| failed("cannot read").with_source(error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|_| failed("cannot decode")).and_then(|certificate| {
            roots.add(certificate).map_err(|error| failed("cannot use").with_source(error))
        })?;
    }
    if roots.is_empty() { Err(failed("cannot find")) } else { Ok(roots) }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, STORE, "open", message)
}

/// Agrees on TLS with the server and checks that it is `host`.
pub(crate) async fn secure(
    connector: &TlsConnector,
    host: &str,
    stream: Socket<TcpStream>,
) -> Result<Box<dyn Stream>, ConnectFailure> {
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(host.to_owned())
            .map_err(|error| tls_failure(io::Error::new(io::ErrorKind::InvalidInput, error)))?,
    };
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        // rustls reports every disagreement as invalid data; the rest comes from the socket.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(tls_failure(error)),
        Err(error) => Err(io_failure(error)),
    }
}

fn tls_failure(error: io::Error) -> ConnectFailure {
    ConnectFailure::Tls(Arc::new(error))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn failure(path: &str) -> Error {
        connector(Some(Path::new(path))).err().unwrap()
    }

    #[test]
    fn a_ca_file_that_is_none_is_a_config_error() {
        let error = failure("/no/such/file");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(r#""caFile": "/no/such/file""#), "{error}");
        assert!(error.source().is_some());
        let error = failure(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        assert!(error.to_string().contains("cannot find the certificates"), "{error}");
    }
}
