//! How sure it is that two are one: against a stranger, and against somebody of the same household.
//!
//! Couples, parents and children share phone, address, e-mail, even birth dates; a model that knows strangers only adds
//! those up to certainty. So two sums are kept, and the better alternative counts:
//!
//! ```text
//! stranger  = log2(1/N)        + Σ log2(m/u)
//! household = log2(same:house) + Σ log2(m/h)
//! bits      = −log2(2^−stranger + 2^−household)        probability = 1 / (1 + 2^−bits)
//! ```

use std::collections::HashMap;

use super::{
    Person, Weights, births,
    blocking::{Key, KeyKind, readings},
    contacts,
    names::Name,
    papers, places, same_name,
    weights::{Bits, Cell},
};

/// How many guests there are, and how many of them hold each key of whoever is looked for.
#[derive(Default)]
pub struct Frequencies {
    /// Guests in all.
    pub guests: f64,
    holders: HashMap<Key, u32>,
}

impl Frequencies {
    /// Among this many guests.
    #[must_use]
    pub fn new(guests: f64) -> Self {
        Self {
            guests,
            holders: HashMap::new(),
        }
    }

    /// Notes how many guests hold a key.
    pub fn note(&mut self, key: Key, holders: u32) {
        self.holders.insert(key, holders);
    }

    fn of(&self, kind: KeyKind, value: String) -> f64 {
        let holders = self.holders.get(&Key { kind, value }).copied().unwrap_or(0);
        f64::from(holders)
    }
}

/// One comparison's share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// What was compared and how it agreed.
    pub cell: Cell,
    /// Its bits.
    pub bits: Bits,
}

/// How sure it is that two are one.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The whole, in bits.
    pub bits: f64,
    /// Against a stranger.
    pub stranger: f64,
    /// Against the same household.
    pub household: f64,
    /// Two numbers for life: two people, whatever the bits say.
    pub veto: bool,
    /// Perhaps brothers and sisters, by their given names or by numbers in a row: a steward is asked, whatever the bits
    /// say.
    pub doubtful: bool,
    /// What was compared.
    pub parts: Vec<Part>,
}

/// A comparison's share of the whole, as it is told; the shares and the prior add up to the bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// What was compared; `None` for what is known before anything is.
    pub cell: Option<Cell>,
    /// In bits.
    pub weight: f64,
}

impl Score {
    /// The chance that they are one.
    #[must_use]
    pub fn probability(&self) -> f64 {
        if self.veto { 0.0 } else { probability(self.bits) }
    }

    /// Whether they are linked without asking, from so many bits on.
    #[must_use]
    pub fn links(&self, from: f64) -> bool {
        self.bits >= from && !self.doubtful
    }

    /// Why: what each comparison adds. Each is weighed between the two alternatives as far as they count; what is left
    /// is the prior.
    #[must_use]
    pub fn shares(&self) -> Vec<Share> {
        // The share of the stranger among the alternatives.
        let stranger = 1.0 / (1.0 + (self.stranger - self.household).exp2());
        let weight = |bits: Bits| stranger.mul_add(bits.stranger, (1.0 - stranger) * bits.household);
        let mut shares: Vec<Share> = self
            .parts
            .iter()
            .map(|part| Share {
                cell: Some(part.cell),
                weight: weight(part.bits),
            })
            .collect();
        let sum: f64 = shares.iter().map(|share| share.weight).sum();
        shares.push(Share {
            cell: None,
            weight: self.bits - sum,
        });
        shares
    }
}

/// The chance that bits mean.
#[must_use]
pub fn probability(bits: f64) -> f64 {
    1.0 / (1.0 + (-bits).exp2())
}

/// Scores two; symmetric but for the frequencies, which are those of whoever is looked for.
#[must_use]
pub fn score(weights: &Weights, frequencies: &Frequencies, a: &Person, b: &Person) -> Score {
    let guests = frequencies.guests.max(weights.least_guests);
    let compared = Compared {
        weights,
        frequencies,
        // Shares among few guests say little of the world outside.
        counted: frequencies.guests.max(5_000.0),
    };
    let parts: Vec<Part> = [
        compared.name(a, b),
        compared.birth(a, b),
        compared.email(a, b),
        compared.phone(a, b),
        compared.paper(a, b),
        compared.place(a, b),
        compared.country(a, b),
        compared.number(a, b),
    ]
    .into_iter()
    .flatten()
    .collect();
    let stranger = parts.iter().map(|part| part.bits.stranger).sum::<f64>() - guests.log2();
    let household = parts.iter().map(|part| part.bits.household).sum::<f64>() + weights.household_prior;
    Score {
        bits: -((-stranger).exp2() + (-household).exp2()).log2(),
        stranger,
        household,
        veto: a.is_certainly_not(b),
        doubtful: is_doubtful(&parts, a, b),
        parts,
    }
}

/// Twins share all but their given names, and Paul and Paula, Marco and Mario are one slip apart. Whom an initial joined
/// may be somebody else by another record, which tells the given name. And who got passports, cards of a telephone and
/// addresses together has numbers in a row: where several are one slip apart and none agrees, they are hardly slips.
fn is_doubtful(parts: &[Part], a: &Person, b: &Person) -> bool {
    let has = |cell| parts.iter().any(|part| part.cell == cell);
    let proven = has(Cell::PaperExact) || has(Cell::NumberExact);
    let told = |name: &&Name| !name.whole && name.given.len() > 1;
    let differ = |one: &Name, other: &Name| same_name::compare(one, other) == Some(Cell::WesternFamily);
    let contradicted = || {
        let mut full = a.names.iter().filter(told);
        full.any(|one| b.names.iter().filter(told).any(|other| differ(one, other)))
    };
    let slips = [
        Cell::EmailNear,
        Cell::PhoneEdit,
        Cell::PhoneNeighbour,
        Cell::PaperEdit,
    ];
    let in_a_row = || {
        let agrees = has(Cell::EmailExact) || has(Cell::PhoneExact);
        !agrees && slips.into_iter().filter(|slip| has(*slip)).count() > 1
    };
    !proven
        && (in_a_row()
            || has(Cell::WesternGivenNear)
            || (has(Cell::WesternGivenCompatible) && contradicted()))
}

