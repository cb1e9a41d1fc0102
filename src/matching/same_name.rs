//! Two names: how they agree, conditional on the letters they are written in.

use std::cmp::Ordering;

use super::{
    names::{Name, Script, sorted_bones},
    nicknames,
    text::{distance, near},
    weights::Cell,
};

/// How two names agree; `None` when they cannot be compared, as kanji and romaji cannot.
pub(super) fn compare(a: &Name, b: &Name) -> Option<Cell> {
    let native = |name: &Name| matches!(name.script, Script::Han | Script::Kana);
    if a.script == b.script && native(a) {
        return Some(characters(a, b));
    }
    if a.script == Script::Arabic && b.script == Script::Arabic {
        return Some(if a.joined_native() == b.joined_native() {
            Cell::NameBones
        } else {
            bones(a, b)
        });
    }
    if a.script == Script::Arabic || b.script == Script::Arabic {
        return Some(bones(a, b));
    }
    if a.family.is_empty() || b.family.is_empty() {
        return unread(a, b);
    }
    // Kana against kanji is read against unread.
    if native(a) && native(b) && a.japanese != b.japanese {
        return None;
    }
    if a.eastern || b.eastern {
        return Some(eastern(a, b));
    }
    let level = western(a, b);
    if (a.arabic || b.arabic) && level > Cell::WesternGivenCompatible {
        // One Arabic name in two Latin spellings.
        let level = bones(a, b);
        return Some(if level == Cell::NameBonesNone {
            western(a, b)
        } else {
            level
        });
    }
    Some(level)
}

/// Kanji have no reading here; a given name in kana beside them has.
fn unread(a: &Name, b: &Name) -> Option<Cell> {
    if a.given.is_empty() || b.given.is_empty() || a.whole || b.whole {
        return None;
    }
    let same = a.given == b.given || a.loose.1 == b.loose.1;
    Some(if same {
        Cell::EasternGiven
    } else {
        Cell::EasternFamily
    })
}

fn characters(a: &Name, b: &Name) -> Cell {
    if a.joined_native() == b.joined_native() {
        return Cell::NativeExact;
    }
    let read = !a.family.is_empty() && !b.family.is_empty();
    if read && a.joined() == b.joined() {
        return Cell::NativeHomophone;
    }
    // A whole kanji name may be split at the wrong place.
    let family = a.native.0 == b.native.0
        || (a.whole
            && !b.native.0.is_empty()
            && format!("{}{}", a.native.0, a.native.1).starts_with(&b.native.0))
        || (b.whole
            && !a.native.0.is_empty()
            && format!("{}{}", b.native.0, b.native.1).starts_with(&a.native.0));
    let given = !a.native.1.is_empty() && a.native.1 == b.native.1;
    if family {
        let shared = a.native.1.chars().any(|c| b.native.1.contains(c));
        let long = a.native.1.chars().count().max(b.native.1.chars().count()) >= 2;
        if a.native.1.is_empty() || b.native.1.is_empty() {
            return Cell::NativeFamily;
        }
        return if shared && long {
            Cell::NativeFamilyAndOne
        } else {
            Cell::NativeFamily
        };
    }
    if given {
        Cell::NativeGiven
    } else {
        Cell::NativeNone
    }
}

fn eastern(a: &Name, b: &Name) -> Cell {
    if a.joined() == b.joined() || (a.japanese && b.japanese && a.joined_loose() == b.joined_loose()) {
        return Cell::EasternExact;
    }
    let coarse = !a.loose.0.is_empty() && !b.loose.0.is_empty();
    if coarse && a.joined_loose() == b.joined_loose() {
        // Characters against Wade-Giles; two Latin spellings that differ may be two names.
        let across = a.script != b.script;
        return if across {
            Cell::EasternExact
        } else {
            Cell::EasternFamilyNear
        };
    }
    let straight = eastern_parts((&a.family, &a.given), (&b.family, &b.given), (&a.loose, &b.loose));
    let turned = (b.loose.1.clone(), b.loose.0.clone());
    let crossed = eastern_parts((&a.family, &a.given), (&b.given, &b.family), (&a.loose, &turned));
    // Read the other way round only when both parts agree then: one word in common is a surname until shown otherwise.
    match crossed {
        Cell::EasternFamilyNear | Cell::EasternGivenNear => straight.min(crossed),
        Cell::EasternFamily | Cell::EasternGiven if straight == Cell::EasternNone && (a.whole || b.whole) => {
            Cell::EasternFamily
        }
        _ => straight,
    }
}

