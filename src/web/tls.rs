//! TLS 1.2 and 1.3 by rustls with ring: the certificate and key of the server, checked before it listens.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, NaiveDateTime, Utc};
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};

/// Why TLS cannot be offered. Names files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {cause}; check --tls-cert and --tls-key")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// There is no certificate in the file.
    #[error("{0} holds no certificate; it must be PEM, the server's own first, then its issuers'")]
    NoCertificate(PathBuf),
    /// There is no key in the file.
    #[error("{0} holds no private key; it must be PEM, and not be encrypted")]
    NoKey(PathBuf),
    /// They do not belong together.
    #[error(
        "the key in {key} does not belong to the first certificate in {cert}; one of them is of another pair"
    )]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// It is over.
    #[error("the certificate in {path} expired on {on}; renew it")]
    Expired {
        /// The certificate's file.
        path: PathBuf,
        /// When.
        on: DateTime<Utc>,
    },
    /// It has not begun.
    #[error("the certificate in {path} is valid only from {on} on; check this machine's clock")]
    NotYet {
        /// The certificate's file.
        path: PathBuf,
        /// When.
        on: DateTime<Utc>,
    },
    /// The library does not take it.
    #[error("{path} cannot be used for TLS: {cause}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: rustls::Error,
    },
}

/// What the server offers with this certificate chain and key, at this moment.
///
/// # Errors
/// When a file cannot be read or used, the two do not match, or the certificate is not valid now.
pub fn server_config(cert: &Path, key: &Path, now: DateTime<Utc>) -> Result<ServerConfig, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(cert)?)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate(cert.to_owned()))?;
    let own = chain
        .first()
        .ok_or_else(|| TlsError::NoCertificate(cert.to_owned()))?;
    if let Some((from, until)) = validity(own) {
        if now > until {
            return Err(TlsError::Expired {
                path: cert.to_owned(),
                on: until,
            });
        }
        if now < from {
            return Err(TlsError::NotYet {
                path: cert.to_owned(),
                on: from,
            });
        }
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|cause| TlsError::Unusable {
            path: cert.to_owned(),
            cause,
        })?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|cause| match cause {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
                cert: cert.to_owned(),
                key: key.to_owned(),
            },
            cause => TlsError::Unusable {
                path: cert.to_owned(),
                cause,
            },
        })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|cause| TlsError::Unreadable {
        path: path.to_owned(),
        cause,
    })
}

/// From when until when a certificate is valid (RFC 5280 §4.1.2.5); `None` when it cannot be told.
#[must_use]
pub fn validity(certificate: &[u8]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut signed, _) = element(certificate)?;
    if signed.first() == Some(&0xa0) {
        signed = element(signed)?.2;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        signed = element(signed)?.2;
    }
    let (_, times, _) = element(signed)?;
    let (tag, from, rest) = element(times)?;
    let from = time(tag, from)?;
    let (tag, until, _) = element(rest)?;
    Some((from, time(tag, until)?))
}

/// The first DER element: its tag, its content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (
                digits
                    .iter()
                    .fold(0, |length, digit| length << 8 | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn time(tag: u8, text: &[u8]) -> Option<DateTime<Utc>> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let text = std::str::from_utf8(text).ok()?;
    let full = match tag {
        // Two digits of the year: 50 to 99 are the twentieth century.
        UTC_TIME if text.as_bytes().first() >= Some(&b'5') => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some(
        NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ")
            .ok()?
            .and_utc(),
    )
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
            }
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        }

        fn pair(&self, name: &str, from: i32, until: i32) -> (PathBuf, PathBuf) {
            let mut params = CertificateParams::new(vec!["vault.example".to_owned()]).unwrap();
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
            let key = KeyPair::generate().unwrap();
            let cert = params.self_signed(&key).unwrap();
            (
                self.write(&format!("{name}.pem"), &cert.pem()),
                self.write(&format!("{name}.key"), &key.serialize_pem()),
            )
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn refused(cert: &Path, key: &Path) -> TlsError {
        server_config(cert, key, at("2026-06-01T00:00:00Z")).unwrap_err()
    }

    #[test]
    fn a_good_pair_serves_and_others_are_told_apart() {
        let files = Files::new();
        let (cert, key) = files.pair("a", 2020, 2030);
        let (_, other) = files.pair("b", 2020, 2030);
        assert!(server_config(&cert, &key, at("2026-06-01T00:00:00Z")).is_ok());
        assert!(matches!(refused(&cert, &other), TlsError::Mismatch { .. }));
        assert!(matches!(refused(&key, &key), TlsError::NoCertificate(_)));
        assert!(matches!(refused(&cert, &cert), TlsError::NoKey(_)));
        assert!(matches!(
            refused(&cert, Path::new("/nowhere/key")),
            TlsError::Unreadable { .. }
        ));
        let rubbish = files.write(
            "r",
            "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
        );
        assert!(matches!(refused(&rubbish, &key), TlsError::NoCertificate(_)));
        let empty = files.write(
            "e",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        );
        assert!(matches!(refused(&empty, &key), TlsError::Unusable { .. }));
    }

    #[test]
    fn a_certificate_out_of_its_time_is_told() {
        let files = Files::new();
        let (cert, key) = files.pair("old", 2020, 2026);
        assert!(
            refused(&cert, &key)
                .to_string()
                .contains("expired on 2026-01-01 00:00:00 UTC; renew it")
        );
        let (cert, key) = files.pair("new", 2027, 2060);
        assert!(matches!(refused(&cert, &key), TlsError::NotYet { .. }));
    }

    #[test]
    fn validity_is_read_from_any_bytes_without_panic() {
        let files = Files::new();
        let (cert, _) = files.pair("a", 1999, 2060);
        let der = CertificateDer::from_pem_file(cert).unwrap();
        assert_eq!(
            validity(&der),
            Some((at("1999-01-01T00:00:00Z"), at("2060-01-01T00:00:00Z")))
        );
        for cut in 0..der.len() {
            let _ = validity(&der[..cut]);
            let mut flipped = der.to_vec();
            flipped[cut] ^= 0xff;
            let _ = validity(&flipped);
        }
    }
}
