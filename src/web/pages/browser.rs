//! The browser of a request: its language, its secret, what it was told last.

use std::{
    fmt::Write as _,
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    http::header::{COOKIE, HeaderName, SET_COOKIE},
};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::{Area, Language, texts};
use crate::{
    base::RequestId,
    crypto,
    web::{ClientAddress, Kind, Problem},
};

/// The cookie of the language: a choice, no secret; one for all areas.
const LANGUAGE: &str = "gv-lang";
/// For how long a chosen language is remembered, in seconds.
const LANGUAGE_AGE: u32 = 180 * 86_400;
/// For how long the next page may be late that tells what was done, in seconds.
const TOLD_AGE: u32 = 60;

/// A cookie as a header: give it to `append_header`.
pub type SetCookie = (HeaderName, String);

/// What the server keeps of a browser's secret: its hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionKey(pub [u8; 32]);

/// A browser. Every one has a random secret in a cookie; it is signed in when the server knows the hash.
#[derive(Clone)]
pub struct Browser {
    area: Area,
    language: &'static Language,
    chosen: bool,
    secret: Zeroizing<[u8; 32]>,
    fresh: bool,
    flash: Option<String>,
    path: String,
    address: Option<IpAddr>,
    request: RequestId,
}

impl Browser {
    /// The browser behind a request of this area.
    #[must_use]
    pub(super) fn of(request: &HttpRequest, area: &Area) -> Self {
        let asked = request
            .query_string()
            .split('&')
            .find_map(|pair| pair.strip_prefix("lang="))
            .and_then(texts::of_tag);
        let cookie = |name: &str| cookie_of(request, name);
        let language = asked
            .or_else(|| texts::of_tag(cookie(LANGUAGE)?))
            .or_else(|| texts::preferred(request.headers()))
            .unwrap_or_else(texts::fallback);
        let known = cookie(&area.cookie_name("")).and_then(|text| {
            let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?);
            bytes.as_slice().try_into().ok().map(Zeroizing::new)
        });
        Self {
            area: area.clone(),
            language,
            chosen: asked.is_some(),
            fresh: known.is_none(),
            secret: known.unwrap_or_else(|| Zeroizing::new(crypto::random())),
            flash: cookie(&area.cookie_name("-told")).map(str::to_owned),
            path: request.path().to_owned(),
            address: request.extensions().get::<ClientAddress>().map(|a| a.0),
            request: crate::web::request_id(request),
        }
    }

    /// The pages it looks at.
    #[must_use]
    pub const fn area(&self) -> &Area {
        &self.area
    }

    /// The language it reads.
    #[must_use]
    pub const fn language(&self) -> &'static Language {
        self.language
    }

    /// The path of the page.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where it calls from, if that is known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// Under what its session is found.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        SessionKey(self.derived(b"guest-vault session 1"))
    }

    /// What its forms must carry.
    #[must_use]
    pub fn csrf(&self) -> String {
        BASE64URL_NOPAD.encode(&self.derived(b"guest-vault form 1"))
    }

    /// A fingerprint of this browser for what is begun before a sign-in and must end in the same browser.
    #[must_use]
    pub fn binding(&self) -> [u8; 32] {
        self.derived(b"guest-vault sign-in 1")
    }

    fn derived(&self, label: &[u8]) -> [u8; 32] {
        crypto::sha256(&Zeroizing::new([label, self.secret.as_slice()].concat()))
    }

    /// The same browser with a new secret: at every sign-in and sign-out, so that a planted one is worth nothing.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self {
            secret: Zeroizing::new(crypto::random()),
            fresh: true,
            ..self.clone()
        }
    }

    /// The cookie of the secret. It ends with the browser; the server ends it before.
    #[must_use]
    pub fn cookie(&self) -> SetCookie {
        let secret = BASE64URL_NOPAD.encode(self.secret.as_slice());
        self.own(&self.area.cookie_name(""), &secret, None)
    }

    /// The cookie that tells the next page what was done: the key of a text, shown once.
    #[must_use]
    pub fn told(&self, key: &'static str) -> SetCookie {
        self.own(&self.area.cookie_name("-told"), key, Some(TOLD_AGE))
    }

    /// What [`Browser::keep`] kept in this browser.
    #[must_use]
    pub fn kept<'r>(&self, request: &'r HttpRequest, what: &str) -> Option<&'r str> {
        cookie_of(request, &self.area.cookie_name(what))
    }

    /// A cookie for so many seconds, beside that of the secret; the value is of base64url's alphabet.
    #[must_use]
    pub fn keep(&self, what: &str, value: &str, seconds: u32) -> SetCookie {
        self.own(&self.area.cookie_name(what), value, Some(seconds))
    }

    /// A cookie of this host alone, out of the reach of scripts; the value is of our own alphabet.
    fn own(&self, name: &str, value: &str, age: Option<u32>) -> SetCookie {
        let mut text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
        if self.area.secure {
            text.push_str("; Secure");
        }
        if let Some(age) = age {
            // Writing to a string cannot fail.
            let _ = write!(text, "; Max-Age={age}");
        }
        (SET_COOKIE, text)
    }

    /// The text to show once, if there is one: only keys of `flash` are, whatever the cookie says.
    #[must_use]
    pub fn flash(&self) -> Option<&'static str> {
        let key = self.flash.as_deref().filter(|key| key.starts_with("flash."))?;
        self.language.find(key)
    }

    /// The cookies that an answer brings along.
    pub(super) fn cookies(&self, sets_own: bool, was_page: bool) -> Vec<SetCookie> {
        let mut all = Vec::new();
        if self.fresh && !sets_own {
            all.push(self.cookie());
        }
        if self.chosen {
            all.push(self.own(LANGUAGE, self.language.code(), Some(LANGUAGE_AGE)));
        }
        if self.flash.is_some() && was_page {
            all.push(self.own(&self.area.cookie_name("-told"), "", Some(0)));
        }
        all
    }
}