fn eastern_parts(
    (a_family, a_given): (&str, &str),
    (b_family, b_given): (&str, &str),
    (a_loose, b_loose): (&(String, String), &(String, String)),
) -> Cell {
    let same = |a: &str, b: &str| !a.is_empty() && a == b;
    let family = same(a_family, b_family) || same(&a_loose.0, &b_loose.0);
    let given = same(a_given, b_given) || same(&a_loose.1, &b_loose.1);
    let initial = |a: &str, b: &str| a.len() == 1 && b.starts_with(a);
    let given_fits = slip(a_given, b_given) || initial(a_given, b_given) || initial(b_given, a_given);
    match (family, given) {
        (true, _) if given_fits => Cell::EasternGivenNear,
        (_, true) if slip(a_family, b_family) => Cell::EasternFamilyNear,
        (true, _) => Cell::EasternFamily,
        (_, true) => Cell::EasternGiven,
        _ => Cell::EasternNone,
    }
}

/// One slip in a short word.
fn slip(a: &str, b: &str) -> bool {
    a.len().min(b.len()) >= 3 && distance(a, b, 1) <= 1
}

fn western(a: &Name, b: &Name) -> Cell {
    let mut sorted = (a.words.clone(), b.words.clone());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    if sorted.0 == sorted.1 || a.joined() == b.joined() {
        return Cell::WesternExact;
    }
    let (ways, others) = (ways(a), ways(b));
    let mut best = Cell::WesternNone;
    for (one, (a_family, a_given)) in ways.iter().enumerate() {
        for (other, (b_family, b_given)) in others.iter().enumerate() {
            // Both the other way round is the same comparison with surname and given name exchanged.
            if one == 1 && other == 1 && !a.whole && !b.whole {
                continue;
            }
            let level = western_parts((a_family, a_given), (b_family, b_given));
            let as_written = (one == 0 || a.whole) && (other == 0 || b.whole);
            // Read the other way round only when both parts agree then: one word in common is a surname until shown
            // otherwise.
            let level = match level {
                Cell::WesternGiven if a.whole || b.whole => Cell::WesternFamily,
                Cell::WesternGiven | Cell::WesternFamily if !as_written => continue,
                level => level,
            };
            best = best.min(level);
        }
    }
    best
}

/// The ways of reading a name as a surname and given names. Spanish names have two surnames, of which one may be
/// left out.
fn ways(name: &Name) -> Vec<(Vec<&str>, Vec<&str>)> {
    let words: Vec<&str> = name.words.iter().map(String::as_str).collect();
    let mut ways = Vec::new();
    if name.whole {
        for at in 1..words.len() {
            let (head, tail) = words.split_at(at);
            ways.push((tail.to_vec(), head.to_vec()));
            ways.push((head.to_vec(), tail.to_vec()));
        }
        if ways.is_empty() {
            ways.push((words, Vec::new()));
        }
        return ways;
    }
    // The words of the surname come first.
    let mut length = 0;
    let mut taken = 0;
    for word in &words {
        if length >= name.family.len() {
            break;
        }
        length += word.len();
        taken += 1;
    }
    let (family, given) = words.split_at(taken.min(words.len()));
    ways.push((family.to_vec(), given.to_vec()));
    ways.push((given.to_vec(), family.to_vec()));
    ways
}

