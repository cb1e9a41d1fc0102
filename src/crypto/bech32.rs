//! Bech32 (BIP 173) without its limit on length: how age writes keys.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM: usize = 6;

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| (top >> bit) & 1 == 1)
            .fold(shifted, |sum, (_, generator)| sum ^ generator)
    })
}

fn expanded(prefix: &str) -> impl Iterator<Item = u8> {
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    high.chain([0]).chain(low).collect::<Vec<u8>>().into_iter()
}

/// Regroups bits; `None` when bits that must be zero are not.
fn regroup(bytes: &[u8], from: u32, to: u32, pad: bool) -> Option<Vec<u8>> {
    let (mut held, mut bits, mut out) = (0_u32, 0_u32, Vec::new());
    let mask = (1_u32 << to) - 1;
    for byte in bytes {
        held = (held << from) | u32::from(*byte);
        bits += from;
        while bits >= to {
            bits -= to;
            out.push(u8::try_from((held >> bits) & mask).ok()?);
        }
        held &= (1 << bits) - 1;
    }
    if pad && bits > 0 {
        out.push(u8::try_from((held << (to - bits)) & mask).ok()?);
    } else if !pad && (bits >= from || held != 0) {
        return None;
    }
    Some(out)
}

/// The text of some bytes under a prefix, in lower case.
pub(super) fn encode(prefix: &str, bytes: &[u8]) -> String {
    let data = regroup(bytes, 8, 5, true).unwrap_or_default();
    let padded = expanded(prefix).chain(data.iter().copied()).chain([0; CHECKSUM]);
    let sum = polymod(padded) ^ 1;
    let check = (0..CHECKSUM)
        .rev()
        .map(|at| u8::try_from((sum >> (5 * at)) & 31).unwrap_or(0));
    let letters = data
        .iter()
        .copied()
        .chain(check)
        .filter_map(|value| ALPHABET.get(usize::from(value)).copied().map(char::from));
    format!("{prefix}1{}", letters.collect::<String>())
}

/// The bytes behind a text with this prefix; `None` when it is none.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Vec<u8>> {
    if text.chars().any(|c| c.is_ascii_uppercase()) && text.chars().any(|c| c.is_ascii_lowercase()) {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let letters = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let value = |letter: u8| ALPHABET.iter().position(|known| *known == letter);
    let values: Vec<u8> = letters
        .bytes()
        .map(|letter| u8::try_from(value(letter)?).ok())
        .collect::<Option<_>>()?;
    if polymod(expanded(prefix).chain(values.iter().copied())) != 1 {
        return None;
    }
    let data = values.get(..values.len().checked_sub(CHECKSUM)?)?;
    regroup(data, 5, 8, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_and_a_slip_does_not() {
        let text = encode("age", &[7; 32]);
        assert_eq!(decode("age", &text), Some(vec![7; 32]));
        assert_eq!(decode("age", &text.to_uppercase()), Some(vec![7; 32]));
        for at in 4..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'q' { b'p' } else { b'q' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(decode("age", &wrong), None, "{wrong}");
        }
        assert_eq!(decode("age", "age1"), None);
    }
}
