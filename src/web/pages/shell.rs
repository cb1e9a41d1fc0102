//! What every page has around it: the frame that `web/pages/base.html` draws.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use chrono::{DateTime, Utc};

use super::{Browser, Item, Language, asset_path, languages};
use crate::web::{Kind, Problem};

/// The frame of a page, for its template's field `page`.
pub struct Shell {
    browser: Browser,
    /// The title, in the page's language.
    pub title: String,
    /// Whether somebody is signed in: then there is a navigation.
    pub signed_in: bool,
    /// Scripts beside the common one, by asset name.
    pub scripts: Vec<&'static str>,
    /// Styles beside the common one, by asset name.
    pub styles: Vec<&'static str>,
}

impl Shell {
    /// The frame of a page for whoever is not signed in; `title` is the key of a text.
    #[must_use]
    pub fn new(browser: &Browser, title: &str) -> Self {
        Self {
            title: browser.language().text(title).to_owned(),
            browser: browser.clone(),
            signed_in: false,
            scripts: Vec::new(),
            styles: Vec::new(),
        }
    }

    /// The same for whoever is.
    #[must_use]
    pub fn signed_in(browser: &Browser, title: &str) -> Self {
        Self {
            signed_in: true,
            ..Self::new(browser, title)
        }
    }

    /// The text of a key.
    #[must_use]
    pub fn t<'t>(&self, key: &'t str) -> &'t str {
        self.browser.language().text(key)
    }

    /// The text of a key that code put together; nothing when there is no such text.
    #[must_use]
    pub fn maybe(&self, key: &str) -> Option<&'static str> {
        self.browser.language().find(key)
    }

    /// The text of a word of a kind, such as a state; the word itself where there is none.
    #[must_use]
    pub fn word(&self, kind: &str, code: &str) -> String {
        self.browser.language().word(kind, code)
    }

    /// The text of a key with one place filled in.
    #[must_use]
    pub fn f(&self, key: &str, name: &str, value: &str) -> String {
        self.browser.language().filled(key, &[(name, value)])
    }

    /// The text of a key with two places filled in.
    #[must_use]
    pub fn f2(&self, key: &str, first: (&str, &str), second: (&str, &str)) -> String {
        self.browser.language().filled(key, &[first, second])
    }

    /// The language's tag.
    #[must_use]
    pub fn lang(&self) -> &'static str {
        self.browser.language().code()
    }

    /// The other languages: tag and own name.
    #[must_use]
    pub fn other_languages(&self) -> Vec<&'static Language> {
        let own = self.lang();
        languages()
            .iter()
            .filter(|language| language.code() != own)
            .collect()
    }

    /// A day as people write it.
    #[must_use]
    pub fn date(&self, at: &DateTime<Utc>) -> String {
        self.browser.language().date(at)
    }

    /// A time as people write it.
    #[must_use]
    pub fn time(&self, at: &DateTime<Utc>) -> String {
        self.browser.language().time(at)
    }

    /// What the page's forms carry in the field `csrf`.
    #[must_use]
    pub fn csrf(&self) -> String {
        self.browser.csrf()
    }

    /// Where a file lies.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        asset_path(name)
    }

    /// The house.
    #[must_use]
    pub fn brand(&self) -> &str {
        &self.browser.area().brand
    }

    /// The name of this set of pages.
    #[must_use]
    pub fn area_name(&self) -> &'static str {
        let key = self.browser.area().name;
        self.browser.language().text(key)
    }

    /// The first page.
    #[must_use]
    pub fn home(&self) -> &'static str {
        self.browser.area().home
    }

    /// Where the form that ends the session goes.
    #[must_use]
    pub fn sign_out(&self) -> &'static str {
        self.browser.area().sign_out
    }

    /// The navigation.
    #[must_use]
    pub fn items(&self) -> &'static [Item] {
        self.browser.area().items
    }

    /// Whether this is the page of a link, or lies beneath it.
    #[must_use]
    pub fn here(&self, item: &Item) -> bool {
        let path = self.browser.path();
        let beneath = path
            .strip_prefix(item.path)
            .is_some_and(|rest| rest.starts_with('/'));
        path == item.path || (beneath && item.path != self.home())
    }

    /// The path of this page.
    #[must_use]
    pub fn path(&self) -> &str {
        self.browser.path()
    }

    /// What was just done, told once.
    #[must_use]
    pub fn flash(&self) -> Option<&'static str> {
        self.browser.flash()
    }
}

/// A page as an answer.
///
/// # Errors
/// [`Kind::Internal`] when the template cannot be filled.
pub fn page(template: &impl Template) -> Result<HttpResponse, Problem> {
    page_with(StatusCode::OK, template)
}

pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Result<HttpResponse, Problem> {
    let text = template.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be drawn");
        Problem::new(Kind::Internal)
    })?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(text))
}
