//! Germany, France, Poland, Sweden, Norway, Britain, America, Australia.

use super::{Culture, city};

pub(super) const GERMANY: Culture = Culture {
    region: "DE",
    issuer: "D<<",
    language: "de",
    native: None,
    surnames: &[
        "Müller", "Schmidt", "Schneider", "Weiß", "Schäfer", "Krüger", "Vogel", "Jäger", "Groß", "von Arnim",
        "Böhm", "Lüdecke",
    ],
    women: &["Anna", "Käthe", "Sophie", "Frieda", "Änne", "Charlotte", "Greta"],
    men: &["Jürgen", "Lukas", "Jörg", "Hans-Peter", "Björn", "Felix", "Matthias", "Götz"],
    two_surnames: false,
    middle: true,
    // Bundesnetzagentur: numbers for film and television.
    phones: &["+49 30 23125 ###", "+49 40 66969 ###", "+49 89 99998 ###", "+49 176 040690##"],
    trunk: "0",
    cities: &[
        city("Berlin", "101##", "DE-BE"),
        city("Hamburg", "203##", "DE-HH"),
        city("München", "803##", "DE-BY"),
        city("Köln", "506##", "DE-NW"),
    ],
    streets: &["Lindenstraße ##", "Am Mühlbach #", "Große Gasse 1#"],
    passport: "C01X#####",
    share: 9,
};

pub(super) const FRANCE: Culture = Culture {
    region: "FR",
    issuer: "FRA",
    language: "fr",
    native: None,
    surnames: &[
        "Martin", "Lefèvre", "Dubois", "Moreau", "Girard", "Garçon", "Benoît", "D'Estaing-Roux", "Châtelain", "Noël",
    ],
    women: &["Chloé", "Zoé", "Hélène", "Anaïs", "Françoise", "Marie-Claire", "Léa"],
    men: &["Jérôme", "François", "Loïc", "Théo", "Jean-Luc", "Raphaël", "Gaël"],
    two_surnames: false,
    middle: false,
    // Arcep: numbers for audiovisual works. The mobile ones (06 39 98) are refused by libphonenumber.
    phones: &["+33 1 99 00 ## ##", "+33 2 61 91 ## ##", "+33 4 65 71 ## ##"],
    trunk: "0",
    cities: &[
        city("Paris", "750##", "FR-75C"),
        city("Lyon", "690##", "FR-69M"),
        city("Orléans", "450##", "FR-45"),
    ],
    streets: &["## rue de la République", "1# quai des Cerisiers"],
    passport: "99ZZ#####",
    share: 6,
};

pub(super) const POLAND: Culture = Culture {
    region: "PL",
    issuer: "POL",
    language: "pl",
    native: None,
    surnames: &["Nowak", "Wójcik", "Dąbrowicz", "Krawczyk", "Wróbel", "Zając", "Król", "Stępień", "Łuczak"],
    women: &["Małgorzata", "Agnieszka", "Zofia", "Łucja", "Grażyna", "Anna"],
    men: &["Łukasz", "Paweł", "Stanisław", "Krzysztof", "Michał", "Święcisław"],
    two_surnames: false,
    middle: false,
    phones: &["+48 600 001 ###", "+48 22 550 1###"],
    trunk: "",
    cities: &[
        city("Warszawa", "00-0##", "PL-14"),
        city("Kraków", "30-0##", "PL-12"),
        city("Łódź", "90-0##", "PL-10"),
    ],
    streets: &["ul. Długa ##/#", "al. Róż 1#"],
    passport: "ZZ9######",
    share: 3,
};

pub(super) const SWEDEN: Culture = Culture {
    region: "SE",
    issuer: "SWE",
    language: "sv",
    native: None,
    surnames: &["Lindqvist", "Åkesson", "Öberg", "Sjöström", "Bergström", "Holm"],
    women: &["Astrid", "Åsa", "Elsa", "Märta", "Saga"],
    men: &["Björn", "Göran", "Nils", "Åke", "Håkan"],
    two_surnames: false,
    middle: false,
    // Post- och telestyrelsen: numbers for books and film.
    phones: &["+46 70 174 06##", "+46 8 465 004 ##"],
    trunk: "0",
    cities: &[city("Stockholm", "111 ##", "SE-AB"), city("Malmö", "211 ##", "SE-M")],
    streets: &["Storgatan ##", "Björkvägen #"],
    passport: "99#######",
    share: 2,
};

