//! TLS with rustls and ring.

use std::{fmt, fs, io, net::IpAddr, path::Path, sync::Arc};

use cloakroom_core::{Error, ErrorKind};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        client::WebPkiServerVerifier,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

use crate::{
    RedisOptions,
    error::{ConnectFailure, STORE},
    socket::{Socket, Stream},
    verifier::{Trusted, Verifier},
};

/// What every handshake needs. The files are read once, when the store is opened, so that a mistake shows at the start.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    /// The name to expect instead of the URL's host.
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// Creates the configuration from the files that the options name.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, Error> {
        // The provider is explicit: if the program contains a second one, rustls has no default and panics.
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| config("cannot set up TLS").with_source(error))?;
        let builder = match &options.ca_file {
            None if !options.insecure_skip_verify => {
                let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
                builder.with_root_certificates(RootCertStore::from_iter(roots))
            }
            ca_file => {
                let path = ca_file.as_ref().filter(|_| !options.insecure_skip_verify);
                let trusted = path.map(|path| trusted(path, &provider)).transpose()?;
                let algorithms = provider.signature_verification_algorithms;
                let verifier = Arc::new(Verifier { trusted, algorithms });
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let client = match (&options.cert_file, &options.key_file) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates("certFile", certificate)?, private_key(key)?)
                .map_err(|error| {
                    let message =
                        "cannot use the certificate of \"certFile\" with the key of \"keyFile\"";
                    config(message).with_source(error)
                })?,
            (None, None) => builder.with_no_client_auth(),
            (Some(_), None) => return Err(config("the option \"certFile\" requires \"keyFile\"")),
            (None, Some(_)) => return Err(config("the option \"keyFile\" requires \"certFile\"")),
        };
        let server_name = options.server_name.as_deref().map(server_name).transpose();
        let server_name = server_name.map_err(|error| {
            let message = "invalid option \"serverName\": must be a host name or an IP address";
            config(message).with_source(error)
        })?;
        Ok(Self { connector: TlsConnector::from(Arc::new(client)), server_name })
    }

    /// Performs the TLS handshake and checks that the certificate is for `host`, or for the name of the option.
    pub(crate) async fn secure(
        &self,
        host: &str,
        stream: Socket<TcpStream>,
    ) -> Result<Box<dyn Stream>, ConnectFailure> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host).map_err(tls_failure)?,
        };
        match self.connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            // rustls reports every error of the protocol as invalid data; other errors come from the socket.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(tls_failure(error)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the name that the certificate must have: a host name or an IP address.
fn server_name(text: &str) -> io::Result<ServerName<'static>> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(ServerName::from(address)),
        Err(_) => ServerName::try_from(text.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
    }
}

fn trusted(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Trusted, Error> {
    let certificates = certificates("caFile", path)?;
    let failed = || config(format!("cannot use the certificates of \"caFile\": {path:?}"));
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| failed().with_source(error))?;
    }
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let authorities = builder.build().map_err(|error| failed().with_source(error))?;
    Ok(Trusted { certificates, authorities })
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    // Text that looks like the content of a PEM file is not quoted, because it may contain a key.
    let quoted = match path.to_str() {
        Some(path) if path.len() <= 255 && !path.contains("---") => format!(": {path:?}"),
        _ => String::new(),
    };
    let failed = |why: &str| config(format!("cannot {why} the certificates of {option:?}{quoted}"));
    let pem = fs::read(path).map_err(|error| failed("read").with_source(error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = read.map_err(|_| failed("decode"))?;
    if certificates.is_empty() { Err(failed("find")) } else { Ok(certificates) }
}

/// Reads a private key. Its errors quote nothing, because the key itself may have been given instead of its path.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let pem = fs::read(path)
        .map_err(|error| config("cannot read the file of \"keyFile\"").with_source(error))?;
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| config("cannot find an unencrypted private key in \"keyFile\""))
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, STORE, "open", message.into())
}

fn tls_failure(error: io::Error) -> ConnectFailure {
    ConnectFailure::Tls(Arc::new(error))
}

/// Leaves out the client's key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    const NO_PEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

    fn failure(set: impl FnOnce(&mut RedisOptions)) -> Error {
        let mut options = RedisOptions::default();
        set(&mut options);
        let error = Tls::new(&options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        error
    }

    #[test]
    fn a_file_that_cannot_be_used_is_a_config_error() {
        let error = failure(|options| options.ca_file = Some("/no/such/file".into()));
        assert!(error.to_string().contains(r#""caFile": "/no/such/file""#), "{error}");
        assert!(error.source().is_some());
        let error = failure(|options| options.ca_file = Some(NO_PEM.into()));
        assert!(error.to_string().contains("cannot find the certificates"), "{error}");
        let error = failure(|options| {
            options.cert_file = Some(NO_PEM.into());
            options.key_file = Some(NO_PEM.into());
        });
        assert!(error.to_string().contains(r#"the certificates of "certFile""#), "{error}");
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        let error = failure(|options| options.cert_file = Some(NO_PEM.into()));
        assert!(error.to_string().ends_with(r#""certFile" requires "keyFile""#), "{error}");
        let error = failure(|options| options.key_file = Some(NO_PEM.into()));
        assert!(error.to_string().ends_with(r#""keyFile" requires "certFile""#), "{error}");
    }

    #[test]
    fn a_key_in_the_place_of_its_path_is_not_quoted() {
        let error = failure(|options| options.ca_file = Some("-----BEGIN KEY-----hush".into()));
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        assert!(private_key(Path::new("hush")).is_err_and(|error| {
            error.source().is_some() && !format!("{error} {error:?}").contains("hush")
        }));
    }

    #[test]
    fn a_server_name_is_checked() {
        for (name, is_name) in [("redis.internal", true), ("10.0.0.1", true), ("a b", false)] {
            let options =
                RedisOptions { server_name: Some(name.to_owned()), ..RedisOptions::default() };
            assert_eq!(Tls::new(&options).is_ok(), is_name, "{name}");
        }
    }
}
