//! Which rule made casbin's decision: casbin's own effector, with a note of the positions it was told.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use casbin::{DefaultEffector, EffectKind, Effector, EffectorStream};

const NOWHERE: usize = usize::MAX;

/// The positions of the rules that made the last decision.
#[derive(Debug)]
pub(super) struct Seen {
    allow: AtomicUsize,
    deny: AtomicUsize,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            allow: AtomicUsize::new(NOWHERE),
            deny: AtomicUsize::new(NOWHERE),
        }
    }
}

impl Seen {
    /// Before the next question.
    pub(super) fn forget(&self) {
        self.allow.store(NOWHERE, Relaxed);
        self.deny.store(NOWHERE, Relaxed);
    }

    /// The first rule that allowed.
    pub(super) fn allow(&self) -> Option<usize> {
        Some(self.allow.load(Relaxed)).filter(|at| *at != NOWHERE)
    }

    /// The first rule that denied.
    pub(super) fn deny(&self) -> Option<usize> {
        Some(self.deny.load(Relaxed)).filter(|at| *at != NOWHERE)
    }
}

/// casbin's effector; decides nothing itself.
pub(super) struct Noting(pub(super) Arc<Seen>);

impl Effector for Noting {
    fn new_stream(&self, expression: &str, most: usize) -> Box<dyn EffectorStream> {
        Box::new(Stream {
            inner: DefaultEffector.new_stream(expression, most),
            seen: Arc::clone(&self.0),
            at: 0,
        })
    }
}

struct Stream {
    inner: Box<dyn EffectorStream>,
    seen: Arc<Seen>,
    at: usize,
}

impl EffectorStream for Stream {
    fn next(&self) -> bool {
        self.inner.next()
    }

    fn push_effect(&mut self, effect: EffectKind) -> bool {
        let note = match effect {
            EffectKind::Allow => Some(&self.seen.allow),
            EffectKind::Deny => Some(&self.seen.deny),
            EffectKind::Indeterminate => None,
        };
        if let Some(note) = note {
            // The first of its kind stays.
            let _ = note.compare_exchange(NOWHERE, self.at, Relaxed, Relaxed);
        }
        self.at += 1;
        self.inner.push_effect(effect)
    }
}
