//! The Emirates, Egypt, Brazil, Portugal, Spain, Italy, Turkey.

use super::{Culture, Native, city};

const ARABIC: Option<Native> = Some(Native {
    script: "Arab",
    surname_first: false,
    between: " ",
});

const ARABIC_WOMEN: &[&str] = &[
    "Fatima=فاطمة", "Aisha=عائشة", "Layla=ليلى", "Mariam=مريم", "Amira=أميرة", "Noor=نور", "Salma=سلمى",
    "Huda=هدى",
];

const ARABIC_MEN: &[&str] = &[
    "Mohammed=محمد", "Ahmed=أحمد", "Omar=عمر", "Khalid=خالد", "Yousef=يوسف", "Hassan=حسن", "Tariq=طارق",
    "Sami=سامي",
];

pub(super) const EMIRATES: Culture = Culture {
    region: "AE",
    issuer: "ARE",
    language: "ar",
    native: ARABIC,
    surnames: &[
        "Al-Haddad=الحداد", "Al-Mansouri=المنصوري", "Al-Hashimi=الهاشمي", "Al-Zaabi=الزعابي",
        "Al-Farsi=الفارسي", "Al-Suwaidi=السويدي",
    ],
    women: ARABIC_WOMEN,
    men: ARABIC_MEN,
    two_surnames: false,
    middle: false,
    phones: &["+971 50 200 1###", "+971 55 200 1###"],
    trunk: "0",
    cities: &[city("Dubai", "", "AE-DU"), city("Abu Dhabi", "", "AE-AZ")],
    streets: &["Villa ##, Street #@", "Apt. ###, Marina Tower #"],
    passport: "N9#######",
    share: 4,
};

pub(super) const EGYPT: Culture = Culture {
    region: "EG",
    issuer: "EGY",
    language: "ar-EG",
    native: ARABIC,
    surnames: &[
        "Mahmoud=محمود", "Ibrahim=إبراهيم", "Mostafa=مصطفى", "Abdel Rahman=عبد الرحمن", "El Sayed=السيد",
        "Farouk=فاروق",
    ],
    women: ARABIC_WOMEN,
    men: ARABIC_MEN,
    two_surnames: false,
    middle: false,
    phones: &["+20 100 200 1###", "+20 122 200 1###"],
    trunk: "0",
    cities: &[city("Cairo", "115##", "EG-C"), city("Alexandria", "215##", "EG-ALX")],
    streets: &["## Talaat Harb Street", "1# El Geish Road"],
    passport: "A39######",
    share: 2,
};

pub(super) const BRAZIL: Culture = Culture {
    region: "BR",
    issuer: "BRA",
    language: "pt-BR",
    native: None,
    surnames: &[
        "Silva", "Santos", "Oliveira", "Souza", "Lima", "Carvalho", "Ribeiro", "Araújo", "Conceição", "Gonçalves",
    ],
    women: &["Maria Eduarda", "Ana Clara", "Júlia", "Letícia", "Beatriz", "Camila", "Luíza"],
    men: &["João Pedro", "Gabriel", "Lucas", "Thiago", "Rafael", "Antônio", "Mateus"],
    two_surnames: true,
    middle: false,
    phones: &["+55 11 92000 1###", "+55 21 92000 1###"],
    trunk: "0",
    cities: &[
        city("São Paulo", "013##-000", "BR-SP"),
        city("Rio de Janeiro", "220##-000", "BR-RJ"),
        city("Salvador", "400##-000", "BR-BA"),
    ],
    streets: &["Rua das Flores ##", "Avenida Brasil 1###, apto. ##"],
    passport: "FZ9#####",
    share: 4,
};

pub(super) const PORTUGAL: Culture = Culture {
    region: "PT",
    issuer: "PRT",
    language: "pt",
    native: None,
    surnames: &[
        "Ferreira", "Pereira", "Costa", "Rodrigues", "Martins", "Sousa", "Fernandes", "Lopes", "Marques", "Brandão",
    ],
    women: &["Inês", "Mariana", "Leonor", "Matilde", "Catarina", "Graça"],
    men: &["Tiago", "Duarte", "Gonçalo", "Rui", "Afonso", "Simão"],
    two_surnames: true,
    middle: false,
    phones: &["+351 912 000 1##", "+351 932 000 1##", "+351 962 000 1##"],
    trunk: "",
    cities: &[
        city("Lisboa", "1100-0##", "PT-11"),
        city("Porto", "4000-0##", "PT-13"),
        city("Évora", "7000-5##", "PT-07"),
    ],
    streets: &["Rua Augusta ##, #.º Esq.", "Largo do Carmo ##"],
    passport: "CZ9#####",
    share: 5,
};

pub(super) const SPAIN: Culture = Culture {
    region: "ES",
    issuer: "ESP",
    language: "es",
    native: None,
    surnames: &[
        "García", "Fernández", "López", "Martínez", "Sánchez", "Pérez", "Gómez", "Ortega", "Núñez", "Ibáñez",
        "De la Fuente", "Muñoz",
    ],
    women: &["María del Carmen", "Lucía", "Sofía", "Begoña", "Rocío", "Elena", "Itziar"],
    men: &["José Antonio", "Álvaro", "Iñigo", "Diego", "Javier", "Ramón", "Martín"],
    two_surnames: true,
    middle: false,
    phones: &["+34 600 001 ###", "+34 610 001 ###"],
    trunk: "",
    cities: &[
        city("Madrid", "280##", "ES-M"),
        city("Sevilla", "410##", "ES-SE"),
        city("Bilbao", "480##", "ES-BI"),
    ],
    streets: &["Calle Mayor ##, #.º #", "Paseo de la Alameda 1##"],
    passport: "XZA9#####",
    share: 6,
};

pub(super) const ITALY: Culture = Culture {
    region: "IT",
    issuer: "ITA",
    language: "it",
    native: None,
    surnames: &["Rossi", "Russo", "Ferrari", "Bianchi", "Romano", "Colombo", "D'Angelo", "De Luca", "Conti"],
    women: &["Giulia", "Chiara", "Francesca", "Sara", "Lucrezia"],
    men: &["Alessandro", "Niccolò", "Lorenzo", "Matteo", "Giuseppe", "Andrea"],
    two_surnames: false,
    middle: false,
    // Fixed lines keep their leading zero after the country code.
    phones: &["+39 06 9999 1###", "+39 02 9999 1###", "+39 347 000 1###"],
    trunk: "",
    cities: &[
        city("Roma", "001##", "IT-RM"),
        city("Milano", "201##", "IT-MI"),
        city("Torino", "101##", "IT-TO"),
    ],
    streets: &["Via Garibaldi ##", "Piazza della Libertà #, int. #"],
    passport: "YZ9######",
    share: 4,
};

pub(super) const TURKEY: Culture = Culture {
    region: "TR",
    issuer: "TUR",
    language: "tr",
    native: None,
    surnames: &["Yılmaz", "Kaya", "Demir", "Şahin", "Çelik", "Öztürk", "Aydın", "Işık"],
    women: &["Zeynep", "Elif", "Ayşe", "Gül", "Irmak", "Çiğdem"],
    men: &["Mehmet", "Mustafa", "Emre", "İbrahim", "Ozan", "Kağan"],
    two_surnames: false,
    middle: false,
    phones: &["+90 532 000 1###", "+90 555 000 1###"],
    trunk: "0",
    cities: &[city("İstanbul", "344##", "TR-34"), city("İzmir", "350##", "TR-35")],
    streets: &["İstiklal Caddesi No: 1##", "Atatürk Bulvarı ##/#"],
    passport: "U9#######",
    share: 3,
};
