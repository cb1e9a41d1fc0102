//! A root key in a file: one line, `gvroot1:` and 32 bytes in base64 or hex.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use futures_util::future::{BoxFuture, FutureExt, ready};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::crypto::{KeyMaterial, same};

use super::{
    super::ProviderError,
    Description, FILE, RootKey, RootKeyProvider, Wrapped, own,
    private::{self, file_error},
};

const MAGIC: &str = "gvroot1:";

/// The provider of a key file.
pub struct KeyFile {
    path: PathBuf,
    root: RootKey,
}

impl KeyFile {
    /// The key in an existing file.
    ///
    /// # Errors
    /// When it is missing, open to others, or not a key file.
    pub fn open(path: &Path) -> Result<Self, ProviderError> {
        let root = RootKey::new(read(path)?);
        Ok(Self {
            path: path.to_owned(),
            root,
        })
    }

    /// The key in the file, which is made with a new random key if it is not there.
    ///
    /// # Errors
    /// As [`KeyFile::open`]; when it cannot be written.
    pub fn open_or_make(path: &Path) -> Result<Self, ProviderError> {
        if !path.try_exists().map_err(|cause| file_error(path, cause))?
            && private::create(path, line(&KeyMaterial::random()).as_bytes())?
        {
            tracing::info!(path = %path.display(), "made a new key file: keep a copy of it apart from the databases");
        }
        Self::open(path)
    }
}

#[expect(clippy::disallowed_methods, reason = "written to the new key file")]
fn line(key: &KeyMaterial) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    text.push_str(MAGIC);
    BASE64.encode_append(key.expose_secret(), &mut text);
    text.push('\n');
    text
}

fn read(path: &Path) -> Result<KeyMaterial, ProviderError> {
    let text = private::read(path)?.ok_or_else(|| ProviderError::MissingKeyFile {
        path: path.to_owned(),
    })?;
    parse(&text).map_err(|problem| ProviderError::KeyFileFormat {
        path: path.to_owned(),
        problem,
    })
}

fn parse(text: &str) -> Result<KeyMaterial, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty");
    }
    let digits = text.strip_prefix(MAGIC).ok_or("does not begin with `gvroot1:`")?;
    let encoding = match digits.len() {
        64 => &HEXLOWER_PERMISSIVE,
        43 => &BASE64_NOPAD,
        44 => &BASE64,
        _ => return Err("does not hold 32 bytes in hex or base64"),
    };
    let bytes = encoding
        .decode(digits.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| "does not hold 32 bytes in hex or base64")?;
    KeyMaterial::from_slice(&bytes).ok_or("does not hold 32 bytes in hex or base64")
}

impl RootKeyProvider for KeyFile {
    fn wrap<'a>(
        &'a self,
        key: &'a KeyMaterial,
        context: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<Wrapped, ProviderError>> {
        let wrapped = self.root.wrap(key, context).map(|inner| Wrapped {
            bytes: [&[FILE], inner.as_slice()].concat(),
            check: self.root.check(),
        });
        ready(wrapped).boxed()
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a Wrapped,
        context: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<KeyMaterial, ProviderError>> {
        let key =
            own(&wrapped.bytes, FILE).and_then(|inner| self.root.unwrap(inner, &wrapped.check, context));
        ready(key).boxed()
    }

    fn describe(&self) -> Description {
        Description {
            kind: "key file",
            reference: self.path.display().to_string(),
        }
    }

    fn health(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let health = read(&self.path).and_then(|key| {
            if same(&RootKey::new(key).check(), &self.root.check()) {
                Ok(())
            } else {
                Err(ProviderError::KeyFileChanged {
                    path: self.path.clone(),
                })
            }
        });
        ready(health).boxed()
    }
}
