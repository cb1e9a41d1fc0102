//! Rules and laws of matching.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    Cell, Frequencies, Paper, Person, Place, Said, Weights,
    births::{self, Birth},
    blocking::{KeyKind, keys},
    contacts, han,
    names::{self, Surroundings},
    same_name,
    score::{probability, score},
    text,
};

fn named(surname: &str, given: &str, country: &'static str) -> Person {
    Person::of(&Said {
        surname,
        given,
        country,
        ..Said::default()
    })
}

/// How two names agree.
fn level(a: (&str, &str, &'static str), b: (&str, &str, &'static str)) -> Option<Cell> {
    let (a, b) = (named(a.0, a.1, a.2), named(b.0, b.1, b.2));
    let (one, other) = (a.names.first()?, b.names.first()?);
    same_name::compare(one, other)
}

#[test]
fn one_name_in_many_spellings() {
    use Cell::*;
    for (a, b, expected) in [
        (("王", "小明", "CN"), ("WANG/XIAOMING MR", "", "CN"), EasternExact),
        (
            ("王小明先生", "", "CN"),
            ("Xiao Ming", "Wang", "CN"),
            EasternExact,
        ),
        (("陳", "曉明", "TW"), ("陈晓明", "", "CN"), NativeExact),
        (("陈", "晓明", "CN"), ("陈", "晓东", "CN"), NativeFamilyAndOne),
        (("单", "雄信", "CN"), ("Shan", "Xiongxin", "CN"), EasternExact),
        (("欧阳", "娜", "CN"), ("OUYANG/NA", "", "CN"), EasternExact),
        (("蔡", "秀琴", "TW"), ("Tsai", "Hsiu-chin", "TW"), EasternExact),
        (("黃", "明宏", "TW"), ("MINGHUNG/HUANG", "", "TW"), EasternExact),
        (
            ("タカハシ", "シュウヘイ", "JP"),
            ("Takahashi", "Shohei", "JP"),
            EasternGivenNear,
        ),
        (
            ("タカハシ", "シュウヘイ", "JP"),
            ("TAKAHASHI", "SHUUHEI", "JP"),
            EasternExact,
        ),
        (("オオタ", "カオリ", "JP"), ("Ohta", "Kaori", "JP"), EasternExact),
        (("Müller", "Jörg", "DE"), ("MUELLER", "JOERG", "DE"), WesternExact),
        (("Müller", "Jörg", "DE"), ("Muller", "Jorg", "DE"), WesternExact),
        (("Klein", "Molly", "US"), ("Molly Klein", "", "US"), WesternExact),
        (
            ("Smith", "Mark J.", "US"),
            ("SMITH", "MARK JACOB", "US"),
            WesternGivenCompatible,
        ),
        (
            ("Garcia", "Bob", "US"),
            ("Garcia", "Robert", "US"),
            WesternGivenCompatible,
        ),
        (
            ("Salva", "Claudio", "ES"),
            ("Salva Ortiz", "Claudio", "ES"),
            WesternGivenCompatible,
        ),
        (
            ("Edwards", "Steven", "US"),
            ("EDWARDS", "BRYAN", "US"),
            WesternFamily,
        ),
        (("Walker", "James", "US"), ("Fischer", "Antje", "DE"), WesternNone),
        (
            ("الزهراني", "دينا", "AE"),
            ("Al Zahrani", "Dina", "AE"),
            NameBones,
        ),
        (
            ("Alhashmi", "Zainab", "AE"),
            ("AL-HASHEMI", "ZAYNAB", "AE"),
            NameBones,
        ),
        // Each word of one is in the other, but not the other way round.
        (
            ("Khalid", "Khalid", "AE"),
            ("Khalid", "Rashid", "AE"),
            WesternFamily,
        ),
    ] {
        assert_eq!(level(a, b), Some(expected), "{a:?} {b:?}");
        assert_eq!(level(b, a), Some(expected), "{b:?} {a:?}");
    }
    // Kanji have no reading here: that is no evidence either way.
    assert_eq!(level(("鈴木", "直人", "JP"), ("Suzuki", "Naoto", "JP")), None);
    // `ue` is a vowel of its own where German is not spoken.
    assert_ne!(
        level(("Xue", "Li", "US"), ("Xu", "Li", "US")),
        Some(Cell::WesternExact)
    );
}

