//! What every page of the console has around it, and how words of the vault are said in the reader's language.

use std::ops::Deref;

use chrono::{DateTime, NaiveDate, Utc};

use crate::web::pages::{Browser, Item, Shell};

/// The frame of a page: the common one with the pages that this role has.
pub(super) struct Frame {
    shell: Shell,
    items: Vec<&'static Item>,
}

impl Deref for Frame {
    type Target = Shell;

    fn deref(&self) -> &Shell {
        &self.shell
    }
}

impl Frame {
    pub(super) fn new(browser: &Browser, title: &str, items: Vec<&'static Item>) -> Self {
        let mut shell = Shell::signed_in(browser, title);
        shell.styles.push("console.css");
        Self { shell, items }
    }

    /// The frame of a page for whoever is not signed in.
    pub(super) fn outside(browser: &Browser, title: &str) -> Self {
        let mut shell = Shell::new(browser, title);
        shell.styles.push("console.css");
        Self {
            shell,
            items: Vec::new(),
        }
    }

    /// The same with a script.
    pub(super) fn with_script(mut self, name: &'static str) -> Self {
        self.shell.scripts.push(name);
        self
    }

    /// The same with a title that is no fixed text.
    pub(super) fn titled(mut self, title: String) -> Self {
        self.shell.title = title;
        self
    }

    /// The navigation: the pages of this role, instead of all.
    pub(super) fn items(&self) -> &[&'static Item] {
        &self.items
    }

    /// A word of the vault, such as a state or an action, in the reader's language; a word without a text of its own
    /// is shown as it is.
    pub(super) fn w(&self, group: &str, word: &str) -> String {
        let key = format!("console.{group}.{}", word.replace(['.', ':'], "_"));
        self.shell
            .maybe(&key)
            .map_or_else(|| word.replace('_', " "), str::to_owned)
    }

    /// A number with its text, such as `3 are overdue`.
    pub(super) fn n(&self, key: &str, number: impl std::fmt::Display) -> String {
        self.shell.f(key, "n", &number.to_string())
    }

    /// The class of a figure that calls for somebody.
    #[expect(clippy::unused_self, reason = "templates call it beside the others")]
    pub(super) const fn alarm(&self, class: &'static str, calls: bool) -> &'static str {
        if calls { class } else { "" }
    }

    /// A number that may be larger.
    #[expect(clippy::unused_self, reason = "templates call it beside the others")]
    pub(super) fn at_least(&self, number: &usize, more: &bool) -> String {
        format!("{number}{}", if *more { "+" } else { "" })
    }

    /// A text with two places filled in.
    pub(super) fn ff(
        &self,
        key: &str,
        one: &str,
        first: impl std::fmt::Display,
        two: &str,
        second: impl std::fmt::Display,
    ) -> String {
        self.shell
            .f2(key, (one, &first.to_string()), (two, &second.to_string()))
    }

    /// A length of time such as `6 months`.
    pub(super) fn span(&self, span: &str) -> String {
        let (count, unit) = span.split_once(' ').unwrap_or((span, ""));
        self.n(
            match unit {
                "days" => "console.span.days",
                "months" => "console.span.months",
                _ => "console.span.years",
            },
            count,
        )
    }

    /// A day.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates give references")]
    pub(super) fn day(&self, day: &NaiveDate) -> String {
        let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
        self.shell.date(&midnight)
    }

    /// A time for `<time datetime>`.
    #[expect(clippy::unused_self, reason = "templates call it beside the others")]
    pub(super) fn stamp(&self, at: &DateTime<Utc>) -> String {
        at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    /// The first digits of an id, for tables; the whole of it stands in the link.
    #[expect(clippy::unused_self, reason = "templates call it beside the others")]
    pub(super) fn short(&self, id: impl std::fmt::Display) -> String {
        let text = id.to_string();
        // Ids are made by time: their ends tell them apart, their beginnings do not.
        text.get(text.len().saturating_sub(8)..)
            .unwrap_or(&text)
            .to_owned()
    }
}
