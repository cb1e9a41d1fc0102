//! Checks signatures of tokens with ring, for `jsonwebtoken`. It can only verify, and knows no symmetric algorithm:
//! a token "signed" with a public key as an HMAC secret finds no code that would accept it.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind, new_error},
    signature,
};
use ring::signature::{
    self as rings, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// Installs it for this process, once.
pub(super) fn install() {
    // An error only says that it was installed before; nothing else in this program installs one.
    let _ = VERIFIER_ONLY.install_default();
}

static VERIFIER_ONLY: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: |algorithm, key| Ok(Box::new(Check::new(*algorithm, key)?)),
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

fn unsupported() -> Error {
    new_error(ErrorKind::UnsupportedAlgorithm)
}

/// One public key with the one algorithm it is used with.
struct Check {
    algorithm: Algorithm,
    method: Method,
    key: DecodingKey,
}

#[derive(Clone, Copy)]
enum Method {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
}

impl Check {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        let (family, method) = match algorithm {
            Algorithm::RS256 => (
                AlgorithmFamily::Rsa,
                Method::Rsa(&rings::RSA_PKCS1_2048_8192_SHA256),
            ),
            Algorithm::PS256 => (
                AlgorithmFamily::Rsa,
                Method::Rsa(&rings::RSA_PSS_2048_8192_SHA256),
            ),
            Algorithm::ES256 => (
                AlgorithmFamily::Ec,
                Method::Curve(&rings::ECDSA_P256_SHA256_FIXED),
            ),
            Algorithm::ES384 => (
                AlgorithmFamily::Ec,
                Method::Curve(&rings::ECDSA_P384_SHA384_FIXED),
            ),
            Algorithm::EdDSA => (AlgorithmFamily::Ed, Method::Curve(&rings::ED25519)),
            _ => return Err(unsupported()),
        };
        if key.family() != family {
            return Err(new_error(ErrorKind::InvalidKeyFormat));
        }
        Ok(Self {
            algorithm,
            method,
            key: key.clone(),
        })
    }
}

impl signature::Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let verdict = match (self.method, self.key.kind()) {
            (Method::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signed)
            }
            (Method::Curve(method), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(method, point).verify(message, signed)
            }
            _ => Err(ring::error::Unspecified),
        };
        verdict.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
