//! Files for somebody else's key: the age format, version 1 (C2SP `age`), with X25519 recipients or a passphrase, so
//! that anybody's `age` opens what leaves the vault.

use std::{
    fmt::Write as _,
    io::{self, BufRead, Read, Write},
    str::FromStr,
};

use data_encoding::BASE64_NOPAD;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac,
};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::{bech32, random};

const INTRO: &str = "age-encryption.org/v1";
const X25519: &str = "age-encryption.org/v1/X25519";
const SCRYPT: &str = "age-encryption.org/v1/scrypt";
/// Bytes of a piece of the file.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
/// Letters of a line of a stanza's body.
const COLUMNS: usize = 64;
/// The work of a passphrase: 2 to this power; about a second.
const WORK: u8 = 18;
/// The most work that a file may ask for.
const MOST_WORK: u8 = 22;
/// The longest header that is read.
const LONGEST_HEADER: usize = 64 * 1024;

/// Whose key a file is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

/// What opens a file.
pub struct Identity(StaticSecret);

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum AgeError {
    /// A key is none.
    #[error("is no age key: recipients begin with age1, identities with AGE-SECRET-KEY-1")]
    Key,
    /// Nobody to encrypt to.
    #[error("name at least one recipient")]
    Nobody,
    /// The file is none, or damaged, or cut.
    #[error("is no whole age file")]
    Damaged,
    /// None of the identities opens it.
    #[error("none of the identities, nor the passphrase, opens it")]
    Closed,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FromStr for Recipient {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Self, AgeError> {
        let bytes = bech32::decode("age", text.trim()).ok_or(AgeError::Key)?;
        Ok(Self(bytes.try_into().map_err(|_| AgeError::Key)?))
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&bech32::encode("age", &self.0))
    }
}

impl FromStr for Identity {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Self, AgeError> {
        let bytes = Zeroizing::new(bech32::decode("age-secret-key-", text.trim()).ok_or(AgeError::Key)?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| AgeError::Key)?;
        Ok(Self(StaticSecret::from(bytes)))
    }
}

impl Identity {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(StaticSecret::from(random::<32>()))
    }

    /// The identities of a file: one a line, `#` begins a comment.
    ///
    /// # Errors
    /// [`AgeError::Key`] when a line is none, or there is none.
    pub fn all(text: &str) -> Result<Vec<Self>, AgeError> {
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let all: Vec<Self> = lines.map(str::parse).collect::<Result<_, _>>()?;
        if all.is_empty() {
            Err(AgeError::Key)
        } else {
            Ok(all)
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0).to_bytes())
    }
}

type FileKey = Zeroizing<[u8; 16]>;

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(secret: &[u8], salt: &[u8], info: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let info = [info.as_bytes()];
    let filled = Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(&info, Bytes(32))
        .and_then(|okm| okm.fill(key.as_mut_slice()));
    if filled.is_err() {
        // Only another length fails here; a key of zeros must never leave this function.
        tracing::error!("HKDF gave no key; stopping");
        std::process::abort();
    }
    key
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, AgeError> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| AgeError::Damaged)?;
    Ok(LessSafeKey::new(key))
}

/// Wraps the file's key; the key that wraps is used once, so its nonce is zero.
fn wrap(key: &[u8; 32], file: &FileKey) -> Result<Vec<u8>, AgeError> {
    let mut bytes = file.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    cipher(key)?
        .seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes)
        .map_err(|_| AgeError::Damaged)?;
    Ok(bytes)
}

fn unwrap(key: &[u8; 32], wrapped: &[u8]) -> Option<FileKey> {
    let mut bytes = Zeroizing::new(wrapped.to_vec());
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let plain = cipher(key)
        .ok()?
        .open_in_place(nonce, Aad::empty(), &mut bytes)
        .ok()?;
    let plain: &[u8] = plain;
    Some(Zeroizing::new(plain.try_into().ok()?))
}

fn stanza(header: &mut String, arguments: &str, body: &[u8]) {
    // Writing to a string cannot fail.
    let _ = writeln!(header, "-> {arguments}");
    let mut rest = BASE64_NOPAD.encode(body);
    while rest.len() >= COLUMNS {
        let more = rest.split_off(COLUMNS);
        let _ = writeln!(header, "{rest}");
        rest = more;
    }
    // The last line is shorter than a full one, if need be empty.
    let _ = writeln!(header, "{rest}");
}

fn header_mac(file: &FileKey, header: &str) -> Vec<u8> {
    let key = derive(file.as_slice(), &[], "header");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_slice());
    hmac::sign(&key, header.as_bytes()).as_ref().to_vec()
}

