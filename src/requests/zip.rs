//! A ZIP file (APPNOTE 6.3.10) of a few texts, stored as they are: what every computer opens.

/// The table of CRC-32 (ISO 3309), one entry for each byte.
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at: u32 = 0;
    while at < 256 {
        let mut value = at;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xedb8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        #[expect(
            clippy::indexing_slicing,
            clippy::as_conversions,
            reason = "counts to 255, at compile time; conversions are no constant functions"
        )]
        {
            table[at as usize] = value;
        }
        at += 1;
    }
    table
}

const TABLE: [u32; 256] = table();

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let at = usize::try_from((sum ^ u32::from(*byte)) & 0xff).unwrap_or(0);
        TABLE.get(at).copied().unwrap_or(0) ^ (sum >> 8)
    };
    !bytes.iter().fold(!0, step)
}

/// Names are in UTF-8.
const UTF8: u16 = 1 << 11;
/// The first of January 1980: a package tells no more about when it was made than its content does.
const DATE: u16 = (1 << 5) | 1;
const VERSION: u16 = 20;

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

fn long(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// What local header and directory have in common, from the version on.
fn middle(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(VERSION.to_le_bytes());
    out.extend(UTF8.to_le_bytes());
    out.extend([0; 4]);
    out.extend(DATE.to_le_bytes());
    out.extend(crc32(bytes).to_le_bytes());
    out.extend(long(bytes.len()));
    out.extend(long(bytes.len()));
    out.extend(short(name.len()));
    out.extend([0; 2]);
    out
}

/// A ZIP of these files. Together they must be smaller than 4 GiB, which the data of one guest is.
#[must_use]
pub(crate) fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let at = out.len();
        let middle = middle(name, bytes);
        out.extend(b"PK\x03\x04");
        out.extend(&middle);
        out.extend(name.as_bytes());
        out.extend(bytes);
        directory.extend(b"PK\x01\x02");
        directory.extend(VERSION.to_le_bytes());
        directory.extend(&middle);
        directory.extend([0; 10]);
        directory.extend(long(at));
        directory.extend(name.as_bytes());
    }
    let begin = out.len();
    out.extend(&directory);
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    out.extend(short(files.len()));
    out.extend(short(files.len()));
    out.extend(long(directory.len()));
    out.extend(long(begin));
    out.extend([0; 2]);
    out
}

/// The files of a ZIP whose content is stored as it is, by its directory: each name once, each with the checksum that it
/// should have. Nothing is believed of lengths that lead outside.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn unzip(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, &'static str> {
    const DAMAGED: &str = "it is no ZIP, or is cut off";
    let end = bytes
        .windows(4)
        .rposition(|four| four == b"PK\x05\x06")
        .ok_or(DAMAGED)?;
    let end = bytes.get(end..).ok_or(DAMAGED)?;
    let (count, begin) = (two(end, 10).ok_or(DAMAGED)?, four(end, 16).ok_or(DAMAGED)?);
    let mut rest = bytes.get(begin..).ok_or(DAMAGED)?;
    let mut files: Vec<(&str, &[u8])> = Vec::new();
    for _ in 0..count {
        if !rest.starts_with(b"PK\x01\x02") {
            return Err(DAMAGED);
        }
        if two(rest, 10) != Some(0) {
            return Err("a file in it is compressed: give it as it was downloaded");
        }
        let (size, length) = (four(rest, 24).ok_or(DAMAGED)?, two(rest, 28).ok_or(DAMAGED)?);
        let more = two(rest, 30).zip(two(rest, 32)).ok_or(DAMAGED)?;
        let name = rest.get(46..46 + length).ok_or(DAMAGED)?;
        let name = std::str::from_utf8(name).map_err(|_| DAMAGED)?;
        let content = content(bytes, four(rest, 42).ok_or(DAMAGED)?, size).ok_or(DAMAGED)?;
        if four(rest, 16) != usize::try_from(crc32(content)).ok() {
            return Err("a file in it has another checksum than it should");
        }
        if files.iter().any(|(known, _)| *known == name) {
            return Err("a file is in it twice");
        }
        files.push((name, content));
        rest = rest.get(46 + length + more.0 + more.1..).ok_or(DAMAGED)?;
    }
    Ok(files)
}

/// What follows a local header.
fn content(bytes: &[u8], at: usize, size: usize) -> Option<&[u8]> {
    let header = bytes.get(at..).filter(|rest| rest.starts_with(b"PK\x03\x04"))?;
    let begin = 30 + two(header, 26)? + two(header, 28)?;
    header.get(begin..begin.checked_add(size)?)
}

fn two(bytes: &[u8], at: usize) -> Option<usize> {
    let both = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_le_bytes(*both).into())
}

fn four(bytes: &[u8], at: usize) -> Option<usize> {
    let all = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*all)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked_and_nothing_else() {
        let files = [
            ("a.txt", b"one".to_vec()),
            ("b/c.txt", Vec::new()),
            ("ä", vec![0; 300]),
        ];
        let packed = zip(&files);
        let found = unzip(&packed).unwrap();
        assert_eq!(
            found,
            files.iter().map(|(n, b)| (*n, b.as_slice())).collect::<Vec<_>>()
        );
        assert!(unzip(&zip(&[("a", vec![1]), ("a", vec![2])])).is_err());
        for cut in 0..packed.len() {
            assert!(unzip(&packed[..cut]).is_err(), "{cut}");
        }
        // Whatever byte is changed, the files are as they were or it is refused; nothing else comes out.
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 0x41;
            if let Ok(other) = unzip(&changed) {
                assert!(
                    other
                        .iter()
                        .all(|(_, bytes)| files.iter().any(|(_, own)| own == bytes)),
                    "{at}"
                );
            }
        }
    }

    #[test]
    fn the_check_value_of_crc32_is_right() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
