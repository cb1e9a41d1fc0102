//! From arguments to a command and its exit status: 0 done, 1 failed, 2 wrong usage.

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use super::{
    audit, backup, demo, doctor, existing, identity, import, keys, logging, policy, principal, restore,
    rotate, serve,
};
use crate::{
    app::{App, open_stores, root_key},
    base::Clock,
    config::{Config, ConfigError, ConfigFlags, LogConfig, LogFormat, LogLevel},
    policy::PolicySource,
    store::Which,
};

/// Keeps hotel guests' personal data sealed and shows each caller exactly what it may see.
#[derive(Debug, Parser)]
#[command(name = "guest-vault", version, about, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the vault.
    Serve(serve::Serve),
    /// Serves a throw-away vault with invented guests.
    Demo(demo::Demo),
    /// Imports records of guests from files.
    Import(import::Import),
    /// Looks after API keys.
    #[command(subcommand)]
    Principal(principal::Command),
    /// Checks, tests and explains the policy.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Looks after the vault's keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Looks after who is whom.
    #[command(subcommand)]
    Identity(identity::Command),
    /// Verifies and copies the log of looks.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Takes an encrypted, verified backup of data and key store.
    Backup(backup::Backup),
    /// Restores a backup, and erases again what was erased since.
    Restore(restore::Restore),
    /// Looks at everything the vault needs and says what to do.
    Doctor(doctor::Doctor),
}

impl Command {
    /// Whether it is about a vault that is there already: all but those with which one begins.
    const fn needs_vault(&self) -> bool {
        match self {
            Self::Principal(command) => command.needs_vault(),
            Self::Audit(command) => command.needs_vault(),
            Self::Keys(_) | Self::Identity(_) | Self::Backup(_) => true,
            // In place it works on what other tools have put back already.
            Self::Restore(command) => command.from.is_none(),
            Self::Serve(_) | Self::Demo(_) | Self::Import(_) | Self::Policy(_) | Self::Doctor(_) => false,
        }
    }
}

/// How a command ended, when it did not end well.
enum Failure {
    /// The arguments or the configuration are wrong.
    Usage(String),
    /// It was tried and failed.
    Failed(String),
    /// It failed, and has said so itself.
    Told,
}

impl Failure {
    fn of(error: &dyn Error, usage: bool) -> Self {
        if usage {
            Self::Usage(error.to_string())
        } else {
            Self::Failed(error.to_string())
        }
    }

    fn failed(error: impl Error) -> Self {
        Self::of(&error, false)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Runs the command of this process's arguments. Wrong ones end the process here, with status 2.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = actix_web::rt::System::new().block_on(run(arguments));
    let (status, message) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Told) => return ExitCode::from(1),
        Err(Failure::Failed(message)) => (1, message),
        Err(Failure::Usage(message)) => (2, message),
    };
    // Nobody reads it any more when this fails; the status tells.
    let _ = writeln!(io::stderr().lock(), "guest-vault: {message}");
    ExitCode::from(status)
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { mut flags, command } = arguments;
    if command.needs_vault() {
        existing::require(&Config::load(&flags)?)
            .await
            .map_err(Failure::failed)?;
    }
    match command {
        Command::Serve(arguments) => {
            flags.server = arguments.server.clone();
            let mut config = Config::load(&flags)?;
            if let Some(folder) = &arguments.log_mirror {
                config.audit.mirror = Some(folder.clone());
            }
            logging::start(&config.log);
            serve::run(&arguments, &config).await.map_err(Failure::failed)
        }
        Command::Demo(arguments) => {
            logging::start(&LogConfig {
                level: LogLevel::Warn,
                format: LogFormat::Text,
            });
            let ended = demo::run(&arguments, &flags).await;
            ended.map_err(|error| Failure::of(&error, error.is_usage()))
        }
        Command::Import(arguments) => import(&arguments, &quiet(&flags)?).await,
        Command::Audit(command) => audit(&command, &quiet(&flags)?).await,
        Command::Backup(arguments) => {
            let ended = backup::run(&arguments, &quiet(&flags)?, &mut io::stdout().lock()).await;
            ended.map_err(|error| Failure::of(&error, error.is_usage()))
        }
        Command::Restore(arguments) => {
            let ended = restore::run(&arguments, &quiet(&flags)?, &mut io::stdout().lock()).await;
            ended.map_err(|error| Failure::of(&error, error.is_usage()))
        }
        Command::Doctor(arguments) => doctor(&arguments, &flags).await,
        Command::Principal(command) => principal(&command, &quiet(&flags)?).await,
        Command::Policy(command) => policy(&command, &quiet(&flags)?),
        Command::Keys(command) => keys(&command, &quiet(&flags)?).await,
        Command::Identity(command) => {
            let ended = identity::run(&command, &quiet(&flags)?, &mut io::stdout().lock()).await;
            ended.map_err(Failure::failed)
        }
    }
}