#[test]
fn what_stands_for_nothing_is_nothing() {
    for phone in [
        "13800138000",
        "0",
        "00000000000",
        "12345678",
        "+1 111 111 1111",
        "",
    ] {
        assert!(contacts::phone(phone, false).is_none(), "{phone}");
    }
    for email in [
        "none@none.com",
        "groups10@pearl-travel.com",
        "ana.1@guest.booking.com",
        "info@inn.example.org",
        "x",
    ] {
        assert!(contacts::email(email).is_none(), "{email}");
    }
    for date in ["1900-01-01", "1970-01-01", "", "yesterday", "2020-00-10"] {
        assert!(births::read(date).is_none(), "{date}");
    }
    for (surname, given) in [("Unknown", ""), ("", ""), ("--", ""), ("王*", "")] {
        assert!(named(surname, given, "").names.is_empty(), "{surname}");
    }
}

#[test]
fn one_value_in_many_shapes() {
    let day = Birth {
        year: 1978,
        month: 5,
        day: 10,
        short: false,
    };
    for date in ["1978-05-10", "19780510", "10/05/1978", "10.05.1978", "1978/05/10"] {
        assert_eq!(births::read(date), Some(day), "{date}");
    }
    assert_eq!(births::read("10MAY78"), Some(Birth { short: true, ..day }));
    for phone in [
        "+86 138 1234 5679",
        "138-1234-5679",
        "008613812345679",
        "8613812345679",
        "(+86)13812345679",
    ] {
        assert!(
            contacts::phone(phone, false).is_some_and(|p| p.0 == "13812345679"),
            "{phone}"
        );
    }
    assert!(contacts::phone("17736043312", true).is_some_and(|p| p.0 == "7736043312"));
    let mail = |text: &str| contacts::email(text).map(|mail| format!("{}@{}", mail.local, mail.domain));
    assert_eq!(mail("A.na+hotel@GoogleMail.com"), mail("ana@gmail.com"));
}

#[test]
fn a_resident_number_tells_a_birthday_and_parts_two_people() {
    let of = |number: &'static str| {
        Person::of(&Said {
            surname: "王",
            given: "芳",
            papers: vec![Paper {
                number,
                country: None,
            }],
            ..Said::default()
        })
    };
    // The example of GB 11643-1999, and an invented one.
    let (one, other) = (of("11010519491231002X"), of("440524188001010014"));
    assert_eq!(
        one.births.first().map(|b| (b.year, b.month, b.day)),
        Some((1949, 12, 31))
    );
    assert!(one.is_certainly_not(&other) && !one.is_certainly_not(&one.clone()));
    let score = score(&Weights::default(), &Frequencies::new(1e6), &one, &other);
    assert!(score.veto && score.probability() == 0.0);
    // A misread one parts nobody.
    assert!(!one.is_certainly_not(&of("110105194912310021")));
}

#[test]
fn brothers_and_sisters_are_a_stewards_question() {
    let said = |given: &'static str| {
        Person::of(&Said {
            surname: "Silva",
            given,
            birth_date: "1990-05-17",
            phones: vec!["+351 912 345 999"],
            places: vec![Place {
                street: "Rua do Sol 7",
                city: "Lisboa",
                postcode: "1200-195",
            }],
            country: "PT",
            ..Said::default()
        })
    };
    let links = |a: &Person, b: &Person| {
        let score = score(&Weights::default(), &Frequencies::new(1e6), a, b);
        assert!(score.bits >= 0.0, "asked at least: {score:?}");
        score.links(8.0)
    };
    for (one, other) in [
        ("Luis", "Luisa"),
        ("Paul", "Paula"),
        ("Anna", "Anne"),
        ("Marco", "Mario"),
        ("Daniel", "Daniela"),
        ("Francisco", "Francisca"),
    ] {
        assert!(!links(&said(one), &said(other)), "{one} {other}");
        assert!(!links(&said(other), &said(one)), "{other} {one}");
    }
    assert!(links(&said("Luis"), &said("Luis")));
    assert!(links(&said("Joana"), &said("J.")));
    // Whom an initial joined is not everybody with that initial.
    let mut joined = said("Joana");
    joined.add(&said("J."));
    assert!(!links(&said("José"), &joined));
    assert!(links(&said("Joana"), &joined));
    assert!(links(&said("J."), &joined));
}

