use std::{ffi::OsString, path::Path};

use super::*;

fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vault.toml");
    std::fs::write(&file, toml).unwrap();
    let flags = ConfigFlags {
        config: Some(file),
        ..ConfigFlags::default()
    };
    Config::load_with(
        &flags,
        variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), OsString::from(v))),
    )
}

fn wrong(toml: &str, variables: &[(&str, &str)]) -> String {
    match load(toml, variables) {
        Ok(_) => panic!("was accepted: {toml}"),
        Err(error) => error.wrong().join("\n"),
    }
}

#[test]
fn without_anything_the_vault_is_embedded_and_on_loopback() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.server.address().to_string(), "127.0.0.1:8650");
    assert_eq!(config.database_url(), "sqlite:vault-data/vault.db");
    assert_eq!(config.keys_url(), None);
    assert_eq!(config.key_file(), Path::new("vault-data/root.key"));
    let codes: Vec<_> = config.property.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(codes, ["GROUP", "MAIN"]);
}

#[test]
fn flags_beat_variables_beat_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vault.toml");
    std::fs::write(
        &file,
        "[server]\nport = 1\ntimeout_seconds = 1\nbody_limit_bytes = 2048",
    )
    .unwrap();
    let server = flags::ServerFlags {
        port: Some(3),
        ..Default::default()
    };
    let flags = ConfigFlags {
        config: Some(file),
        server,
        ..ConfigFlags::default()
    };
    let variables = [
        ("GUEST_VAULT_SERVER_PORT", "2"),
        ("GUEST_VAULT_SERVER_TIMEOUT_SECONDS", "2"),
    ];
    let config =
        Config::load_with(&flags, variables.iter().map(|(k, v)| ((*k).to_owned(), v.into()))).unwrap();
    assert_eq!(config.server.port, 3);
    assert_eq!(config.server.timeout_seconds, 2);
    assert_eq!(config.server.body_limit_bytes, 2048);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    assert!(
        wrong("[server]\nprot = 1", &[])
            .contains("server.prot is not a key that the vault knows; did you mean server.port?")
    );
    assert!(wrong("[sever]\nport = 1", &[]).contains("did you mean server?"));
    assert!(
        wrong("zebra = 1", &[])
            .contains("zebra is not a key that the vault knows; known here: data_dir, server")
    );
    let told = wrong("", &[("GUEST_VAULT_SERVER_BIN", "x")]);
    assert!(
        told.contains("environment") && told.contains("did you mean server.bind?"),
        "{told}"
    );
    assert!(wrong("", &[("GUEST_VAULT_DATADIR", "x")]).contains("did you mean data_dir?"));
    assert!(wrong("[[property]]\ncode = \"A\"\nkind = \"group\"\nnmae = \"x\"", &[]).contains("name?"));
    assert!(
        load(
            "",
            &[
                ("GUEST_VAULT_API_KEY", "x"),
                ("GUEST_VAULT_KEY", "x"),
                ("OTHER", "x")
            ]
        )
        .is_ok()
    );
}

#[test]
fn wrong_values_are_told_by_key_and_never_repeated() {
    let cases = [
        ("[server]\nport = \"SECRET\"", "server.port"),
        ("[server]\nport = 70000", "server.port"),
        (
            "[server]\nmetrics_token = 4242424242",
            "server.metrics_token must be a string",
        ),
        (
            "[keys]\nprovider = \"SECRET\"",
            "keys.provider must be one of: file, passphrase",
        ),
        (
            "[log]\nlevel = \"SECRET\"",
            "log.level must be one of: error, warn, info, debug",
        ),
        (
            "[server]\ntrusted_proxies = [\"SECRET\"]",
            "server.trusted_proxies: must be an address or a range",
        ),
        (
            "[database]\nmax_connections = 0",
            "database.max_connections must be 1 to 1000",
        ),
        (
            "[server]\ntimeout_seconds = 0",
            "server.timeout_seconds must be 1 to 3600",
        ),
    ];
    for (toml, expected) in cases {
        let told = wrong(toml, &[]);
        assert!(told.contains(expected), "{toml}: {told}");
        assert!(!told.contains("SECRET") && !told.contains("4242"), "{told}");
    }
    assert!(wrong("[server\nport", &[]).contains("vault.toml"));
}

#[test]
fn a_way_in_clear_over_the_network_is_refused() {
    let told = wrong("[server]\nbind = \"0.0.0.0\"", &[]);
    assert!(
        told.contains("--tls-cert") && told.contains("--behind-proxy"),
        "{told}"
    );
    assert!(!wrong("[server]\nbind = \"::\"", &[]).is_empty());
    assert!(load("[server]\nbind = \"0.0.0.0\"\nbehind_proxy = true", &[]).is_ok());
    assert!(
        load(
            "[server]\nbind = \"0.0.0.0\"\ntls_cert = \"c\"\ntls_key = \"k\"",
            &[]
        )
        .is_ok()
    );
    assert!(load("[server]\nbind = \"::1\"", &[]).is_ok());
    assert!(wrong("[server]\ntls_cert = \"c\"", &[]).contains("go together"));
    assert!(wrong("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]", &[]).contains("behind_proxy"));
}

