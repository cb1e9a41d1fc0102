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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc32_is_right() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
