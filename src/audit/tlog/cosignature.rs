//! Cosignatures of witnesses (C2SP `tlog-cosignature`, Ed25519): somebody else saw this checkpoint grow from all
//! those before.

use data_encoding::{BASE64, HEXLOWER};

use crate::crypto::{sha256, verify_signature};

use super::note::{NoteError, is_name, parts};

/// The signature type of `cosignature/v1`.
const COSIGNATURE: u8 = 4;
/// Eight bytes of time, 64 of the signature.
const LENGTH: usize = 72;

/// Verifies the cosignatures of one witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl Cosigner {
    /// Of a verifier key `NAME+ID+KEY` of the type `cosignature/v1`.
    ///
    /// # Errors
    /// [`NoteError::Key`].
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let mut fields = vkey.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(NoteError::Key);
        };
        let key = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::Key)?;
        let Some((&COSIGNATURE, public)) = key.split_first() else {
            return Err(NoteError::Key);
        };
        let public: [u8; 32] = public.try_into().map_err(|_| NoteError::Key)?;
        let hash = sha256(&[name.as_bytes(), b"\n", &[COSIGNATURE], &public].concat());
        let [a, b, c, d, ..] = hash;
        if !is_name(name) || HEXLOWER.encode(&[a, b, c, d]) != id {
            return Err(NoteError::Key);
        }
        Ok(Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            public,
        })
    }

    /// Whether it is the same key, whatever each is called: one who signs twice is still one.
    #[must_use]
    pub fn is_key_of(&self, other: &Self) -> bool {
        self.public == other.public
    }

    /// The witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the witness cosigned, in seconds since 1970; `None` when the line is not its cosignature of this text.
    #[must_use]
    pub fn cosigned(&self, text: &str, line: &str) -> Option<u64> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = BASE64.decode(signature.as_bytes()).ok()?;
        let (id, signed) = bytes.split_first_chunk::<4>()?;
        if name != self.name || *id != self.id || signed.len() != LENGTH {
            return None;
        }
        let (time, signature) = signed.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let message = format!("cosignature/v1\ntime {time}\n{text}");
        let right =
            i64::try_from(time).is_ok() && verify_signature(&self.public, message.as_bytes(), signature);
        right.then_some(time)
    }

    /// When the witness cosigned this note, if it did.
    #[must_use]
    pub fn cosigned_note(&self, note: &[u8]) -> Option<u64> {
        let (text, lines) = parts(note).ok()?;
        lines.into_iter().find_map(|line| self.cosigned(text, line))
    }
}

/// The note with these lines added, those that it has already left out.
#[must_use]
pub fn with_lines(note: &str, lines: &[String]) -> String {
    let mut all = note.to_owned();
    for line in lines {
        if !all.lines().any(|there| there == line) {
            all.push_str(line);
            all.push('\n');
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyMaterial, SigningKey};

    fn key() -> SigningKey {
        SigningKey::new(KeyMaterial::from_slice(&[3; 32]).unwrap())
    }

    fn vkey(name: &str, kind: u8) -> String {
        let public = key().public();
        let hash = sha256(&[name.as_bytes(), b"\n", &[kind], &public].concat());
        let key = BASE64.encode(&[&[kind], public.as_slice()].concat());
        format!("{name}+{}+{key}", HEXLOWER.encode(&hash[..4]))
    }

    fn line(name: &str, time: u64, text: &str) -> String {
        let id = HEXLOWER
            .decode(vkey(name, COSIGNATURE).split('+').nth(1).unwrap().as_bytes())
            .unwrap();
        let signature = key().sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
        let bytes = [id.as_slice(), &time.to_be_bytes(), &signature].concat();
        format!("— {name} {}", BASE64.encode(&bytes))
    }

    #[test]
    fn a_cosignature_is_the_witnesss_over_this_text_and_time() {
        let cosigner = Cosigner::parse(&vkey("witness.example/w1", COSIGNATURE)).unwrap();
        let text = "log.example\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
        let right = line("witness.example/w1", 1_679_315_147, text);
        assert_eq!(cosigner.cosigned(text, &right), Some(1_679_315_147));
        assert_eq!(cosigner.cosigned(&text.replace('7', "8"), &right), None);
        assert_eq!(
            cosigner.cosigned(text, &line("witness.example/w2", 1, text)),
            None
        );
        let note = with_lines(
            &format!("{text}\n— log.example AAAAAAAA\n"),
            &[right.clone(), right],
        );
        assert_eq!(note.matches("witness.example/w1").count(), 1);
        assert_eq!(cosigner.cosigned_note(note.as_bytes()), Some(1_679_315_147));
        let at = note.len() - 9;
        for (wrong, byte) in [(at, b'A'), (at, b'B')] {
            let mut bytes = note.clone().into_bytes();
            if bytes[wrong] != byte {
                bytes[wrong] = byte;
                assert_eq!(cosigner.cosigned_note(&bytes), None);
            }
        }
    }

    #[test]
    fn a_plain_signature_is_no_cosignature() {
        for wrong in [
            vkey("w", 1),
            vkey("w w", COSIGNATURE),
            "w+00000000+AAAA".to_owned(),
            vkey("w", COSIGNATURE).replace("w+", "v+"),
        ] {
            assert_eq!(Cosigner::parse(&wrong), Err(NoteError::Key), "{wrong}");
        }
        let cosigner = Cosigner::parse(&vkey("w", COSIGNATURE)).unwrap();
        let id = HEXLOWER
            .decode(vkey("w", COSIGNATURE).split('+').nth(1).unwrap().as_bytes())
            .unwrap();
        let plain = [id.as_slice(), &key().sign(b"text\n")].concat();
        assert_eq!(
            cosigner.cosigned("text\n", &format!("— w {}", BASE64.encode(&plain))),
            None
        );
    }
}