/// The measured examples of the design, at a million guests.
#[test]
fn households_are_weighed_against() {
    let said = |surname: &'static str, given: &'static str, birth_date: &'static str| {
        Person::of(&Said {
            surname,
            given,
            birth_date,
            phones: vec!["+86 138 1234 5679"],
            ..Said::default()
        })
    };
    let bits = |a: &Person, b: &Person| score(&Weights::default(), &Frequencies::new(1e6), a, b).bits;
    let near = |got: f64, expected: f64| assert!((got - expected).abs() < 0.3, "{got} {expected}");
    near(
        bits(&said("陈", "晓明", ""), &said("CHEN/XIAOMING MR", "", "")),
        11.5,
    );
    near(bits(&said("陈", "晓明", ""), &said("陈", "晓东", "")), -4.2);
    let english = |date: &'static str| {
        Person::of(&Said {
            surname: "Walker",
            given: "James",
            birth_date: date,
            phones: vec!["+44 20 7946 0123"],
            ..Said::default()
        })
    };
    near(bits(&english(""), &english("")), 7.3);
    near(bits(&english("1960-03-04"), &english("1987-11-23")), -1.1);
}

/// Numbers that are handed out in a row are a family's or an office's, not a slip.
#[test]
fn neighbouring_numbers_and_a_like_name_are_asked_about() {
    let said = |surname: &'static str, phone: &'static str| {
        Person::of(&Said {
            surname,
            given: "Anna",
            phones: vec![phone],
            ..Said::default()
        })
    };
    for (one, other) in [
        ("Surname2", "Surname3"),
        ("Meier", "Meyer"),
        ("Lindqvist", "Lindkvist"),
    ] {
        for (phone, next) in [
            ("+351912000002", "+351912000003"),
            ("+351912000029", "+351912000039"),
        ] {
            let (a, b) = (said(one, phone), said(other, next));
            let bits = score(&Weights::default(), &Frequencies::new(1_000.0), &a, &b).bits;
            assert!((0.0..7.0).contains(&bits), "{one} {other} {bits}");
        }
    }
    let same = score(
        &Weights::default(),
        &Frequencies::new(1_000.0),
        &said("Lindqvist", "+351912000029"),
        &said("Lindkvist", "+351912000029"),
    );
    assert!(same.bits > 8.0, "{}", same.bits);
}

/// Passports and telephones that were got together: twins, or two of one tour with a made-up birthday.
#[test]
fn several_slips_and_nothing_that_agrees_are_asked_about() {
    let said = |given: &'static str, phone: &'static str, email: &'static str, number: &'static str| {
        Person::of(&Said {
            surname: "Lin",
            given,
            birth_date: "1990-02-03",
            phones: vec![phone],
            emails: vec![email],
            papers: vec![Paper {
                number,
                country: Some("CN"),
            }],
            country: "CN",
            ..Said::default()
        })
    };
    let one = said("Mei", "+8613912340010", "lin10@guests.example", "E87650010");
    let links = |other: &Person| {
        let score = score(&Weights::default(), &Frequencies::new(1e6), &one, other);
        assert!(score.bits >= 8.0, "{score:?}");
        score.links(8.0)
    };
    for other in [
        said("Mei", "+8613912340011", "lin11@guests.example", "E87650011"),
        said("Mei", "+8613912340011", "lotus@guests.example", "E87650011"),
        said("Mei", "+8613972340010", "lotus@guests.example", "E87650019"),
    ] {
        assert!(!links(&other));
    }
    // One slip is one: what agrees beside it speaks for it.
    assert!(links(&said(
        "Mei",
        "+8613912340010",
        "lin11@guests.example",
        "E87650011"
    )));
    assert!(links(&said(
        "Mei",
        "+8613912340011",
        "lin11@guests.example",
        "E87650010"
    )));
}

#[test]
fn no_key_is_a_birth_date_a_city_or_a_country_alone() {
    let person = Person::of(&Said {
        surname: "Klein",
        given: "Molly",
        birth_date: "1998-02-06",
        emails: vec!["molly.klein@example.org"],
        phones: vec!["+13032725642"],
        places: vec![Place {
            street: "12 Main Street",
            city: "Denver",
            postcode: "80014",
        }],
        country: "US",
        ..Said::default()
    });
    let all = keys(&person);
    let kinds: BTreeSet<KeyKind> = all.iter().map(|key| key.kind).collect();
    assert!(
        kinds.contains(&KeyKind::Phone) && kinds.contains(&KeyKind::Name) && kinds.contains(&KeyKind::House)
    );
    for key in &all {
        assert!(
            !["19980206", "980206", "denver", "80014", "US"].contains(&key.value.as_str()),
            "{}",
            key.value
        );
    }
    assert!(all.len() <= 16, "{}", all.len());
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} names, {} phones", self.names.len(), self.phones.len())
    }
}

