//! Judges many refusals at once: the status, the problem, and that nothing is told back.

use super::{app::Answer, canaries::Canaries};

/// A number that every card check knows (a test number of the schemes).
pub(crate) const CARD: &str = "4111 1111 1111 1111";

/// What a call should give: status and the problem's last word.
pub(crate) type Wanted = (u16, &'static str);
pub(crate) const INVALID: Wanted = (400, "invalid-request");
pub(crate) const REJECTED: Wanted = (422, "record-rejected");
pub(crate) const MISSING: Wanted = (404, "not-found");

/// Collects what is wrong, so that one run shows all of it.
pub(crate) struct Judge {
    pub(crate) canaries: Canaries,
    pub(crate) wrong: Vec<String>,
    pub(crate) judged: usize,
}

impl Judge {
    pub(crate) fn new() -> (Self, String) {
        let mut canaries = Canaries::default();
        let secret = canaries.word("what was sent");
        canaries.add("the card", CARD);
        canaries.add("the card without spaces", &CARD.replace(' ', ""));
        let judge = Self {
            canaries,
            wrong: Vec::new(),
            judged: 0,
        };
        (judge, secret)
    }

    pub(crate) fn judge(&mut self, call: &str, answer: &Answer, wanted: Wanted) {
        self.judged += 1;
        let told = (answer.status, answer.problem());
        if told != wanted {
            self.wrong.push(format!("{call}: {told:?} instead of {wanted:?}"));
        }
        let text = format!("{:?} {}", answer.headers, answer.body);
        for found in self.canaries.in_bytes(call, text.as_bytes()) {
            self.wrong.push(format!("{call}: tells {found:?}"));
        }
        let kind = answer.headers.get("content-type").map(String::as_str);
        if answer.status >= 400 && kind != Some("application/problem+json") {
            self.wrong
                .push(format!("{call}: a refusal that is no problem document"));
        }
    }

    pub(crate) fn done(self, least: usize) {
        assert!(
            self.wrong.is_empty(),
            "{} wrong: {:#?}",
            self.wrong.len(),
            self.wrong
        );
        assert!(self.judged >= least, "{} calls", self.judged);
    }
}