struct Compared<'a> {
    weights: &'a Weights,
    frequencies: &'a Frequencies,
    counted: f64,
}

impl Compared<'_> {
    /// The part of a level; of an exact one by how many share the value.
    fn part(&self, cell: Cell, holders: impl FnOnce() -> f64) -> Part {
        let mut bits = self.weights.of(cell);
        if let Some(exact) = Weights::exact(cell) {
            let chance = (holders() / self.counted).max(exact.floor);
            bits.stranger = (exact.same / chance).log2();
        }
        let shift = self.weights.shift(cell);
        bits.stranger += shift;
        bits.household += shift;
        Part { cell, bits }
    }

    fn plain(&self, cell: Cell) -> Part {
        self.part(cell, || 0.0)
    }

    /// The best level among all pairs.
    fn best<A, B>(
        &self,
        a: &[A],
        b: &[B],
        compare: impl Fn(&A, &B) -> Option<Cell>,
    ) -> Option<(usize, usize, Cell)> {
        let mut best: Option<(f64, (usize, usize, Cell))> = None;
        for (at, one) in a.iter().enumerate() {
            for (other_at, other) in b.iter().enumerate() {
                let Some(cell) = compare(one, other) else { continue };
                let bits = self.weights.of(cell);
                let worth = bits.stranger + bits.household;
                if best.is_none_or(|(most, _)| worth > most) {
                    best = Some((worth, (at, other_at, cell)));
                }
            }
        }
        best.map(|(_, found)| found)
    }

    fn name(&self, a: &Person, b: &Person) -> Option<Part> {
        let (one, other, cell) = self.best(&a.names, &b.names, same_name::compare)?;
        let shared = |one: &Name, other: &Name| {
            let both = readings(one);
            let shared = readings(other)
                .into_iter()
                .filter(|reading| both.contains(reading));
            // The rarest reading that they share.
            let holders = shared.map(|reading| self.frequencies.of(KeyKind::Name, reading));
            holders.fold(f64::INFINITY, f64::min)
        };
        Some(self.part(cell, || {
            let holders = a
                .names
                .get(one)
                .zip(b.names.get(other))
                .map(|(one, other)| shared(one, other));
            holders.filter(|holders| holders.is_finite()).unwrap_or(0.0)
        }))
    }

    fn birth(&self, a: &Person, b: &Person) -> Option<Part> {
        let (.., cell) = self.best(&a.births, &b.births, |one, other| {
            Some(births::compare(*one, *other))
        })?;
        // There is no index of birth dates to count in.
        let (mut bits, shift) = (self.weights.of(cell), self.weights.shift(cell));
        bits.stranger += shift;
        bits.household += shift;
        Some(Part { cell, bits })
    }

    fn email(&self, a: &Person, b: &Person) -> Option<Part> {
        let (at, _, cell) = self.best(&a.emails, &b.emails, |one, other| {
            Some(contacts::compare_emails(one, other))
        })?;
        let value = a
            .emails
            .get(at)
            .map(|email| format!("{}\u{1f}{}", email.local, email.domain));
        Some(self.part(cell, || {
            self.frequencies.of(KeyKind::Email, value.unwrap_or_default())
        }))
    }

    fn phone(&self, a: &Person, b: &Person) -> Option<Part> {
        let (at, _, cell) = self.best(&a.phones, &b.phones, |one, other| {
            Some(contacts::compare_phones(one, other))
        })?;
        let digits = a.phones.get(at).map_or("", |phone| phone.0.as_str());
        let tail = digits
            .len()
            .checked_sub(8)
            .and_then(|from| digits.get(from..))
            .unwrap_or_default();
        Some(self.part(cell, || self.frequencies.of(KeyKind::Phone, tail.to_owned())))
    }

    fn paper(&self, a: &Person, b: &Person) -> Option<Part> {
        let (at, _, cell) = self.best(&a.papers, &b.papers, |one, other| {
            Some(papers::compare(one, other))
        })?;
        let number = a.papers.get(at).map(|paper| paper.number.clone());
        Some(self.part(cell, || {
            self.frequencies.of(KeyKind::Paper, number.unwrap_or_default())
        }))
    }

    fn place(&self, a: &Person, b: &Person) -> Option<Part> {
        let (.., cell) = self.best(&a.places, &b.places, places::compare)?;
        Some(self.plain(cell))
    }

    fn country(&self, a: &Person, b: &Person) -> Option<Part> {
        if a.countries.is_empty() || b.countries.is_empty() {
            return None;
        }
        let equal = a.countries.iter().any(|country| b.countries.contains(country));
        Some(self.plain(if equal {
            Cell::CountryEqual
        } else {
            Cell::CountryDiffers
        }))
    }

    fn number(&self, a: &Person, b: &Person) -> Option<Part> {
        let shared = a.numbers.iter().find(|number| b.numbers.contains(number))?;
        Some(self.part(Cell::NumberExact, || {
            self.frequencies.of(KeyKind::Number, shared.clone())
        }))
    }
}