fn western_parts((a_family, a_given): (&[&str], &[&str]), (b_family, b_given): (&[&str], &[&str])) -> Cell {
    let joined = |words: &[&str]| words.concat();
    let (af, bf, ag, bg) = (
        joined(a_family),
        joined(b_family),
        joined(a_given),
        joined(b_given),
    );
    // One of two surnames.
    let shares = |a: &[&str], b: &[&str]| a.len() != b.len() && a.first() == b.first() && !a.is_empty();
    let family_exact = af == bf;
    let family = family_exact || shares(a_family, b_family);
    let family_near = !family && near(&af, &bf)
        || a_family
            .first()
            .zip(b_family.first())
            .is_some_and(|(a, b)| a_family.len() != b_family.len() && near(a, b));
    let given_same = !ag.is_empty() && ag == bg;
    let given = given_same || compatible(a_given, b_given);
    match () {
        () if family && given => Cell::WesternGivenCompatible,
        () if (family_near && given)
            || (family && near(&ag, &bg) && ag.len().min(bg.len()) > 5 && !gendered(&ag, &bg)) =>
        {
            Cell::WesternFamilyNear
        }
        () if family && near(&ag, &bg) => Cell::WesternGivenNear,
        () if family && (ag.is_empty() || bg.is_empty()) => Cell::WesternFamily,
        () if family => Cell::WesternFamily,
        () if given_same => Cell::WesternGiven,
        () => Cell::WesternNone,
    }
}

/// Whether two given names differ by their ending alone, as those of a brother and a sister do: Daniel and Daniela.
fn gendered(a: &str, b: &str) -> bool {
    let stem = |name: &'_ str| name.trim_end_matches(['a', 'e', 'o']).len();
    a != b && a.get(..stem(a)) == b.get(..stem(b))
}

/// An initial, a short form, or one of several given names.
fn compatible(a: &[&str], b: &[&str]) -> bool {
    let (Some(first), Some(other)) = (a.first(), b.first()) else {
        return false;
    };
    let initial = |a: &str, b: &str| a.len() == 1 && b.starts_with(a);
    let one =
        first == other || initial(first, other) || initial(other, first) || nicknames::alike(first, other);
    if !one {
        return false;
    }
    // What both give besides the first name must not differ.
    let rest = a.iter().skip(1).zip(b.iter().skip(1));
    let mut rest = rest.map(|(a, b)| a == b || initial(a, b) || initial(b, a) || near(a, b));
    rest.all(|fits| fits)
}

fn bones(a: &Name, b: &Name) -> Cell {
    if a.bones.is_empty() || b.bones.is_empty() {
        return Cell::NameBonesNone;
    }
    let (one, other) = (sorted_bones(a), sorted_bones(b));
    if one == other || one.replace(' ', "") == other.replace(' ', "") {
        return Cell::NameBones;
    }
    let found = |bone: &String, all: &[String]| {
        all.iter()
            .any(|o| o == bone || (bone.len() >= 3 && o.len() >= 3 && distance(o, bone, 1) <= 1))
    };
    // Every word of the shorter name is in the longer one; of two as long, each in the other: `Ali Ali` is not `Ali Omar`.
    let within = |few: &[String], many: &[String]| few.iter().all(|bone| found(bone, many));
    let exact = |few: &[String], many: &[String]| few.iter().filter(|bone| many.contains(bone)).count();
    let (all, exact) = match a.bones.len().cmp(&b.bones.len()) {
        Ordering::Less => (within(&a.bones, &b.bones), exact(&a.bones, &b.bones)),
        Ordering::Greater => (within(&b.bones, &a.bones), exact(&b.bones, &a.bones)),
        Ordering::Equal => (
            within(&a.bones, &b.bones) && within(&b.bones, &a.bones),
            exact(&a.bones, &b.bones).min(exact(&b.bones, &a.bones)),
        ),
    };
    match (all, exact) {
        (true, 2..) => Cell::NameBones,
        (true, 1..) => Cell::NameBonesNear,
        _ => Cell::NameBonesNone,
    }
}