/// The configuration for a command that people wait for: it tells its errors itself, so the log is only for what
/// goes wrong inside.
fn quiet(flags: &ConfigFlags) -> Result<Config, Failure> {
    let config = Config::load(flags)?;
    let format = if io::stderr().is_terminal() {
        LogFormat::Text
    } else {
        config.log.format
    };
    logging::start(&LogConfig {
        level: LogLevel::Warn,
        format,
    });
    Ok(config)
}

async fn audit(command: &audit::Command, config: &Config) -> Result<(), Failure> {
    match audit::run(command, config, &mut io::stdout().lock()).await {
        Ok(()) => Ok(()),
        Err(audit::AuditCommandError::Bad) => Err(Failure::Told),
        Err(error) => Err(Failure::of(&error, error.is_usage())),
    }
}

async fn doctor(arguments: &doctor::Doctor, flags: &ConfigFlags) -> Result<(), Failure> {
    let config = Config::load(flags);
    let findings = doctor::examine(config.as_ref(), arguments.quick, &Clock::system()).await;
    doctor::print(arguments, &findings, &mut io::stdout().lock()).map_err(Failure::failed)?;
    if findings.worst() == doctor::State::Fail {
        Err(Failure::Told)
    } else {
        Ok(())
    }
}

async fn import(arguments: &import::Import, config: &Config) -> Result<(), Failure> {
    match import::execute(arguments, config, &mut io::stdout().lock()).await {
        Ok(summary) if summary.is_failure() => Err(Failure::Told),
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::of(&error, error.is_usage())),
    }
}

async fn principal(command: &principal::Command, config: &Config) -> Result<(), Failure> {
    let clock = Clock::system();
    let app = App::open(config, clock.clone()).await.map_err(Failure::failed)?;
    let policies = app.vault.policies.current();
    let vault = principal::Vault {
        principals: &app.access.principals,
        attestations: &app.access.attestations,
        properties: &app.vault.properties,
        has_role: &|role| policies.has_role(role),
        clock: &clock,
    };
    let ended = principal::run(command, &vault, &mut io::stdout().lock()).await;
    app.close().await;
    ended.map_err(|error| Failure::of(&error, error.is_usage()))
}

fn policy(command: &policy::Command, config: &Config) -> Result<(), Failure> {
    let source = config
        .policies
        .dir
        .clone()
        .map_or(PolicySource::BuiltIn, PolicySource::Folder);
    let tree = config.properties().map_err(Failure::failed)?;
    let ended = policy::run(command, &source, &tree, &mut io::stdout().lock());
    ended.map_err(|error| Failure::of(&error, error.exit_status() == 2))
}

async fn keys(command: &keys::Command, config: &Config) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    let status = match command {
        keys::Command::Status(status) => status,
        keys::Command::Rotate(arguments) => {
            return rotate::rotate(arguments, config, out)
                .await
                .map_err(Failure::failed);
        }
        keys::Command::Rewrap(arguments) => {
            return rotate::rewrap(arguments, config, out)
                .await
                .map_err(Failure::failed);
        }
    };
    let (data, key_store) = open_stores(config).await.map_err(Failure::failed)?;
    data.close().await;
    key_store.migrate(Which::Keys).await.map_err(Failure::failed)?;
    let ended = keys::run(status, &root_key(config), &key_store, out).await;
    key_store.close().await;
    ended.map_err(Failure::failed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_reach_the_configuration_before_and_after_the_command() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        let line = "guest-vault --data-dir d serve --port 0 --database-url sqlite:x --behind-proxy --log-level debug";
        let Arguments {
            flags,
            command: Command::Serve(serve),
        } = parse(line).unwrap()
        else {
            panic!("another command")
        };
        assert_eq!(flags.data_dir.as_deref(), Some("d".as_ref()));
        assert_eq!(flags.database.url.as_deref(), Some("sqlite:x"));
        assert_eq!(flags.log.level.as_deref(), Some("debug"));
        assert_eq!(
            (serve.server.port, serve.server.behind_proxy),
            (Some(0), Some(true))
        );
        assert!(parse("guest-vault doctor --port 1").is_err());
        assert!(parse("guest-vault").is_err());
        assert!(parse("guest-vault serve --port 99999").is_err());
    }
}
