//! Whether a source's record says again what it said before: that it still holds a statement is no new act of the guest,
//! who may have said something else elsewhere since. Pure.

use chrono::{DateTime, Utc};

use super::Line;
use crate::base::micros;

/// How a yes or no was said that a source carries as a flag: when it says so is no time of the guest's.
const FLAG: &str = "imported_flag";

/// Whether a statement is a yes that a source carries as a flag.
#[must_use]
pub fn is_flag(new: &Line) -> bool {
    new.state.is_yes() && new.indication == FLAG
}

/// Whether a statement is what the record said last; `said` are its own lines on the matter, newest first. With a time of
/// its own that is later than the one that the line was told with, it is another: from when on the line counts says
/// nothing, as no clock of a source moves that.
#[must_use]
pub fn says_again(said: &[Line], new: &Line, own_time: Option<DateTime<Utc>>) -> bool {
    let apart = |old: &Line| old.scope != new.scope && !old.scope.is_empty() && !new.scope.is_empty();
    let same = |old: &Line| {
        let told = micros(old.told_at.unwrap_or(old.at));
        old.state == new.state
            && (new.indication == FLAG || repeats(old, new) && own_time.is_none_or(|at| micros(at) <= told))
    };
    // Beyond an answer of the other kind the record has changed its mind, and changed it back.
    said.iter()
        .take_while(|old| old.state == new.state || apart(old))
        .any(same)
}

fn repeats(old: &Line, new: &Line) -> bool {
    let words = |line: &Line| {
        (
            line.scope.clone(),
            line.channel.clone(),
            line.indication.clone(),
            line.notice,
            line.valid_until.map(micros),
        )
    };
    words(old) == words(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{ConsentId, PrincipalId},
        consent::State,
    };

    fn at(day: u32) -> DateTime<Utc> {
        format!("2026-03-{day:02}T10:00:00Z").parse().unwrap()
    }

    fn line(day: u32, state: State, scope: &str) -> Line {
        Line {
            id: ConsentId::random(),
            purpose: "marketing_direct".parse().unwrap(),
            recipient: String::new(),
            scope: scope.to_owned(),
            separate: None,
            state,
            channel: "web".to_owned(),
            indication: "checkbox".to_owned(),
            notice: None,
            terms: 0,
            superseded: None,
            property: "LIS01".parse().unwrap(),
            captured_by: PrincipalId::random(),
            captured_actor: None,
            valid_until: None,
            at: at(day),
            told_at: None,
            entry: None,
        }
    }

    #[test]
    fn the_same_words_are_no_new_act_and_others_are() {
        use State::{Given, Refused};
        let said = [line(2, Given, "LIS01")];
        let again = line(5, Given, "LIS01");
        assert!(says_again(&said, &again, None));
        assert!(!says_again(&[], &again, None));
        assert!(
            says_again(&said, &again, Some(at(2))),
            "its own time is the old one"
        );
        assert!(!says_again(&said, &again, Some(at(5))));
        let ahead = Line {
            told_at: Some(at(5)),
            ..line(2, Given, "LIS01")
        };
        assert!(
            says_again(&[ahead], &again, Some(at(5))),
            "of a clock that was ahead"
        );
        assert!(!says_again(&said, &line(5, Refused, ""), None));
        assert!(
            !says_again(&said, &line(5, Given, "SHA01"), None),
            "another house"
        );
        let noticed = Line {
            notice: Some(uuid::Uuid::nil().into()),
            ..again.clone()
        };
        assert!(!says_again(&said, &noticed, None), "another notice");
        let changed = [line(4, Refused, ""), line(2, Given, "LIS01")];
        assert!(!says_again(&changed, &again, None), "it has said no meanwhile");
        let elsewhere = [line(4, Refused, "SHA01"), line(2, Given, "LIS01")];
        assert!(says_again(&elsewhere, &again, None));
        let flag = Line {
            indication: FLAG.to_owned(),
            ..again
        };
        assert!(
            says_again(&said, &flag, Some(at(5))),
            "a flag has no time of its own"
        );
    }
}
