//! Signed notes and checkpoints (C2SP `signed-note`, `tlog-checkpoint`), Ed25519.

use data_encoding::{BASE64, HEXLOWER};

use crate::crypto::{SigningKey, sha256, verify_signature};

use super::Hash;

/// The signature type Ed25519 of `signed-note`.
const ED25519: u8 = 1;
/// More bytes, or more signatures, than any honest note has.
const MOST_BYTES: usize = 1_000_000;
const MOST_SIGNATURES: usize = 100;

/// Why a note proves nothing.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum NoteError {
    /// Not the form of a name: no spaces, no plus sign, not empty.
    #[error("the log's name must be one word without a plus sign")]
    Name,
    /// Not the form of a verifier key, or of another kind than Ed25519.
    #[error("not an Ed25519 verifier key (NAME+ID+KEY)")]
    Key,
    /// Not the form of a signed note.
    #[error("not a signed note")]
    Form,
    /// No valid signature by the key.
    #[error("no valid signature by the log's key")]
    Signature,
    /// Signed, but not the checkpoint of this log.
    #[error("signed, but not a checkpoint of this log")]
    Checkpoint,
}

/// The state of a log: this many entries, this tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The number of entries.
    pub size: u64,
    /// The hash of the tree over them.
    pub root: Hash,
}

/// Whether a note may carry the name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let strange = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && name.len() <= 200 && !name.contains(strange)
}

/// The text of a signed note, with its last newline, and the lines of its signatures.
pub(super) fn parts(note: &[u8]) -> Result<(&str, Vec<&str>), NoteError> {
    let note = str::from_utf8(note).map_err(|_| NoteError::Form)?;
    let control = |c: char| c.is_control() && c != '\n';
    if note.len() > MOST_BYTES || note.contains(control) {
        return Err(NoteError::Form);
    }
    let cut = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, signatures) = note.split_at(cut.saturating_add(1));
    let lines = signatures
        .strip_prefix('\n')
        .and_then(|s| s.strip_suffix('\n'))
        .ok_or(NoteError::Form)?;
    let lines: Vec<&str> = lines.split('\n').collect();
    if lines.len() > MOST_SIGNATURES {
        return Err(NoteError::Form);
    }
    Ok((text, lines))
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let bytes = [name.as_bytes(), b"\n", &[ED25519], public].concat();
    let [a, b, c, d, ..] = sha256(&bytes);
    [a, b, c, d]
}

/// Signs the checkpoints of one log.
pub struct Signer {
    key: SigningKey,
    verifier: Verifier,
}

impl Signer {
    /// For the log of this name, its *origin*; `None` names it `guest-vault/` and the first eight bytes of the hash of
    /// its public key.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn new(origin: Option<String>, key: SigningKey) -> Result<Self, NoteError> {
        let public = key.public();
        let named = || {
            let mut id = HEXLOWER.encode(&sha256(&public));
            id.truncate(16);
            format!("guest-vault/{id}")
        };
        let name = origin.unwrap_or_else(named);
        let verifier = Verifier::new(name, public)?;
        Ok(Self { key, verifier })
    }

    /// What verifies its signatures.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The signed checkpoint.
    #[must_use]
    pub fn sign(&self, checkpoint: Checkpoint) -> String {
        let Verifier { name, id, .. } = &self.verifier;
        let text = format!(
            "{name}\n{}\n{}\n",
            checkpoint.size,
            BASE64.encode(&checkpoint.root)
        );
        let signature = [id.as_slice(), &self.key.sign(text.as_bytes())].concat();
        format!("{text}\n— {name} {}\n", BASE64.encode(&signature))
    }
}

impl Signer {
    /// A signed note that says something else than a checkpoint: its second line is the kind, in words, so that no
    /// reader of checkpoints takes it for one.
    #[must_use]
    pub fn sign_statement(&self, kind: &str, statement: &str) -> String {
        let Verifier { name, id, .. } = &self.verifier;
        let text = format!("{name}\n{kind}\n{statement}\n");
        let signature = [id.as_slice(), &self.key.sign(text.as_bytes())].concat();
        format!("{text}\n— {name} {}\n", BASE64.encode(&signature))
    }
}

