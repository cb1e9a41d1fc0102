//! What a source's flags for channels say of direct marketing. One purpose covers all channels, so a yes to some of them is
//! a yes to the purpose, and the channels agreed to are kept beside it (`contact_preference`), where the question for a
//! channel looks. Post alone is none of the channels that marketing goes by: no yes comes of it.

use serde_json::{Value, json};

use super::told::Told;

const POST: &str = "post";

const POST_ONLY: &str =
    "a yes is to post alone (post_only): marketing_direct is for all channels, so no yes comes of it";

/// What is said of each channel; one that nothing is said of is not in it.
#[derive(Default)]
pub(super) struct Channels(Vec<(&'static str, bool)>);

impl Channels {
    /// Says of a channel whether it was agreed to. Said twice, the no holds.
    pub(super) fn say(&mut self, channel: &'static str, agreed: Option<bool>) {
        let Some(agreed) = agreed else { return };
        match self.0.iter_mut().find(|(said, _)| *said == channel) {
            Some((_, first)) => *first &= agreed,
            None => self.0.push((channel, agreed)),
        }
    }

    pub(super) fn say_something(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn have_a_yes(&self) -> bool {
        self.0.iter().any(|(_, agreed)| *agreed)
    }

    /// Says the consent that was told by way of `through`; why a yes makes none.
    pub(super) fn tell(self, told: &mut Told, through: &str) -> Option<&'static str> {
        let agreed = self.0.iter().filter(|(_, agreed)| *agreed);
        let agreed: Vec<&str> = agreed.map(|(channel, _)| *channel).collect();
        let by_post_alone = agreed == [POST];
        let refused = self.0.iter().any(|(_, agreed)| !agreed);
        if !agreed.is_empty() && !by_post_alone {
            told.consent("marketing_direct", true, through);
        } else if refused {
            told.consent("marketing_direct", false, through);
        }
        if !agreed.is_empty() {
            told.say("contact_preference.channels", Some(json!(agreed)));
        } else if refused {
            // The channels of an earlier yes go with it.
            told.say("contact_preference", Some(Value::Null));
        }
        by_post_alone.then_some(POST_ONLY)
    }
}
