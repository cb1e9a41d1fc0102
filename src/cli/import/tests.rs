use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{
    base::GuestId,
    guest::{Outcome, Rejected},
};

/// A vault in memory: a record of the same source again is the same guest; `bad` fields are refused.
#[derive(Default)]
struct Memory {
    guests: BTreeMap<(String, String), GuestId>,
    done: HashMap<FileId, u64>,
    puts: u64,
    /// Fails when so many records have come.
    dies_at: Option<u64>,
    /// Dies after storing but before its answer.
    dies_late: bool,
}

impl Memory {
    fn put(&mut self, record: &RecordLine, mode: Mode) -> Put {
        assert!(record.property.is_some());
        if record.guest.contains_key("refuse") {
            return Put::Refused(vec![Rejected {
                field: "refuse".into(),
                reason: "unknown".into(),
            }]);
        }
        let key = (record.source_system.to_string(), record.source_id.clone());
        let known = self.guests.get(&key).copied();
        let outcome = if known.is_some() {
            Outcome::Linked
        } else {
            Outcome::Created
        };
        let mut guest = known;
        if mode == Mode::Write {
            guest = Some(*self.guests.entry(key).or_insert_with(GuestId::random));
        }
        let rejected = match record.guest.get("phones") {
            Some(_) => vec![Rejected {
                field: "phones[0]".into(),
                reason: "invalid".into(),
            }],
            None => Vec::new(),
        };
        Put::Stored {
            guest,
            fields: Vec::new(),
            outcome,
            probability: 1.0,
            rejected,
        }
    }
}

impl Sink for Memory {
    const RECORDS: usize = 200;
    type Ready = (Vec<RecordLine>, Mode);

    fn make_ready(&self, mode: Mode) -> MakeReady<Self::Ready> {
        Box::new(move |batch| Box::pin(async move { (batch, mode) }))
    }

    async fn put_batch(&mut self, (batch, mode): Self::Ready) -> Result<Vec<Put>, SinkError> {
        let count = u64::try_from(batch.len()).unwrap();
        let dies = self.dies_at.is_some_and(|at| self.puts + count > at);
        if dies && !self.dies_late {
            return Err(SinkError("the database is away".into()));
        }
        let puts = batch.iter().map(|record| self.put(record, mode)).collect();
        self.puts += count;
        if dies {
            Err(SinkError("killed".into()))
        } else {
            Ok(puts)
        }
    }

    async fn done(&mut self, file: &FileId) -> Result<u64, SinkError> {
        Ok(self.done.get(file).copied().unwrap_or(0))
    }

    async fn set_done(&mut self, file: &FileId, lines: u64) -> Result<(), SinkError> {
        self.done.insert(*file, lines);
        Ok(())
    }

    async fn end(&mut self, _: &BTreeMap<String, u64>) -> Result<Option<ImportId>, SinkError> {
        Ok(None)
    }
}

struct Bench {
    folder: TempDir,
    sink: Memory,
    arguments: Import,
}

impl Bench {
    fn new(files: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut paths = Vec::new();
        for (at, text) in files.iter().enumerate() {
            paths.push(path(&format!("{at}.ndjson")));
            fs::write(&paths[at], text).unwrap();
        }
        let arguments = Import {
            lapsed: false,
            format: Format::Ndjson,
            property: "LIS01".parse().ok(),
            purpose: PURPOSE.parse().unwrap(),
            files: paths,
            mapping: None,
            suggest_mapping: false,
            server: None,
            key: None,
            rollback: None,
            resolve: Resolve::Now,
            dry_run: false,
            report: Some(path("report.csv")),
            rejects: Some(path("rejects.ndjson")),
            json: true,
        };
        Self {
            folder,
            sink: Memory::default(),
            arguments,
        }
    }