/// A cookie's value (RFC 6265 §4.2). When a name comes twice, somebody planted one: neither counts.
fn cookie_of<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let mut found = request
        .headers()
        .get_all(COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

impl FromRequest for Browser {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Missing only outside a guarded area.
        ready(
            request
                .extensions()
                .get::<Self>()
                .cloned()
                .ok_or(Problem::new(Kind::Internal)),
        )
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::web::pages::area::tests::area;

    fn browser(request: TestRequest) -> Browser {
        Browser::of(&request.to_http_request(), &area(true))
    }

    /// A request with the cookie that a `Set-Cookie` set.
    fn with(cookie: &str) -> TestRequest {
        let pair = cookie.split(';').next().unwrap().to_owned();
        TestRequest::default().insert_header((COOKIE, pair))
    }

    #[test]
    fn a_cookie_that_comes_twice_counts_for_nothing() {
        let one = browser(TestRequest::default());
        let pair = one.cookie().1.split(';').next().unwrap().to_owned();
        let twice = browser(TestRequest::default().insert_header((COOKIE, format!("{pair}; {pair}"))));
        assert!(twice.fresh && twice.key() != one.key());
    }

    #[test]
    fn a_secret_gives_three_things_that_tell_nothing_of_each_other() {
        let one = browser(TestRequest::default());
        let same = browser(with(&one.cookie().1));
        assert!(one.key() == same.key() && one.csrf() == same.csrf());
        assert!(!same.fresh && one.fresh);
        let other = one.renewed();
        assert!(one.key() != other.key() && one.csrf() != other.csrf());
        assert_ne!(BASE64URL_NOPAD.encode(&one.key().0), one.csrf());
        assert_ne!(one.key().0, one.binding());
    }

    #[test]
    fn the_cookie_stays_with_this_host_and_out_of_scripts() {
        let (_, cookie) = browser(TestRequest::default()).cookie();
        for part in ["__Host-gv-guest=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }

    #[test]
    fn the_language_is_asked_remembered_or_preferred() {
        let code = |request: TestRequest| browser(request).language().code().to_owned();
        assert_eq!(code(TestRequest::with_uri("/privacy?lang=zh")), "zh");
        assert_eq!(code(TestRequest::with_uri("/privacy?lang=xx")), "en");
        assert_eq!(code(with("gv-lang=zh")), "zh");
        assert_eq!(
            code(TestRequest::default().insert_header(("accept-language", "zh-TW"))),
            "zh"
        );
    }

    #[test]
    fn only_texts_of_ours_are_told() {
        let told = |value: &str| browser(with(&format!("__Host-gv-guest-told={value}"))).flash();
        assert!(told("flash.signed_out").is_some());
        assert_eq!(told("<b>Your account is closed</b>"), None);
        assert_eq!(told("common.skip"), None);
        assert_eq!(told("flash.nothing"), None);
    }
}
