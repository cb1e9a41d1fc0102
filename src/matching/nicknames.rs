//! Short forms of given names that share too few letters with the long ones.

use std::{collections::HashMap, sync::LazyLock};

/// Each line: names that may stand for each other.
const GROUPS: &str = "robert bob rob bobby
william bill will billy willy liam
richard rick dick ricky rich
michael mike mick mickey micky
james jim jimmy jamie
john jack johnny jon
edward ed ted eddie ned
charles charlie chuck
thomas tom tommy
joseph joe joey
daniel dan danny
david dave
matthew matt
christopher chris
christine christina chris tina
anthony tony antonio
andrew andy drew
steven stephen steve
kenneth ken kenny
ronald ron ronnie
donald don donnie
timothy tim
gregory greg
jeffrey jeff geoffrey
benjamin ben
samuel sam
samantha sam
alexander alex sandy
alexandra alex sandra
nicholas nick
patrick pat paddy
patricia pat trish patty
margaret meg maggie peggy marge rita
elizabeth liz beth betty lisa eliza libby
katherine catherine kate kathy cathy katie kathleen
rebecca becky
jennifer jen jenny
jessica jess
susan sue susie
deborah debbie deb
barbara barb
theresa teresa terry tess
victoria vicky tori
kimberly kim
pamela pam
cynthia cindy
francisco paco pancho fran
jose pepe
ignacio nacho
manuel manolo
enrique quique
rafael rafa
jesus chus
concepcion concha conchi
dolores lola
mercedes merche
rosario charo
consuelo chelo
isabel isa
maria mari
montserrat montse
guadalupe lupe
hans johannes johann
friedrich fritz
heinrich heinz
josef sepp
wilhelm willi
elisabeth lisa sissi
katharina kathi katrin
margarete grete gretel
brunhilde bruni
ursula uschi ulla
gertrud trudi
frederick fred freddy
frances fran fanny
lawrence larry
henry harry hank
philip phil
raymond ray
stanley stan
vincent vince
walter walt
zachary zach zack
abigail abby
amanda mandy
dorothy dot dottie
eleanor ellie nell
isabella bella
josephine josie
judith judy
lillian lily
madeline maddie
nathaniel nathan nate
natalie nat
oliver ollie
sarah sally
virginia ginny";

/// The groups that each name is in, by their lines.
static LINES: LazyLock<HashMap<&str, Vec<usize>>> = LazyLock::new(|| {
    let mut lines: HashMap<&str, Vec<usize>> = HashMap::new();
    for (line, group) in GROUPS.lines().enumerate() {
        for name in group.split(' ') {
            lines.entry(name).or_default().push(line);
        }
    }
    lines
});

/// Whether two given names may be one person's.
pub(super) fn alike(a: &str, b: &str) -> bool {
    let (Some(ones), Some(others)) = (LINES.get(a), LINES.get(b)) else {
        return false;
    };
    ones.iter().any(|line| others.contains(line))
}
