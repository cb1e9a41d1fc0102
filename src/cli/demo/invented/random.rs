//! Chance that repeats: the same seed gives the same guests on every machine.

/// `SplitMix64` (Steele, Lea, Flood 2014): small, repeatable, and in no way secret. Never for keys.
pub(super) struct Random(u64);

impl Random {
    /// A sequence of its own for each `stream`, so that guest 400 can be made without guests 0 to 399.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03));
        Self(mixed.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end - 1`; 0 when `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A number of days from `from` to `to`, both included.
    pub(super) fn days(&mut self, from: u64, to: u64) -> i64 {
        i64::try_from(from + self.below(to.saturating_sub(from) + 1)).unwrap_or(0)
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the items; the empty value when there is none.
    pub(super) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let at = self.below(u64::try_from(items.len()).unwrap_or(0));
        usize::try_from(at)
            .ok()
            .and_then(|at| items.get(at))
            .copied()
            .unwrap_or_default()
    }

    /// The pattern with each `#` replaced by a digit, each `@` by a letter A–Z.
    pub(super) fn fill(&mut self, pattern: &str) -> String {
        pattern
            .chars()
            .map(|c| match c {
                '#' => self.one_of(b"0123456789"),
                '@' => self.one_of(b"ABCDEFGHJKLMNPRSTUVWXYZ"),
                other => other,
            })
            .collect()
    }

    fn one_of(&mut self, letters: &[u8]) -> char {
        char::from(self.pick(letters))
    }
}

/// The pattern with its `#` filled by a number that no other `index` below the pattern's capacity gets.
pub(super) fn unique(pattern: &str, seed: u64, index: u64) -> String {
    let places = u32::try_from(pattern.matches('#').count().min(18)).unwrap_or(18);
    let capacity = 10_u64.pow(places);
    // An odd factor that does not end in 5 has no divisor in common with a power of ten.
    let number = index.wrapping_mul(73_939_133) % capacity;
    let number = (number + seed % capacity) % capacity;
    let mut digits = format!("{number:0width$}", width = usize::try_from(places).unwrap_or(18))
        .chars()
        .collect::<Vec<_>>()
        .into_iter();
    pattern
        .chars()
        .map(|c| if c == '#' { digits.next().unwrap_or('0') } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_repeats_and_another_does_not() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..8).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 3), draw(7, 3));
        assert_ne!(draw(7, 3), draw(8, 3));
        assert_ne!(draw(7, 3), draw(7, 4));
    }

    #[test]
    fn unique_numbers_do_not_meet_below_the_capacity() {
        let numbers: HashSet<_> = (0..1000).map(|i| unique("X###", 42, i)).collect();
        assert_eq!(numbers.len(), 1000);
    }
}
