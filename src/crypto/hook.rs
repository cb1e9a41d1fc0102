//! Signatures of webhooks, as Standard Webhooks 1.0 says: HMAC-SHA-256 over id, time and body.

use data_encoding::BASE64;
use ring::hmac::{Context, HMAC_SHA256, Key};
use zeroize::Zeroizing;

/// What a secret begins with where it is written down.
const PREFIX: &str = "whsec_";

/// The secret of one receiver.
///
/// It cannot be printed:
///
/// ```compile_fail
/// fn shown(key: guest_vault::crypto::HookKey) -> String { format!("{key:?}") }
/// ```
pub struct HookKey(Zeroizing<Vec<u8>>);

/// A text that is no secret of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and the base64 of 24 to 64 random bytes, such as `openssl rand -base64 32` gives")]
pub struct InvalidHookKey;

impl HookKey {
    /// Reads a secret.
    ///
    /// # Errors
    /// When it is not of the form that Standard Webhooks gives.
    pub fn parse(text: &str) -> Result<Self, InvalidHookKey> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(InvalidHookKey)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| InvalidHookKey)?;
        let key = Self(Zeroizing::new(bytes));
        if (24..=64).contains(&key.0.len()) {
            Ok(key)
        } else {
            Err(InvalidHookKey)
        }
    }

    /// The signature of a message: `v1,` and base64.
    #[must_use]
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut context = Context::with_key(&Key::new(HMAC_SHA256, &self.0));
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the libraries of Standard Webhooks.
    #[test]
    fn the_known_answer() {
        let key = HookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        ] {
            assert_eq!(HookKey::parse(text).err(), Some(InvalidHookKey), "{text}");
        }
    }
}