#[test]
fn secrets_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, "postgres://u:p@h/d\n").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(
        load("", &[("GUEST_VAULT_DATABASE_URL_FILE", path)])
            .unwrap()
            .database_url(),
        "postgres://u:p@h/d"
    );
    let config = load(&format!("[server]\nmetrics_token_file = \"{path}\""), &[]).unwrap();
    assert_eq!(
        values::plain(config.server.metrics_token.as_ref()).unwrap(),
        "postgres://u:p@h/d"
    );
    // A token of digits only stays the text that it is.
    let config = load("", &[("GUEST_VAULT_SERVER_METRICS_TOKEN", "007")]).unwrap();
    assert_eq!(
        values::plain(config.server.metrics_token.as_ref()).unwrap(),
        "007"
    );
    let missing = wrong("[keys]\nurl_file = \"/nowhere/at/all\"", &[]);
    assert!(
        missing.contains("keys.url_file: cannot read /nowhere/at/all"),
        "{missing}"
    );
    assert!(wrong("[keys]\nurl = \"x\"\nurl_file = \"y\"", &[]).contains("both given"));
}

#[test]
fn lists_and_flags_can_be_variables() {
    let variables = [
        ("GUEST_VAULT_SERVER_BEHIND_PROXY", "true"),
        ("GUEST_VAULT_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
    ];
    let config = load("", &variables).unwrap();
    assert!(config.server.behind_proxy);
    assert_eq!(config.server.trusted_proxies.len(), 2);
}

#[test]
fn issuers_are_checked() {
    let issuer = "[[issuers]]\nissuer = \"https://sso.example\"\naudience = \"vault\"\n\
                  roles = { desk = \"front_desk\" }\n";
    let good = format!("{issuer}algorithms = [\"ES256\"]\njwks = {{ file = \"k\" }}");
    assert_eq!(
        load(&good, &[]).unwrap().issuers[0].roles["desk"].as_str(),
        "front_desk"
    );
    let cases = [
        (
            "algorithms = [\"HS256\"]\njwks = { file = \"k\" }",
            "must be one of: RS256",
        ),
        ("algorithms = []\njwks = { file = \"k\" }", "at least one"),
        ("algorithms = [\"ES256\"]", "jwks is missing"),
        (
            "algorithms = [\"ES256\"]\njwks = { url = \"http://sso.example/k\" }",
            "https://",
        ),
    ];
    for (rest, expected) in cases {
        let told = wrong(&format!("{issuer}{rest}"), &[]);
        assert!(told.contains(expected), "{rest}: {told}");
    }
}

#[test]
fn trees_of_properties_are_checked() {
    let told = wrong(
        "[[property]]\ncode = \"A\"\nkind = \"property\"\nparent = \"B\"",
        &[],
    );
    assert_eq!(told, "property A names the parent B, which is not configured");
    assert!(
        wrong("[[property]]\ncode = \"lower case\"\nkind = \"group\"", &[])
            .contains("a property code must be")
    );
}

#[test]
fn keys_and_passphrases_are_not_mixed() {
    assert!(wrong("[keys]\nprovider = \"passphrase\"", &[]).contains("passphrase_file"));
    assert!(wrong("[keys]\npassphrase_file = \"x\"", &[]).contains("provider"));
}

#[test]
fn a_named_file_that_is_missing_is_told() {
    let flags = ConfigFlags {
        config: Some("/nowhere/x.toml".into()),
        ..ConfigFlags::default()
    };
    let told = Config::load_with(&flags, std::iter::empty()).err().unwrap();
    assert!(
        told.to_string()
            .contains("/nowhere/x.toml: there is no such configuration file")
    );
    let variable = [("GUEST_VAULT_CONFIG".to_owned(), "/nowhere/y.toml".into())];
    assert!(Config::load_with(&ConfigFlags::default(), variable.into_iter()).is_err());
}

#[test]
fn a_role_without_its_own_budget_has_the_common_one() {
    let config = load(
        "[budgets.default]\nreveals_per_hour = 7\n[budgets.roles.crm]\nreveals_per_hour = 1",
        &[],
    )
    .unwrap();
    assert_eq!(config.budgets.of(&"crm".parse().unwrap()).reveals_per_hour, 1);
    assert_eq!(config.budgets.of(&"sales".parse().unwrap()).reveals_per_hour, 7);
}

#[test]
fn what_is_found_only_when_it_is_needed_is_told_at_the_start() {
    for (toml, expected) in [
        ("[backup]\nrecipients = [\"age1nope\"]", "backup.recipients"),
        ("[backup]\nkeep_days = 0", "backup.keep_days must be 1"),
        ("[audit]\nretention_days = 0", "audit.retention_days"),
        (
            "[[property]]\ncode = \"A\"\nkind = \"group\"\nregion = \"Portugal\"",
            "[[property]] A: region must be two capital letters",
        ),
    ] {
        assert!(wrong(toml, &[]).contains(expected), "{toml}");
    }
    assert!(!wrong("[backup]\nrecipients = [\"age1nope\"]", &[]).contains("nope"));
}
