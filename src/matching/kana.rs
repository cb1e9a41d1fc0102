//! Kana in Latin letters, and romaji in one spelling.

/// Whether a character is hiragana or katakana.
pub(super) fn is_kana(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}')
}

/// The syllables of katakana from U+30A1 on, in the order of the code chart; small ones as their large ones, but for
/// the small `ya yu yo tsu`, which change their neighbours.
const CHART: &str = "a a i i u u e e o o ka ga ki gi ku gu ke ge ko go sa za shi ji su zu se ze so zo ta da chi ji - tsu zu te de to do na ni nu ne no ha ba pa hi bi pi fu bu pu he be pe ho bo po ma mi mu me mo +ya ya +yu yu +yo yo ra ri ru re ro wa wa i e o n vu ka ke";

/// Hepburn, long vowels not yet folded.
pub(super) fn romaji(text: &str) -> String {
    let mut out = String::new();
    let mut double = false;
    for c in text.chars() {
        if c == 'ー' {
            continue;
        }
        // Hiragana lie 0x60 below katakana.
        let code = u32::from(c);
        let code = if (0x3041..=0x3096).contains(&code) {
            code + 0x60
        } else {
            code
        };
        let Some(syllable) = code
            .checked_sub(0x30a1)
            .and_then(|at| CHART.split(' ').nth(usize::try_from(at).ok()?))
        else {
            if c.is_ascii_alphabetic() {
                out.push(c.to_ascii_lowercase());
            }
            continue;
        };
        if syllable == "-" {
            double = true;
        } else if let Some(glide) = syllable.strip_prefix('+') {
            join_glide(&mut out, glide);
        } else {
            if double {
                out.extend(syllable.chars().next());
                double = false;
            }
            out.push_str(syllable);
        }
    }
    out
}

/// `ki` and a small `ya` are `kya`; `shi` and a small `yu` are `shu`.
fn join_glide(out: &mut String, glide: &str) {
    let soft = ["shi", "chi", "ji"].iter().any(|end| out.ends_with(end));
    if out.ends_with('i') {
        out.pop();
        out.push_str(if soft {
            glide.trim_start_matches('y')
        } else {
            glide
        });
    } else {
        out.push_str(glide);
    }
}

/// One spelling for all romanisations: Hepburn or Kunrei, long vowels short.
pub(super) fn folded(romaji: &str) -> String {
    const RULES: [(&str, &str); 24] = [
        ("tch", "cch"),
        ("sha", "sya"),
        ("shu", "syu"),
        ("sho", "syo"),
        ("shi", "si"),
        ("cha", "tya"),
        ("chu", "tyu"),
        ("cho", "tyo"),
        ("chi", "ti"),
        ("tsu", "tu"),
        ("ja", "zya"),
        ("ju", "zyu"),
        ("jo", "zyo"),
        ("ji", "zi"),
        ("fu", "hu"),
        ("ou", "o"),
        ("oo", "o"),
        ("uu", "u"),
        ("aa", "a"),
        ("ii", "i"),
        ("ee", "e"),
        ("mb", "nb"),
        ("mp", "np"),
        ("mm", "nm"),
    ];
    let mut text = romaji.to_owned();
    for (from, to) in RULES {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    // `Ohta`, `Satoh`: an h after o that no vowel follows only lengthens it.
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        let next = chars.get(at + 1);
        let lengthens = *c == 'h' && out.ends_with('o') && !next.is_some_and(|n| "aeiouy".contains(*n));
        if !lengthens {
            out.push(*c);
        }
    }
    out
}