pub(super) const NORWAY: Culture = Culture {
    region: "NO",
    issuer: "NOR",
    language: "nb",
    native: None,
    surnames: &["Sørensen", "Ødegård", "Bjørnstad", "Næss", "Haugen"],
    women: &["Ingrid", "Sølvi", "Kari", "Åshild", "Nora"],
    men: &["Øyvind", "Bjørn", "Pål", "Sverre", "Håvard"],
    two_surnames: false,
    middle: false,
    phones: &["+47 400 01 ###", "+47 900 01 ###"],
    trunk: "",
    cities: &[city("Oslo", "01##", "NO-03"), city("Bergen", "50##", "NO-46")],
    streets: &["Fjordveien ##", "Bryggen #"],
    passport: "CZ#######",
    share: 1,
};

pub(super) const BRITAIN: Culture = Culture {
    region: "GB",
    issuer: "GBR",
    language: "en-GB",
    native: None,
    surnames: &[
        "Smith", "Harris", "O'Connell", "Taylor-Brown", "Hughes", "MacLeod", "Begum", "Clarke", "Whitfield", "Nguyen",
    ],
    women: &["Olivia", "Siân", "Emily", "Zara", "Harriet", "Niamh"],
    men: &["Oliver", "Tom", "George", "Callum", "Rhys", "Imran"],
    two_surnames: false,
    middle: true,
    // Ofcom: numbers for drama. The mobile ones (07700 900) are refused by libphonenumber.
    phones: &["+44 161 496 0###", "+44 20 7946 0###", "+44 117 496 0###"],
    trunk: "0",
    cities: &[
        city("London", "SW1A #AA", ""),
        city("Leeds", "LS1 #AB", ""),
        city("Edinburgh", "EH1 #BB", ""),
    ],
    streets: &["## Acacia Avenue", "Flat #, 1## Mill Lane"],
    passport: "99#######",
    share: 5,
};

pub(super) const AMERICA: Culture = Culture {
    region: "US",
    issuer: "USA",
    language: "en-US",
    native: None,
    surnames: &["Johnson", "Williams", "Garcia", "Miller", "Davis", "Kowalski", "Washington", "Tran", "Cohen"],
    women: &["Ava", "Madison", "Grace", "Keisha", "Abigail", "Elizabeth"],
    men: &["William", "Mason", "Tyrone", "Robert", "Jacob", "Ethan"],
    two_surnames: false,
    middle: true,
    // NANPA: 555-0100 to 555-0199 of every area code.
    phones: &["+1 212 555 01##", "+1 415 555 01##", "+1 312 555 01##", "+1 206 555 01##"],
    trunk: "",
    cities: &[
        city("New York, NY", "100##", "US-NY"),
        city("Portland, OR", "972##", "US-OR"),
        city("Austin, TX", "787##", "US-TX"),
    ],
    streets: &["12## Elm Street, Apt. #@", "### Harbor Boulevard"],
    passport: "A9#######",
    share: 3,
};

pub(super) const AUSTRALIA: Culture = Culture {
    region: "AU",
    issuer: "AUS",
    language: "en-AU",
    native: None,
    surnames: &["Kelly", "Campbell", "Papadopoulos", "Nguyen", "Walker", "Robinson"],
    women: &["Charlotte", "Matilda", "Isla", "Ruby"],
    men: &["Jack", "Lachlan", "Cooper", "Angus"],
    two_surnames: false,
    middle: true,
    // ACMA: numbers for creative works.
    phones: &["+61 491 570 ###", "+61 2 5550 1###"],
    trunk: "0",
    cities: &[city("Sydney", "20##", "AU-NSW"), city("Melbourne", "30##", "AU-VIC")],
    streets: &["## Wattle Street", "Unit #, 1# Beach Parade"],
    passport: "PZ#######",
    share: 1,
};
