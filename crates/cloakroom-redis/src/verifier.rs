//! Decides whether to trust the server's certificate.

use std::sync::Arc;

use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::certificate::Certificate;

/// The store's own verifier of certificates, for the options `caFile` and `insecureSkipVerify`.
#[derive(Debug)]
pub(crate) struct Verifier {
    /// `None` trusts every server. The signatures of the handshake are still checked.
    pub(crate) trusted: Option<Trusted>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

/// The certificates of a file: those of authorities, and self-signed ones of servers.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The verifier of rustls with the same certificates.
    pub(crate) authorities: Arc<WebPkiServerVerifier>,
}

impl Trusted {
    /// Trusts what OpenSSL trusts, and therefore Node.js and `redis-cli`.
    ///
    /// rustls rejects three kinds of certificates that OpenSSL accepts: a self-signed one as `openssl req -x509`
    /// creates it, which counts as an authority's because it may sign others; one of X.509 version 1; and one that has
    /// its name only in its subject.
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.certificates.iter().any(|certificate| certificate == end_entity) {
            let certificate =
                Certificate::parse(end_entity).ok_or(CertificateError::BadEncoding)?;
            certificate.check_time(now)?;
            return check_name(&certificate, end_entity, server_name);
        }
        let checked = self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match checked {
            // rustls checks the name last, so everything else is valid.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if Certificate::parse(end_entity).is_some_and(|it| it.is_subject(server_name)) => {
                Ok(())
            }
            checked => checked.map(drop),
        }
    }
}

/// Checks the name of a certificate that is itself in the trusted file.
fn check_name(
    certificate: &Certificate<'_>,
    end_entity: &CertificateDer<'_>,
    name: &ServerName<'_>,
) -> Result<(), Error> {
    if certificate.is_subject(name) {
        Ok(())
    } else if certificate.is_version_1 {
        // rustls cannot read the certificate, and it has no other names.
        Err(CertificateError::NotValidForName.into())
    } else {
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trusted) = &self.trusted {
            trusted.check(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check_tls12(self.algorithms, message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check_tls13(self.algorithms, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Verifies a signature as rustls does, which cannot read certificates of version 1.
fn check_tls12(
    algorithms: WebPkiSupportedAlgorithms,
    message: &[u8],
    der: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(certificate) = Certificate::parse(der).filter(|it| it.is_version_1) else {
        return verify_tls12_signature(message, der, signature, &algorithms);
    };
    let scheme = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signature.scheme);
    let (_, candidates) = scheme.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let key = certificate.key;
    let is_valid = candidates
        .iter()
        .filter(|candidate| candidate.public_key_alg_id().as_ref() == key.algorithm)
        .any(|it| it.verify_signature(key.bits, message, signature.signature()).is_ok());
    if is_valid {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

fn check_tls13(
    algorithms: WebPkiSupportedAlgorithms,
    message: &[u8],
    der: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    match Certificate::parse(der).filter(|it| it.is_version_1) {
        Some(certificate) => verify_tls13_signature_with_raw_key(
            message,
            &certificate.key.info,
            signature,
            &algorithms,
        ),
        None => verify_tls13_signature(message, der, signature, &algorithms),
    }
}