    async fn run(&mut self) -> Result<Summary, ImportError> {
        run(&self.arguments, &mut self.sink).await
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn rejects(&self) -> Vec<Value> {
        self.read("rejects.ndjson")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The source ids of the report, sorted.
    fn reported(&self) -> Vec<String> {
        let report = self.read("report.csv");
        let mut ids: Vec<_> = csv::Reader::from_reader(report.as_bytes())
            .records()
            .map(|row| row.unwrap()[1].to_owned())
            .collect();
        ids.sort();
        ids
    }
}

fn record(id: usize) -> String {
    json!({"source_system": "pms", "source_id": format!("{id:05}"), "guest": {}}).to_string()
}

fn many(ids: std::ops::Range<usize>) -> String {
    ids.fold(String::new(), |mut text, id| {
        writeln!(text, "{}", record(id)).unwrap();
        if id % 7 == 0 {
            text.push('\n');
        }
        if id % 50 == 0 {
            writeln!(text, "broken {id}").unwrap();
        }
        text
    })
}

#[actix_web::test]
async fn every_record_is_reported() {
    let file = [
        record(1),
        record(1),
        json!({"source_system": "pms", "source_id": "2", "guest": {"phones": []}}).to_string(),
        json!({"source_system": "pms", "source_id": "3", "guest": {"refuse": 1}}).to_string(),
        "{".to_owned(),
    ];
    let mut bench = Bench::new(&[&file.join("\n")]);
    let summary = bench.run().await.unwrap();
    assert_eq!(summary.outcomes, BTreeMap::from([("created", 2), ("linked", 1)]));
    assert_eq!((summary.records, summary.refused, summary.partial), (5, 2, 1));
    let report = bench.read("report.csv");
    let rows: Vec<_> = report.lines().collect();
    assert_eq!(rows[0], "source_system,source_id,guest_id,outcome,probability");
    let guest = bench.sink.guests[&("pms".to_owned(), "00001".to_owned())];
    assert_eq!(rows[1], format!("pms,00001,{guest},created,1.000000"));
    assert_eq!(rows[2], format!("pms,00001,{guest},linked,1.000000"));
    assert_eq!(rows[4], "pms,3,,rejected,");
    assert_eq!(rows[5], ",,,rejected,");
}

#[actix_web::test]
async fn rejects_are_the_lines_with_their_reasons_and_can_be_fed_again() {
    let refused = json!({"source_system": "pms", "source_id": "3", "guest": {"refuse": "王"}});
    let mut bench = Bench::new(&[&format!("{refused}\nnot json\n")]);
    bench.run().await.unwrap();
    let rejects = bench.rejects();
    assert_eq!(rejects[0]["guest"], refused["guest"]);
    assert_eq!(rejects[0]["rejected"]["line"], 1);
    assert_eq!(
        rejects[0]["rejected"]["reasons"],
        json!([{"field": "refuse", "reason": "unknown"}])
    );
    assert_eq!(rejects[1]["text"], "not json");

    let mended = bench
        .read("rejects.ndjson")
        .lines()
        .next()
        .unwrap()
        .replace("\"refuse\"", "\"mended\"");
    let mended = mended.replacen("\"field\":\"mended\"", "\"field\":\"refuse\"", 1);
    let mut again = Bench::new(&[&mended]);
    assert_eq!(again.run().await.unwrap().refused, 0);
}

#[actix_web::test]
async fn no_reject_file_keeps_a_card() {
    let note = json!([{"text": "pays with 5555 5555 5555 4444, room 12"}]);
    let refused = json!({"source_system": "pms", "source_id": "4012888888881881", "guest": {"refuse": 1, "notes": note}});
    let mut bench = Bench::new(&[&format!("{refused}\ncard 5555555555554444\n")]);
    bench.run().await.unwrap();
    let rejects = bench.rejects();
    let hidden = "pays with **** **** **** ****, room **";
    assert_eq!(rejects[0]["guest"]["notes"][0]["text"], hidden);
    assert_eq!(rejects[1]["text"], "card ****************");
    // Which record it was is still told.
    assert_eq!(rejects[0]["source_id"], refused["source_id"]);
}

#[actix_web::test]
async fn after_a_kill_nothing_is_lost_or_doubled() {
    for late in [false, true] {
        let mut bench = Bench::new(&[&many(0..450), &many(450..900)]);
        bench.sink.dies_at = Some(650);
        bench.sink.dies_late = late;
        let stopped = bench.run().await.unwrap_err();
        assert!(!stopped.is_usage());
        assert!(stopped.to_string().contains("goes on from there"), "{stopped}");

        // A kill may also fall behind the last report and before its progress is kept.
        let report = bench.arguments.report.clone().unwrap();
        let torn = format!("{}pms,00899,torn", bench.read("report.csv"));
        fs::write(report, torn).unwrap();
        bench.sink.dies_at = None;
        let summary = bench.run().await.unwrap();

        assert!(summary.done_before > 400, "{summary:?}");
        assert!(summary.records < 600, "{summary:?}");
        assert_eq!(bench.sink.guests.len(), 900);
        let mut wanted: Vec<_> = (0..900).map(|id| format!("{id:05}")).collect();
        wanted.extend(vec![String::new(); 18]);
        wanted.sort();
        assert_eq!(bench.reported(), wanted);
        let broken: Vec<_> = bench
            .rejects()
            .iter()
            .map(|line| line["text"].as_str().unwrap().to_owned())
            .collect();
        let wanted: Vec<_> = (0..900).step_by(50).map(|id| format!("broken {id}")).collect();
        assert_eq!(broken, wanted);
    }
}

#[actix_web::test]
async fn a_lost_report_makes_the_import_begin_anew() {
    let mut bench = Bench::new(&[&many(0..600)]);
    bench.sink.dies_at = Some(300);
    bench.run().await.unwrap_err();
    fs::remove_file(bench.arguments.report.as_ref().unwrap()).unwrap();
    bench.sink.dies_at = None;
    let summary = bench.run().await.unwrap();
    assert_eq!(summary.done_before, 0);
    assert_eq!(bench.reported().len(), 612);
    assert_eq!(bench.sink.guests.len(), 600);
}

#[actix_web::test]
async fn a_finished_import_can_be_run_again() {
    let mut bench = Bench::new(&[&many(0..10)]);
    bench.run().await.unwrap();
    let again = bench.run().await.unwrap();
    assert_eq!(again.outcomes, BTreeMap::from([("linked", 10)]));
    assert_eq!(bench.reported().len(), 11);
}

#[actix_web::test]
async fn a_dry_run_writes_nothing_but_its_reports() {
    let mut bench = Bench::new(&[&many(0..10)]);
    bench.arguments.dry_run = true;
    let summary = bench.run().await.unwrap();
    assert_eq!(summary.outcomes, BTreeMap::from([("created", 10)]));
    assert!(bench.sink.guests.is_empty() && bench.sink.done.is_empty());
    assert_eq!(bench.reported().len(), 11);
}

#[actix_web::test]
async fn reports_are_for_their_owner_alone() {
    let mut bench = Bench::new(&[&many(0..1)]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let report = bench.arguments.report.clone().unwrap();
    fs::write(&report, "old").unwrap();
    fs::set_permissions(&report, fs::Permissions::from_mode(0o644)).unwrap();
    bench.run().await.unwrap();
    assert_eq!(mode(&report), 0o600);
    assert_eq!(mode(bench.arguments.rejects.as_ref().unwrap()), 0o600);
}

#[actix_web::test]
async fn an_import_never_overwrites_what_it_reads() {
    let mut bench = Bench::new(&[&many(0..1)]);
    bench.arguments.rejects = Some(bench.arguments.files[0].clone());
    assert!(bench.run().await.unwrap_err().is_usage());
    bench.arguments.rejects = bench.arguments.report.clone();
    assert!(bench.run().await.unwrap_err().is_usage());
    assert!(bench.sink.guests.is_empty());
}

#[actix_web::test]
async fn a_line_needs_a_property() {
    let mut bench = Bench::new(&[&record(1)]);
    bench.arguments.property = None;
    let summary = bench.run().await.unwrap();
    assert!(summary.is_failure());
    assert!(bench.read("rejects.ndjson").contains("--property"));
}

#[actix_web::test]
async fn a_file_that_is_not_there_is_named_before_anything_is_done() {
    let mut bench = Bench::new(&[&many(0..5)]);
    bench.arguments.files.push("nowhere.ndjson".into());
    let told = bench.run().await.unwrap_err().to_string();
    assert!(told.starts_with("nowhere.ndjson: cannot be read"), "{told}");
    assert!(bench.sink.guests.is_empty());
}

#[test]
fn the_summary_is_words_or_one_line() {
    let summary = Summary {
        files: 1,
        records: 3,
        refused: 1,
        outcomes: [("created", 2)].into(),
        ..Summary::default()
    };
    let mut words = Vec::new();
    summary.print(false, &mut words).unwrap();
    assert_eq!(
        String::from_utf8(words).unwrap(),
        "3 records of 1 file imported\n  created          2\n  refused          1  not taken\n"
    );
    let mut line = Vec::new();
    summary.print(true, &mut line).unwrap();
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["outcomes"]["created"], 2);
}

fn profiles(count: usize) -> String {
    let profile = |id: usize| {
        json!({"profileIdList": [{"type": "Profile", "id": format!("{id:05}")}],
               "profile": {"customer": {"personName": [{"surname": "Costa"}]}, "keywords": "x"}})
    };
    let all: Vec<Value> = (0..count).map(profile).collect();
    json!({"profiles": {"profileInfo": all}}).to_string()
}

#[actix_web::test]
async fn another_systems_file_goes_on_after_a_kill_too() {
    let mut bench = Bench::new(&[&profiles(900)]);
    bench.arguments.format = Format::Ohip;
    bench.sink.dies_at = Some(650);
    bench.run().await.unwrap_err();
    bench.sink.dies_at = None;
    let summary = bench.run().await.unwrap();
    assert!(summary.done_before >= 600, "{}", summary.done_before);
    assert_eq!(bench.sink.guests.len(), 900);
    assert_eq!(bench.reported().len(), 900);
    assert_eq!(summary.left.unmapped["profile.keywords"], 900);
}

#[actix_web::test]
async fn a_table_needs_its_mapping_and_its_rejects_are_lines_that_it_takes_again() {
    let mut bench = Bench::new(&["Id;Surname\n1;Costa\n;Nobody\n3;\"Li\n4;Wu\n"]);
    bench.arguments.format = Format::Csv;
    assert!(bench.run().await.unwrap_err().is_usage());
    let guess = suggest_mapping(&bench.arguments.files[0]).unwrap();
    let mapping = bench.folder.path().join("mapping.toml");
    fs::write(&mapping, guess).unwrap();
    bench.arguments.mapping = Some(mapping);
    let summary = bench.run().await.unwrap();
    assert_eq!((summary.records, summary.refused), (4, 2));
    let rejects = bench.rejects();
    assert_eq!(rejects[0]["Surname"], "Nobody");
    assert_eq!(
        rejects[0]["rejected"]["reasons"][0]["reason"],
        "the row has no id"
    );
    let mended = bench
        .read("rejects.ndjson")
        .replace("\"Id\":\"\"", "\"Id\":\"2\"");
    let file = bench.folder.path().join("mended.ndjson");
    fs::write(&file, mended).unwrap();
    bench.arguments.files = vec![file];
    let summary = bench.run().await.unwrap();
    assert_eq!((summary.records, summary.refused), (2, 0));
    assert!(summary.left.unmapped.is_empty(), "{:?}", summary.left.unmapped);
    assert_eq!(bench.sink.guests.len(), 4);
}

#[actix_web::test]
async fn what_other_systems_sent_and_was_refused_can_be_fed_again() {
    // One is refused by the connector and lies there as it came, one by the vault and lies there as a record.
    let profiles = json!({"profiles": {"profileInfo": [
        {"profileIdList": [], "profile": {"customer": {"personName": [{"surname": "Costa"}]}}},
        {"profileIdList": [{"type": "Profile", "id": "7"}], "profile": {
            "customer": {"personName": [{"surname": "Melo"}]},
            "telephones": {"telephoneInfo": [{"telephone": {"phoneNumber": "1"}}]}}},
    ]}});
    let request = "<HotelReservations><HotelReservation><UniqueID Type=\"14\"/>\
        <RoomStays><RoomStay><TimeSpan Start=\"2026-03-04\" End=\"2026-03-06\"/></RoomStay></RoomStays><ResGuests><ResGuest><Profiles><ProfileInfo>\
        <Profile><Customer><PersonName><Surname>Costa</Surname></PersonName></Customer></Profile></ProfileInfo></Profiles>\
        </ResGuest></ResGuests></HotelReservation></HotelReservations>";
    for (format, file, from, to) in [
        (
            Format::Ohip,
            profiles.to_string(),
            "\"profileIdList\":[]",
            "\"profileIdList\":[{\"type\":\"Profile\",\"id\":\"6\"}]",
        ),
        (
            Format::Alpinebits,
            request.to_owned(),
            "\"@Type\":\"14\"",
            "\"@Type\":\"14\",\"@ID\":\"6\"",
        ),
    ] {
        let mut bench = Bench::new(&[&file]);
        bench.arguments.format = format;
        let summary = bench.run().await.unwrap();
        assert_eq!(summary.refused, 1);
        let mended = bench.read("rejects.ndjson").replace(from, to);
        let mut again = Bench::new(&[&mended]);
        again.arguments.format = format;
        let lines = u64::try_from(mended.lines().count()).unwrap();
        let summary = again.run().await.unwrap();
        assert_eq!((summary.records, summary.refused), (lines, 0), "{format:?}");
        assert!(summary.left.unmapped.is_empty(), "{:?}", summary.left.unmapped);
    }
}
