//! Words of pages for people at a browser: the shell around every page, texts by language, files, sessions' cookies
//! and the defence of forms. Nothing here knows a guest.
//!
//! A set of pages ([`Area`]) is a scope wrapped in [`guard()`]: whatever goes wrong inside becomes a page, a visitor who
//! must sign in is led there, and a form of another site is refused before its handler runs.

mod area;
mod assets;
mod browser;
mod form;
mod guard;
mod shell;
mod texts;

pub use area::{Area, Item};
pub use assets::{asset, asset_path};
pub use browser::{Browser, SessionKey, SetCookie};
pub use form::{Form, from_our_own_page};
pub use guard::guard;
pub use shell::{Shell, page};
pub use texts::{Language, languages};