/// Words of several scripts.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z]{1,12}",
        "[王李张陈刘欧阳娜小明芳伟]{1,4}",
        "[アイウカキシュョッンー]{1,6}",
        "[ابتدرسلمن]{2,7}",
        "[ÄÖÜäöüßéñ]{1,4}",
        "\\PC{0,12}",
        Just(String::new()),
    ]
}

fn said() -> impl Strategy<Value = Person> {
    let country = prop_oneof![
        Just("CN"),
        Just("JP"),
        Just("DE"),
        Just("AE"),
        Just("US"),
        Just("")
    ];
    let date = prop_oneof![Just(String::new()), "19[0-9]{2}-0[1-9]-[12][0-9]", "\\PC{0,10}"];
    let phone = prop_oneof![Just(String::new()), "\\+[1-9][0-9]{8,12}", "[0-9*]{4,14}"];
    let mail = prop_oneof![
        Just(String::new()),
        "[a-z.]{1,9}@[a-z]{2,5}\\.[a-z]{2,3}",
        "\\PC{0,12}"
    ];
    let paper = prop_oneof![Just(String::new()), "[A-Z0-9]{5,18}", "\\PC{0,8}"];
    (word(), word(), country, date, phone, mail, paper, word(), word()).prop_map(
        |(surname, given, country, birth, phone, mail, paper, street, city)| {
            Person::of(&Said {
                surname: &surname,
                given: &given,
                birth_date: &birth,
                emails: vec![&mail],
                phones: vec![&phone],
                papers: vec![Paper {
                    number: &paper,
                    country: None,
                }],
                places: vec![Place {
                    street: &street,
                    city: &city,
                    postcode: "",
                }],
                country,
                ..Said::default()
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn scores_are_symmetric_and_explained_in_full(a in said(), b in said()) {
        let (weights, nobody) = (Weights::default(), Frequencies::new(1e5));
        let (there, back) = (score(&weights, &nobody, &a, &b), score(&weights, &nobody, &b, &a));
        prop_assert!((there.bits - back.bits).abs() < 1e-9, "{:?} {:?}", there.parts, back.parts);
        prop_assert!(there.bits.is_finite());
        prop_assert!(there.bits <= there.stranger + 1e-9 && there.bits <= there.household + 1e-9);
        let sum: f64 = there.shares().iter().map(|share| share.weight).sum();
        prop_assert!((sum - there.bits).abs() < 1e-9);
        prop_assert_eq!(there.clone(), score(&weights, &nobody, &a, &b));
    }

    #[test]
    fn who_is_compared_with_itself_never_disagrees(a in said()) {
        let same = score(&Weights::default(), &Frequencies::new(1e5), &a, &a.clone());
        let plus = score(&Weights::default(), &Frequencies::new(1e5), &Person::default(), &a);
        prop_assert!(!same.veto);
        prop_assert!(same.household + 1e-9 >= plus.household - 0.5);
    }

    #[test]
    fn the_same_words_twice_add_nothing(a in said()) {
        let mut twice = a.clone();
        twice.add(&a);
        prop_assert!(twice.names == a.names && twice.phones == a.phones && twice.papers == a.papers);
        prop_assert!(keys(&twice) == keys(&a));
    }

    #[test]
    fn distance_is_one(a in "[a-d]{0,9}", b in "[a-d]{0,9}", most in 0_usize..4) {
        let far = text::distance(&a, &b, most);
        prop_assert_eq!(far, text::distance(&b, &a, most));
        prop_assert_eq!(far == 0, a == b);
        prop_assert!(far <= most + 1);
    }

    #[test]
    fn rotations_agree(a in "[a-e]{0,8}", at in 0_usize..8) {
        let at = at.min(a.len());
        let (head, tail) = a.split_at(at);
        prop_assert_eq!(text::rotation(&a), text::rotation(&format!("{tail}{head}")));
    }

    #[test]
    fn no_text_breaks_a_reader(a in "\\PC{0,40}", b in "\\PC{0,40}") {
        let around = Surroundings { japanese: true, ..Surroundings::default() };
        let _ = (names::read(&a, &b, around), births::read(&a), contacts::phone(&b, true), contacts::email(&a));
        prop_assert_eq!(han::simplified(&han::simplified(&a)).chars().count(), a.chars().count());
        prop_assert!((0.0..=1.0).contains(&probability(f64::from(u32::try_from(a.len()).unwrap()) - 20.0)));
    }
}
