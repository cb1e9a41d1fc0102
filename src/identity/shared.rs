//! Stays of two guests who are one, or were: the survivor has what every voice of the two said of them, the newest word is
//! shown, and whoever is parted goes with the words of its own voices.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    base::GuestId,
    guest::{
        GuestError, Vault,
        sql::stay_word::SealedStay,
        stay_words::{Word, keep_words},
    },
    store::Tx,
};

use super::{crossing::Crossing, sql::crossing::Sealed, undo::Theirs};

fn find(stays: &Sealed, token: Uuid) -> Option<&SealedStay> {
    stays.stays.iter().find(|stay| stay.stay_token == token)
}

impl Vault {
    /// Gives the survivor the stays of the absorbed guest. Of a stay that both have the newer word is shown.
    pub(super) async fn take_in_stays(
        &self,
        tx: &mut Tx,
        crossing: &Crossing,
        (theirs, own): (&Sealed, &Sealed),
    ) -> Result<(), GuestError> {
        let (from, to) = crossing.keys();
        for stay in &theirs.stays {
            let token = stay.stay_token;
            let mut words = Word::all(from, stay, &theirs.words)?;
            let mut is_shown = true;
            if let Some(held) = find(own, token) {
                words.extend(Word::all(to, held, &own.words)?);
                is_shown = held.updated_at < stay.updated_at && !crossing.says_the_same((stay, held))?;
            }
            keep_words(tx, to, token, &words).await?;
            if is_shown {
                tx.copy_stay(crossing.ends(), token, &crossing.stay(stay)?)
                    .await?;
            }
        }
        Ok(())
    }

    /// Parts the words of stays: those of the voices that go, and those that are left.
    pub(super) async fn part_stays(
        &self,
        tx: &mut Tx,
        crossing: &Crossing,
        theirs: &Theirs,
        (awake, asleep): (&Sealed, &Sealed),
    ) -> Result<(), GuestError> {
        let (from, to) = crossing.keys();
        let own = awake.records.iter().map(|head| head.record_id);
        let own: BTreeSet<Uuid> = own.filter(|record| !theirs.records.contains(record)).collect();
        let mut voices = theirs.records.clone();
        voices.insert(to.guest().0);
        for stay in &asleep.stays {
            let words = Word::all(to, stay, &asleep.words)?.into_iter();
            voices.extend(words.map(|word| word.voice).filter(|voice| !own.contains(voice)));
        }
        for shown in &awake.stays {
            let token = shown.stay_token;
            let hidden = find(asleep, token);
            let mut words = Word::all(from, shown, &awake.words)?;
            if let Some(stay) = hidden
                && asleep.words.iter().all(|row| row.stay_token != token)
            {
                let hidden = Word::of_stay(to, stay);
                words = told_before(words, hidden, (theirs, &own, token), crossing.ends());
            }
            let (mut going, mut left): (Vec<_>, Vec<_>) =
                words.into_iter().partition(|word| voices.contains(&word.voice));
            if going.is_empty() {
                continue;
            }
            let had = hidden
                .map(|stay| Word::all(to, stay, &asleep.words))
                .transpose()?;
            // What nobody touched lies there as it was.
            if had.as_deref().map(marks) != Some(marks(&going)) {
                self.settle_words(tx, to, (hidden, shown), &mut going).await?;
            }
            if left.is_empty() {
                tx.delete_words(from.guest(), token).await?;
                tx.delete_stay(from.guest(), token).await?;
            } else {
                self.settle_words(tx, from, (Some(shown), shown), &mut left)
                    .await?;
            }
        }
        Ok(())
    }
}

/// The words of a stay that two guests had, or one of them, when a merge from before voices had words of their own made
/// them one: what was overruled lies asleep with the absorbed guest, whosever it is, and staff's word is of whom the stay
/// was. No other merge has such parts.
fn told_before<'k>(
    words: Vec<Word<'k>>,
    mut hidden: Word<'k>,
    (theirs, own, token): (&Theirs, &BTreeSet<Uuid>, Uuid),
    (survivor, restored): (GuestId, GuestId),
) -> Vec<Word<'k>> {
    let alone = theirs.parts("stay").contains(&token);
    let exchanged = theirs.parts("newer_stay").contains(&token);
    if exchanged && hidden.is_staffs() {
        hidden = hidden.by(survivor.0);
    }
    let goes = alone || exchanged && !theirs.records.contains(&hidden.voice);
    let whose = |word: Word<'k>| {
        if goes && word.voice == survivor.0 {
            word.by(restored.0)
        } else {
            word
        }
    };
    let mut words: Vec<Word<'k>> = words.into_iter().map(whose).collect();
    let is_own = hidden.voice == survivor.0 || own.contains(&hidden.voice);
    if is_own && words.iter().all(|word| word.voice != hidden.voice) {
        words.push(hidden);
    }
    words
}

fn marks(words: &[Word<'_>]) -> BTreeSet<(Uuid, i64, i64)> {
    words.iter().map(Word::mark).collect()
}
