//! Chinese characters: simplified, and read aloud the way surnames are.

use std::{collections::HashMap, sync::LazyLock};

use super::text;

/// Pairs of a traditional character and the simplified one; its source and licence stand in the file.
static SIMPLIFIED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let pair = |line: &str| {
        let mut parts = line.split(' ').map(|part| {
            let mut chars = part.chars();
            chars.next().filter(|_| chars.next().is_none())
        });
        parts.next().flatten().zip(parts.next().flatten())
    };
    include_str!("data/simplified.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(pair)
        .collect()
});

/// Surnames of two characters.
const DOUBLE: &str = "欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 令狐 张简 范姜";

/// Characters that are read otherwise as a surname.
const SURNAME_READINGS: [(char, &str); 24] = [
    ('单', "shan"),
    ('曾', "zeng"),
    ('仇', "qiu"),
    ('解', "xie"),
    ('查', "zha"),
    ('盖', "ge"),
    ('任', "ren"),
    ('区', "ou"),
    ('朴', "piao"),
    ('翟', "zhai"),
    ('覃', "qin"),
    ('缪', "miao"),
    ('尉', "wei"),
    ('乐', "yue"),
    ('冼', "xian"),
    ('员', "yun"),
    ('黑', "he"),
    ('秘', "bi"),
    ('折', "she"),
    ('宓', "fu"),
    ('卜', "bu"),
    ('种', "chong"),
    ('洗', "xian"),
    ('沈', "shen"),
];

/// Given-name characters that a table of first readings gets wrong.
const READINGS: [(char, &str); 10] = [
    ('长', "chang"),
    ('朝', "chao"),
    ('行', "xing"),
    ('乐', "le"),
    ('茜', "qian"),
    ('娜', "na"),
    ('晟', "sheng"),
    ('曦', "xi"),
    ('珺', "jun"),
    ('祎', "yi"),
];

/// Syllables of surnames as they are written in Latin letters, in pinyin and Wade-Giles.
static SURNAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut all: Vec<&str> = "ai an ao ba bai ban bao bei bi bian bo bu cai cao cen chai chan chang chao che chen cheng chi chia chiang chien chin ching chiu cho chou chow chu chuang chui chung chueh cong cui dai dang deng di diao ding dong dou du duan e fan fang fei feng fu gan gao ge geng gong gou gu guan guang gui guo ha hai han hang hao he heng ho hong hou hsi hsia hsiang hsiao hsieh hsiung hsu hsueh hu hua huai huan huang hui hung huo i ji jia jian jiang jiao jie jin jing jiu ju juan jue jun kan kang kao ke ken ko kong kou ku kuan kuang kuo lai lan lang lao lei leng li lian liang liao lien lin ling liu lo long lou lu luan lue lun luo lung ma mai man mao mei meng mi miao min ming mo mou mu na nan ni nian nie ning niu nong ou ouyang ouyan pai pan pang pao pei peng pi piao ping po pu qi qian qiang qiao qin qing qiu qu quan que ran rao ren rong ruan rui sha shan shang shao she shen sheng shi shih shu shuai shuang shui situ sima song su sui sun sung tai tan tang tao teng ti tian tien tien ting tong tou tsai tsao tseng tso tsou tsui tu tuan tung wan wang wei wen weng wo wu xi xia xian xiang xiao xie xin xing xiong xiu xu xuan xue xun yan yang yao ye yeh yen yi yin ying yong you yu yuan yue yun yung zan zeng zha zhai zhan zhang zhao zhen zheng zhi zhong zhou zhu zhuang zhuge zhuo zong zou zu zuo shangguan huangfu murong"
        .split(' ')
        .collect();
    all.sort_unstable();
    all
});

/// Whether a character is one of the unified ideographs.
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}' | '々')
}

/// Every character in its simplified form.
pub(super) fn simplified(text: &str) -> String {
    text.chars()
        .map(|c| SIMPLIFIED.get(&c).copied().unwrap_or(c))
        .collect()
}

/// Splits a whole Chinese name, surname first.
pub(super) fn split(name: &str) -> (String, String) {
    let chars: Vec<char> = name.chars().collect();
    let double: String = chars.iter().take(2).collect();
    let surname = if chars.len() > 2 && DOUBLE.split(' ').any(|known| known == double) {
        2
    } else {
        1
    };
    let (surname, given) = chars.split_at(surname.min(chars.len()));
    (surname.iter().collect(), given.iter().collect())
}

/// Splits a whole Japanese name written in four or more characters in the middle; surnames mostly have two.
pub(super) fn split_japanese(name: &str) -> (String, String) {
    let chars: Vec<char> = name.chars().collect();
    let (surname, given) = chars.split_at(2.min(chars.len()));
    (surname.iter().collect(), given.iter().collect())
}

/// Pinyin without tones.
pub(super) fn pinyin(text: &str, surname: bool) -> String {
    let one = |c: char| -> String {
        let table = |readings: &[(char, &str)]| {
            let found = readings.iter().find(|(known, _)| *known == c);
            found.map(|(_, reading)| (*reading).to_owned())
        };
        surname
            .then(|| table(&SURNAME_READINGS))
            .flatten()
            .or_else(|| table(&READINGS))
            .unwrap_or_else(|| text::letters(&c.to_string()))
    };
    text.chars().map(one).collect()
}

/// Whether a word may be a Chinese surname in Latin letters.
pub(super) fn is_surname(word: &str) -> bool {
    SURNAMES.binary_search(&word).is_ok()
}

/// Pinyin and Wade-Giles without marks in one spelling, coarser than both: `zhixiong` and `chihhsiung` are the same.
pub(super) fn loose(word: &str) -> String {
    // Order matters: longer spellings first. Capitals are classes that no later rule touches; V is the closing `ng`.
    const RULES: [(&str, &str); 38] = [
        ("lyu", "LU"),
        ("nyu", "NU"),
        ("ong", "UV"),
        ("ung", "UV"),
        ("ng", "V"),
        ("ssu", "SI"),
        ("szu", "SI"),
        ("tzu", "ZI"),
        ("chih", "CI"),
        ("shih", "SI"),
        ("jih", "RI"),
        ("zh", "C"),
        ("ch", "C"),
        ("q", "C"),
        ("j", "C"),
        ("hs", "S"),
        ("sh", "S"),
        ("x", "S"),
        ("tz", "Z"),
        ("ts", "Z"),
        ("z", "Z"),
        ("c", "Z"),
        ("b", "P"),
        ("d", "T"),
        ("g", "K"),
        ("k", "K"),
        ("ieh", "IE"),
        ("ueh", "UE"),
        ("erh", "ER"),
        ("ian", "IEN"),
        ("ien", "IEN"),
        ("yan", "YEN"),
        ("uei", "UI"),
        ("you", "YU"),
        ("uo", "E"),
        ("yi", "I"),
        ("ou", "OU"),
        ("ao", "AO"),
    ];
    let mut text = word.to_owned();
    for (from, to) in RULES {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    text.to_ascii_lowercase().replace("iou", "iu").chars().fold(
        String::with_capacity(text.len()),
        |mut out, c| {
            // `ko` and `ge`, `ho` and `he`: one vowel when it ends a syllable.
            let folded = if c == 'o' && !out.ends_with('a') { 'e' } else { c };
            out.push(folded);
            out
        },
    )
}
