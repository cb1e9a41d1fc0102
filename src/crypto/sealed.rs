//! The sealed value: its bytes and what they are bound to.

use uuid::Uuid;

use crate::base::GuestId;

/// How a value was sealed; the second byte of every sealed value and wrapped key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// AES-256-GCM (NIST SP 800-38D), 96-bit random nonce, 128-bit tag.
    Aes256Gcm,
    /// ChaCha20-Poly1305 (RFC 8439): the number is reserved.
    ChaCha20Poly1305,
    /// SM4-GCM (RFC 8998): the number is reserved.
    Sm4Gcm,
}

impl Algorithm {
    /// The number in stored bytes. Never reused, never changed.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Aes256Gcm => 1,
            Self::ChaCha20Poly1305 => 2,
            Self::Sm4Gcm => 3,
        }
    }

    /// Its usual name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "AES-256-GCM",
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
            Self::Sm4Gcm => "SM4-GCM",
        }
    }

    /// Lets only the algorithm through that this build opens.
    pub(super) fn check(code: u8) -> Result<(), OpenError> {
        match code {
            1 => Ok(()),
            2 => Err(OpenError::ReservedAlgorithm(Self::ChaCha20Poly1305)),
            3 => Err(OpenError::ReservedAlgorithm(Self::Sm4Gcm)),
            other => Err(OpenError::UnknownAlgorithm(other)),
        }
    }
}

/// Why bytes did not open. Says nothing about the content.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// Fewer bytes than the smallest sealed value has.
    #[error("the sealed bytes are cut short")]
    TooShort,
    /// The first byte names no format of this version.
    #[error("sealed in format {0}, unknown to this version; open it with the version that wrote it")]
    UnknownFormat(u8),
    /// The second byte names an algorithm that is reserved but not built in.
    #[error("sealed with {}, which this build does not have", .0.as_str())]
    ReservedAlgorithm(Algorithm),
    /// The second byte names no algorithm.
    #[error("sealed with algorithm {0}, unknown to this version")]
    UnknownAlgorithm(u8),
    /// The tag does not match: changed, moved from another place, or sealed under another key.
    #[error("the sealed bytes do not open here: damaged, moved, or under another key")]
    Refused,
}

/// Why a value was not sealed.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum SealError {
    /// Longer than [`Sealed::LONGEST`].
    #[error("a value of more than 16 MiB cannot be sealed")]
    TooLong,
}

/// The format's number, the first byte.
pub(super) const FORMAT: u8 = 1;
pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;

/// Format, algorithm, key category, key version (two bytes, big-endian).
pub(super) type Header = [u8; 5];

/// A sealed value: `format | algorithm | key category | key version (2) | nonce (12) | ciphertext | tag (16)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The longest plain value, in bytes; requests are limited far below.
    pub const LONGEST: usize = 1 << 24;
    /// What sealing adds, in bytes.
    pub const OVERHEAD: usize = size_of::<Header>() + NONCE + TAG;

    /// Takes stored bytes whose outer form is right; whether they open is for the key to say.
    ///
    /// # Errors
    /// When they are too short, or of a format or algorithm that this version does not open.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, OpenError> {
        Parts::of(&bytes)?;
        Ok(Self(bytes))
    }

    pub(super) const fn of_sealed(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The stored form.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The category of the key that stored bytes claim to be sealed under.
    ///
    /// # Errors
    /// As [`Sealed::parse`].
    pub fn key_of(bytes: &[u8]) -> Result<(u8, u16), OpenError> {
        let [_, _, category, high, low] = Parts::of(bytes)?.header;
        Ok((category, u16::from_be_bytes([high, low])))
    }
}

/// Stored bytes, taken apart.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    pub(super) nonce: &'a [u8; NONCE],
    /// Ciphertext and tag.
    pub(super) body: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (header, rest) = bytes
            .split_first_chunk::<{ size_of::<Header>() }>()
            .ok_or(OpenError::TooShort)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(OpenError::TooShort)?;
        if body.len() < TAG {
            return Err(OpenError::TooShort);
        }
        match *header {
            [FORMAT, algorithm, ..] => Algorithm::check(algorithm)?,
            [other, ..] => return Err(OpenError::UnknownFormat(other)),
        }
        Ok(Self {
            header: *header,
            nonce,
            body,
        })
    }
}

/// The place a value is bound to. The same bytes open nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aad<'a> {
    /// Whose value.
    pub guest: GuestId,
    /// In which record; [`Uuid::nil`] for what belongs to the guest as a whole.
    pub record: Uuid,
    /// The catalogue path, or a name of the vault's own such as `stay.dates`.
    pub path: &'a str,
    /// The value's version.
    pub version: u64,
}

impl Aad<'_> {
    /// The authenticated bytes: the header and every part, each after its length.
    pub(super) fn bytes(&self, header: Header) -> Vec<u8> {
        super::joined(&[
            &header,
            self.guest.0.as_bytes(),
            self.record.as_bytes(),
            self.path.as_bytes(),
            &self.version.to_be_bytes(),
        ])
    }
}
