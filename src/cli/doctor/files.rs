//! What lies on this machine: the folder, the key file, the disk, the certificate, the clock.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use uuid::Uuid;

use super::Findings;
use crate::{
    base::{ASTRAY, Clock},
    cli::scratch,
    config::{Config, ProviderKind, ServerConfig},
    web::tls,
};

/// Below these a database soon cannot write.
const DISK_WARN: u64 = 1024 * 1024 * 1024;
const DISK_FAIL: u64 = 64 * 1024 * 1024;

/// This program was made after this moment; a clock before it is wrong. 2026-01-01.
const PROGRAM_MADE: i64 = 1_767_225_600;

/// Looks at files.
pub(super) fn examine(config: &Config, clock: &Clock, findings: &mut Findings) {
    folder(&config.data_dir, findings);
    disk(&config.data_dir, findings);
    root_key(config, findings);
    certificate(&config.server, clock.now(), findings);
    clock_of_files(&config.data_dir, clock.now(), findings);
    left_over(config, findings);
}

/// Copies of a restore or backup that was cut off: who is erased can still be read from them.
fn left_over(config: &Config, findings: &mut Findings) {
    let folder = scratch::of_restores(config);
    for left in folder.iter().flat_map(|folder| scratch::left(folder)) {
        let told = format!(
            "{} is left from a backup or restore that was cut off",
            left.display()
        );
        let advice = "remove it, or let `guest-vault serve` do so: erased guests can be read from it";
        findings.warn("copies", told, advice);
    }
}

fn folder(path: &Path, findings: &mut Findings) {
    const CHECK: &str = "data folder";
    let shown = path.display();
    let mode = match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            return findings.fail(
                CHECK,
                format!("{shown} is not a folder"),
                "give another --data-dir",
            );
        }
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match writable(&nearest(path)) {
                Ok(()) => findings.ok(
                    CHECK,
                    format!("{shown} is not there yet; the first start makes it"),
                ),
                Err(error) => findings.fail(
                    CHECK,
                    format!("{shown} cannot be made: {error}"),
                    permissions(path),
                ),
            };
        }
        Err(error) => return findings.fail(CHECK, format!("{shown}: {error}"), permissions(path)),
    };
    if let Err(error) = writable(path) {
        return findings.fail(
            CHECK,
            format!("{shown} cannot be written: {error}"),
            permissions(path),
        );
    }
    if mode & 0o077 != 0 {
        let told = format!("{shown} is open to others (mode {:03o})", mode & 0o777);
        return findings.warn(CHECK, told, format!("chmod 700 {shown}"));
    }
    findings.ok(CHECK, format!("{shown} is writable, and by nobody else"));
}

fn permissions(path: &Path) -> String {
    format!(
        "give the vault's user the right to write {}, or another --data-dir",
        path.display()
    )
}

/// The folder itself or the first above it that exists.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute
        .ancestors()
        .find(|above| above.exists())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

fn writable(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".doctor-{}", Uuid::now_v7()));
    // Some bytes: a full disk takes empty files.
    let written = fs::write(&probe, [0; 4096]);
    let removed = fs::remove_file(&probe);
    written.and(removed)
}

/// Whether files can be made in a folder, or the folder itself.
pub(super) fn could_write(folder: &Path) -> io::Result<()> {
    if folder.exists() && !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    writable(&nearest(folder))
}

fn disk(path: &Path, findings: &mut Findings) {
    const CHECK: &str = "disk";
    match rustix::fs::statvfs(nearest(path)) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let told = format!("{} MiB free for {}", free / (1024 * 1024), path.display());
            let advice =
                "free some space or move the folder; a full disk stops every answer, as none can be recorded";
            match free {
                0..DISK_FAIL => findings.fail(CHECK, told, advice),
                DISK_FAIL..DISK_WARN => findings.warn(CHECK, told, advice),
                DISK_WARN.. => findings.ok(CHECK, told),
            }
        }
        Err(error) => findings.warn(CHECK, format!("cannot be looked at: {error}"), "look with df"),
    }
}

fn root_key(config: &Config, findings: &mut Findings) {
    const CHECK: &str = "root key file";
    let (path, private) = match (config.keys.provider, &config.keys.passphrase_file) {
        (ProviderKind::Passphrase, Some(path)) => (path.clone(), "it opens every key"),
        _ => (config.key_file(), "it is the root key"),
    };
    let shown = path.display();
    match fs::metadata(&path) {
        // Whether that is right depends on the key store: see there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => findings.fail(
            CHECK,
            format!("{shown}: {error}"),
            "check the path and its permissions",
        ),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let mode = found.permissions().mode() & 0o777;
            let told = format!("{shown} can be read by others (mode {mode:03o}), and {private}");
            findings.fail(
                CHECK,
                told,
                format!("chmod 600 {shown}; if somebody may have read it, rotate the keys"),
            );
        }
        Ok(_) => findings.ok(CHECK, format!("{shown} is readable only by its owner")),
    }
}

fn certificate(server: &ServerConfig, now: DateTime<Utc>, findings: &mut Findings) {
    const CHECK: &str = "TLS";
    let (Some(cert), Some(key)) = (&server.tls_cert, &server.tls_key) else {
        return;
    };
    if let Err(error) = tls::server_config(cert, key, now) {
        return findings.fail(CHECK, error, "give a certificate and the key it was made for");
    }
    if fs::metadata(key).is_ok_and(|found| found.permissions().mode() & 0o007 != 0) {
        findings.warn(
            CHECK,
            format!("{} can be read by everybody", key.display()),
            "chmod 600",
        );
    }
    let own = CertificateDer::from_pem_file(cert).ok();
    match own.and_then(|der| tls::validity(&der)) {
        Some((_, until)) if until - now < TimeDelta::days(21) => {
            findings.warn(CHECK, format!("the certificate expires on {until}"), "renew it");
        }
        Some((_, until)) => findings.ok(CHECK, format!("certificate and key match; valid until {until}")),
        None => findings.ok(CHECK, "certificate and key match"),
    }
}

/// A file that was changed in the future tells that the clock is, or was, wrong.
fn clock_of_files(folder: &Path, now: DateTime<Utc>, findings: &mut Findings) {
    const ADVICE: &str = "set the clock, best by NTP: records, expiry and stay windows depend on it";
    let newest = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok())
        .max()
        .map(DateTime::<Utc>::from);
    match newest {
        _ if now.timestamp() < PROGRAM_MADE => {
            findings.fail(
                "clock",
                format!("it says {now}, before this program was made"),
                ADVICE,
            );
        }
        Some(newest) if newest - now > ASTRAY => {
            findings.fail(
                "clock",
                format!("it says {now}, but a file was written on {newest}"),
                ADVICE,
            );
        }
        _ => findings.ok("clock", format!("it says {}", now.format("%Y-%m-%d %H:%M UTC"))),
    }
}