/// Verifies the checkpoints of one log; anybody may have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl Verifier {
    fn new(name: String, public: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(&name) {
            return Err(NoteError::Name);
        }
        let id = key_id(&name, &public);
        Ok(Self { name, id, public })
    }

    /// Of a verifier key `NAME+ID+KEY`.
    ///
    /// # Errors
    /// [`NoteError::Key`].
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let key = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::Key)?;
        let Some((&ED25519, public)) = key.split_first() else {
            return Err(NoteError::Key);
        };
        let public = public.try_into().map_err(|_| NoteError::Key)?;
        let verifier = Self::new(name.to_owned(), public)?;
        if HEXLOWER.encode(&verifier.id) == id {
            Ok(verifier)
        } else {
            Err(NoteError::Key)
        }
    }

    /// The log's name, its *origin*.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The verifier key `NAME+ID+KEY`, to be published.
    #[must_use]
    pub fn vkey(&self) -> String {
        let key = [&[ED25519], self.public.as_slice()].concat();
        format!(
            "{}+{}+{}",
            self.name,
            HEXLOWER.encode(&self.id),
            BASE64.encode(&key)
        )
    }

    /// The checkpoint in a signed note. Signatures of others (witnesses) are let pass; ours must be there, and right.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, NoteError> {
        let (text, lines) = parts(note)?;
        let mut ours = false;
        for line in lines {
            ours |= self.is_ours(line, text)?;
        }
        if !ours {
            return Err(NoteError::Signature);
        }
        self.parse_checkpoint(text)
    }

    /// What a note of this kind says, when it is signed by this log.
    ///
    /// # Errors
    /// [`NoteError::Form`], [`NoteError::Signature`].
    pub fn open_statement(&self, kind: &str, note: &[u8]) -> Result<String, NoteError> {
        let (text, lines) = parts(note)?;
        let mut ours = false;
        for line in lines {
            ours |= self.is_ours(line, text)?;
        }
        let statement = text
            .strip_prefix(&format!("{}\n{kind}\n", self.name))
            .and_then(|rest| rest.strip_suffix('\n'));
        match statement {
            Some(statement) if ours => Ok(statement.to_owned()),
            Some(_) => Err(NoteError::Signature),
            None => Err(NoteError::Form),
        }
    }

    /// Whether the line is our signature, and right; wrong ones of ours are an error.
    fn is_ours(&self, line: &str, text: &str) -> Result<bool, NoteError> {
        let (name, signature) = line
            .strip_prefix("— ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::Form)?;
        let signature = BASE64.decode(signature.as_bytes()).map_err(|_| NoteError::Form)?;
        let (id, signature) = signature.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if !is_name(name) || signature.is_empty() {
            return Err(NoteError::Form);
        }
        if name != self.name || *id != self.id {
            return Ok(false);
        }
        if verify_signature(&self.public, text.as_bytes(), signature) {
            Ok(true)
        } else {
            Err(NoteError::Signature)
        }
    }

    fn parse_checkpoint(&self, text: &str) -> Result<Checkpoint, NoteError> {
        let wrong = NoteError::Checkpoint;
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next(), lines.next(), lines.next());
        let (Some(size), Some(root)) = (size, root) else {
            return Err(wrong);
        };
        let number: u64 = size.parse().map_err(|_| wrong)?;
        if origin != Some(self.name.as_str()) || number.to_string() != size {
            return Err(wrong);
        }
        let root = BASE64.decode(root.as_bytes()).map_err(|_| wrong)?;
        Ok(Checkpoint {
            size: number,
            root: root.try_into().map_err(|_| wrong)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use signed_note::{Note, StandardVerifier, VerifierList};

    use super::*;
    use crate::crypto::KeyMaterial;

    fn signer(name: &str) -> Signer {
        let key = SigningKey::new(KeyMaterial::from_slice(&[7; 32]).unwrap());
        Signer::new(Some(name.to_owned()), key).unwrap()
    }

    const AT: Checkpoint = Checkpoint {
        size: 1234,
        root: [9; 32],
    };

    #[test]
    fn another_implementation_reads_what_we_sign() {
        let signer = signer("vault.example/log");
        let text = signer.sign(AT);
        let note = Note::from_bytes(text.as_bytes()).unwrap();
        let vkey = signer.verifier().vkey();
        let list = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
        let (verified, _) = note.verify(&list).unwrap();
        assert_eq!(verified.len(), 1);
        let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!(
            (theirs.origin(), theirs.size(), theirs.hash().0),
            ("vault.example/log", 1234, [9; 32])
        );
        assert_eq!(Verifier::parse(&vkey).unwrap(), *signer.verifier());
        assert_eq!(Verifier::parse(&vkey).unwrap().open(text.as_bytes()), Ok(AT));
    }

    #[test]
    fn no_byte_of_a_checkpoint_can_be_changed() {
        let signer = signer("vault.example/log");
        let text = signer.sign(AT).into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut wrong = text.clone();
                wrong[at] ^= 1 << bit;
                assert!(signer.verifier().open(&wrong).is_err(), "byte {at}, bit {bit}");
            }
            assert!(signer.verifier().open(&text[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn other_signatures_are_let_pass_but_not_enough() {
        let (ours, other) = (signer("a"), signer("b"));
        let line = |signer: &Signer| signer.sign(AT).lines().last().unwrap().to_owned();
        let both = format!("{}{}\n", ours.sign(AT), line(&other));
        assert_eq!(ours.verifier().open(both.as_bytes()), Ok(AT));
        let refused = other.verifier().open(both.as_bytes());
        assert_eq!(refused, Err(NoteError::Signature), "of another text");
        let stranger = signer("c");
        assert_eq!(
            stranger.verifier().open(both.as_bytes()),
            Err(NoteError::Signature)
        );
        for wrong in ["a+b", "", "a b", "a\nb"] {
            let key = SigningKey::new(KeyMaterial::random());
            assert!(Signer::new(Some(wrong.to_owned()), key).is_err(), "{wrong:?}");
        }
        let vkey = ours.verifier().vkey();
        for wrong in ["", "a+b", &vkey[1..], &vkey.replace("a+", "b+")] {
            assert_eq!(
                Verifier::parse(wrong),
                Err(NoteError::Key).or(Verifier::parse(wrong))
            );
            assert!(Verifier::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
