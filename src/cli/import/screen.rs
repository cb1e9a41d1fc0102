//! What people see while an import runs: a bar on a terminal, and the first refusals, without their values.

use std::io::{IsTerminal, Write, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{files::Source, outputs::Reported};

/// So many refusals are told one by one; the reject file has them all.
const TOLD: u64 = 10;

/// The screen of one import.
pub(super) struct Screen {
    bar: ProgressBar,
    quiet: bool,
    /// Bytes of the files before the present one, by path.
    before: Vec<(std::path::PathBuf, u64)>,
    told: u64,
}

impl Screen {
    pub(super) fn new(sources: &[Source], json: bool) -> Self {
        let mut total = 0;
        let mut before = Vec::with_capacity(sources.len());
        for source in sources {
            before.push((source.path.clone(), total));
            total += source.size;
        }
        let target = if json || !stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let done = sources.iter().map(|source| source.done_bytes).sum();
        let bar = ProgressBar::with_draw_target(Some(total), target).with_position(done);
        let template = "{bar:30} {percent:>3} % · {binary_bytes} of {binary_total_bytes} · {binary_bytes_per_sec} · {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        // What an earlier run did says nothing about the speed of this one.
        bar.reset_eta();
        Self {
            bar,
            quiet: json,
            before,
            told: 0,
        }
    }

    /// This file is read up to here.
    pub(super) fn at(&self, source: &Source, read_bytes: u64) {
        let before = self
            .before
            .iter()
            .find(|(path, _)| *path == source.path)
            .map_or(0, |(_, before)| *before);
        self.bar.set_position(before + read_bytes);
    }

    /// Tells of a refusal.
    pub(super) fn refused(&mut self, source: &Source, reported: &Reported) {
        if self.quiet || reported.reasons().is_empty() {
            return;
        }
        self.told += 1;
        if self.told > TOLD {
            return;
        }
        let reasons: Vec<_> = reported
            .reasons()
            .iter()
            .map(|r| format!("{} {}", r.field, r.reason))
            .collect();
        let more = if self.told == TOLD {
            "\n(more are not told here; see --rejects)"
        } else {
            ""
        };
        let line = format!(
            "{}:{}: {}{more}",
            source.name(),
            reported.number(),
            reasons.join("; ")
        );
        // A closed terminal is no reason to stop.
        self.bar.suspend(|| {
            let _ = writeln!(stderr(), "{line}");
        });
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
