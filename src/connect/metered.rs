//! A reader that lets so many bytes through for one piece (a tag, a row), so that an endless one is not gathered in
//! memory by a parser that would.

use std::io::{self, BufRead, Read};

/// Passes bytes on until the piece's are used up.
pub(super) struct Metered<R> {
    inner: R,
    left: usize,
    read_bytes: u64,
}

impl<R> Metered<R> {
    pub(super) const fn new(inner: R, left: usize) -> Self {
        Self {
            inner,
            left,
            read_bytes: 0,
        }
    }

    /// A new piece of at most so many bytes begins.
    pub(super) const fn allow(&mut self, bytes: usize) {
        self.left = bytes;
    }

    pub(super) const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a piece of it is larger than 1 MiB",
            ));
        }
        let left = self.left;
        let buffer = self.inner.fill_buf()?;
        Ok(buffer.get(..buffer.len().min(left)).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.read_bytes += u64::try_from(bytes).unwrap_or(0);
        self.inner.consume(bytes);
    }
}