/// Encrypts to recipients: each opens it alone.
///
/// # Errors
/// [`AgeError::Nobody`], [`AgeError::Io`].
pub fn encrypt(
    recipients: &[Recipient],
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<(), AgeError> {
    if recipients.is_empty() {
        return Err(AgeError::Nobody);
    }
    let file: FileKey = Zeroizing::new(random());
    let mut header = format!("{INTRO}\n");
    for Recipient(theirs) in recipients {
        let ours = StaticSecret::from(random::<32>());
        let share = PublicKey::from(&ours).to_bytes();
        let shared = ours.diffie_hellman(&PublicKey::from(*theirs));
        let salt = [share.as_slice(), theirs].concat();
        let key = derive(shared.as_bytes(), &salt, X25519);
        let arguments = format!("X25519 {}", BASE64_NOPAD.encode(&share));
        stanza(&mut header, &arguments, &wrap(&key, &file)?);
    }
    finish(&file, header, input, output)
}

/// Encrypts under a passphrase.
///
/// # Errors
/// [`AgeError::Io`].
pub fn encrypt_for(passphrase: &str, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), AgeError> {
    let file: FileKey = Zeroizing::new(random());
    let salt = random::<16>();
    let key = stretched(passphrase, &salt, WORK)?;
    let mut header = format!("{INTRO}\n");
    let arguments = format!("scrypt {} {WORK}", BASE64_NOPAD.encode(&salt));
    stanza(&mut header, &arguments, &wrap(&key, &file)?);
    finish(&file, header, input, output)
}

fn stretched(passphrase: &str, salt: &[u8], work: u8) -> Result<Zeroizing<[u8; 32]>, AgeError> {
    let salt = [SCRYPT.as_bytes(), salt].concat();
    let mut key = Zeroizing::new([0; 32]);
    let parameters = scrypt::Params::new(work, 8, 1).map_err(|_| AgeError::Damaged)?;
    scrypt::scrypt(passphrase.as_bytes(), &salt, &parameters, key.as_mut_slice())
        .map_err(|_| AgeError::Damaged)?;
    Ok(key)
}

fn finish(
    file: &FileKey,
    mut header: String,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<(), AgeError> {
    header.push_str("---");
    let mac = BASE64_NOPAD.encode(&header_mac(file, &header));
    let nonce = random::<16>();
    output.write_all(format!("{header} {mac}\n").as_bytes())?;
    output.write_all(&nonce)?;
    let key = cipher(&derive(file.as_slice(), &nonce, "payload"))?;
    let mut piece = Vec::with_capacity(PIECE + TAG);
    let mut next = Vec::with_capacity(PIECE + TAG);
    read_piece(input, &mut piece, PIECE)?;
    let mut number = 0_u64;
    loop {
        read_piece(input, &mut next, PIECE)?;
        let last = next.is_empty();
        key.seal_in_place_append_tag(counter(number, last), Aad::empty(), &mut piece)
            .map_err(|_| AgeError::Damaged)?;
        output.write_all(&piece)?;
        if last {
            return Ok(output.flush()?);
        }
        std::mem::swap(&mut piece, &mut next);
        number += 1;
    }
}

/// The nonce of a piece: its number, and whether it is the last, so that none can be left out, moved or cut off.
fn counter(number: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(3).zip(number.to_be_bytes()) {
        *to = from;
    }
    if let Some(end) = nonce.last_mut() {
        *end = u8::from(last);
    }
    Nonce::assume_unique_for_key(nonce)
}

fn read_piece(input: &mut dyn Read, piece: &mut Vec<u8>, most: usize) -> io::Result<()> {
    piece.clear();
    input
        .take(u64::try_from(most).unwrap_or(u64::MAX))
        .read_to_end(piece)?;
    Ok(())
}

/// What opens a file.
pub enum Opener<'k> {
    /// Any of these.
    Identities(&'k [Identity]),
    /// A passphrase.
    Passphrase(&'k str),
}

/// Decrypts. What was written before an error is not to be trusted as whole.
///
/// # Errors
/// [`AgeError::Closed`] when nothing given opens it; [`AgeError::Damaged`].
pub fn decrypt(opener: &Opener<'_>, input: &mut dyn BufRead, output: &mut dyn Write) -> Result<(), AgeError> {
    let (header, mac) = read_header(input)?;
    let file = stanzas(&header)?
        .iter()
        .find_map(|(arguments, body)| opened(opener, arguments, body))
        .ok_or(AgeError::Closed)?;
    if !super::same(&header_mac(&file, &header), &mac) {
        return Err(AgeError::Damaged);
    }
    let mut nonce = [0; 16];
    input.read_exact(&mut nonce).map_err(|_| AgeError::Damaged)?;
    let key = cipher(&derive(file.as_slice(), &nonce, "payload"))?;
    let (mut piece, mut next) = (Vec::new(), Vec::new());
    read_piece(input, &mut piece, PIECE + TAG)?;
    let mut number = 0_u64;
    loop {
        read_piece(input, &mut next, PIECE + TAG)?;
        let last = next.is_empty();
        let plain = key
            .open_in_place(counter(number, last), Aad::empty(), &mut piece)
            .map_err(|_| AgeError::Damaged)?;
        if plain.is_empty() && number > 0 {
            return Err(AgeError::Damaged);
        }
        output.write_all(plain)?;
        if last {
            return Ok(output.flush()?);
        }
        std::mem::swap(&mut piece, &mut next);
        number += 1;
    }
}

/// The header up to its mark, and its code.
fn read_header(input: &mut dyn BufRead) -> Result<(String, Vec<u8>), AgeError> {
    let mut header = String::new();
    loop {
        let mut line = Vec::new();
        input.take(1024).read_until(b'\n', &mut line)?;
        let line = String::from_utf8(line).map_err(|_| AgeError::Damaged)?;
        let Some(line) = line.strip_suffix('\n') else {
            return Err(AgeError::Damaged);
        };
        if header.is_empty() && line != INTRO || header.len() > LONGEST_HEADER {
            return Err(AgeError::Damaged);
        }
        if let Some(mac) = line.strip_prefix("--- ") {
            header.push_str("---");
            let mac = BASE64_NOPAD
                .decode(mac.as_bytes())
                .map_err(|_| AgeError::Damaged)?;
            return Ok((header, mac));
        }
        header.push_str(line);
        header.push('\n');
    }
}

/// The stanzas of a header: arguments and body.
fn stanzas(header: &str) -> Result<Vec<(String, Vec<u8>)>, AgeError> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in header.lines().skip(1).filter(|line| *line != "---") {
        if let Some(arguments) = line.strip_prefix("-> ") {
            found.push((arguments.to_owned(), String::new()));
        } else if let Some((_, body)) = found.last_mut() {
            body.push_str(line);
        } else {
            return Err(AgeError::Damaged);
        }
    }
    let decoded = found.into_iter().map(|(arguments, body)| {
        let body = BASE64_NOPAD
            .decode(body.as_bytes())
            .map_err(|_| AgeError::Damaged)?;
        Ok((arguments, body))
    });
    decoded.collect()
}

fn opened(opener: &Opener<'_>, arguments: &str, body: &[u8]) -> Option<FileKey> {
    let words: Vec<&str> = arguments.split(' ').collect();
    match (opener, words.as_slice()) {
        (Opener::Identities(identities), ["X25519", share]) => {
            let share: [u8; 32] = BASE64_NOPAD.decode(share.as_bytes()).ok()?.try_into().ok()?;
            identities.iter().find_map(|Identity(secret)| {
                let shared = secret.diffie_hellman(&PublicKey::from(share));
                if !shared.was_contributory() {
                    return None;
                }
                let salt = [share.as_slice(), PublicKey::from(secret).as_bytes()].concat();
                unwrap(&derive(shared.as_bytes(), &salt, X25519), body)
            })
        }
        (Opener::Passphrase(passphrase), ["scrypt", salt, work]) => {
            let salt = BASE64_NOPAD.decode(salt.as_bytes()).ok()?;
            let work: u8 = work.parse().ok().filter(|work| *work <= MOST_WORK)?;
            unwrap(&*stretched(passphrase, &salt, work).ok()?, body)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(bytes: &[u8]) {
        let (one, other) = (Identity::random(), Identity::random());
        let mut sealed = Vec::new();
        encrypt(&[other.recipient(), one.recipient()], &mut &*bytes, &mut sealed).unwrap();
        let mut plain = Vec::new();
        decrypt(&Opener::Identities(&[one]), &mut sealed.as_slice(), &mut plain).unwrap();
        assert_eq!(plain, bytes);
        let strange = [Identity::random()];
        let closed = decrypt(
            &Opener::Identities(&strange),
            &mut sealed.as_slice(),
            &mut Vec::new(),
        );
        assert!(matches!(closed, Err(AgeError::Closed)));
        let cut = &sealed[..sealed.len() - 1];
        assert!(decrypt(&Opener::Identities(&[other]), &mut &*cut, &mut Vec::new()).is_err());
    }

    #[test]
    fn every_length_comes_back_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            there_and_back(&vec![0x61; length]);
        }
    }

    #[test]
    fn keys_are_written_as_age_writes_them() {
        let identity = Identity::random();
        let text = identity.recipient().to_string();
        assert!(text.starts_with("age1") && text.len() == 62);
        assert_eq!(text.parse::<Recipient>().unwrap(), identity.recipient());
    }

    /// A file that another implementation (pyrage 1.2, over the `age` crate) made, with its identity and passphrase.
    #[test]
    fn other_peoples_files_open() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/age.json")).unwrap();
        let bytes = |name: &str| {
            data_encoding::BASE64
                .decode(vectors[name].as_str().unwrap().as_bytes())
                .unwrap()
        };
        let identity: Identity = vectors["identity"].as_str().unwrap().parse().unwrap();
        assert_eq!(
            identity.recipient().to_string(),
            vectors["recipient"].as_str().unwrap()
        );
        let mut plain = Vec::new();
        let sealed = bytes("to_recipient");
        decrypt(
            &Opener::Identities(&[identity]),
            &mut sealed.as_slice(),
            &mut plain,
        )
        .unwrap();
        assert_eq!(plain, vectors["plain"].as_str().unwrap().as_bytes());
        let mut plain = Vec::new();
        let (sealed, phrase) = (bytes("under_passphrase"), vectors["passphrase"].as_str().unwrap());
        decrypt(&Opener::Passphrase(phrase), &mut sealed.as_slice(), &mut plain).unwrap();
        assert_eq!(plain, vectors["plain"].as_str().unwrap().as_bytes());
    }
}
