//! Forms: read strictly, and only when one of our own pages sent them.
//!
//! Two defences, either of which would do: the browser says from where a form comes (`Sec-Fetch-Site`, `Origin`), and
//! the form carries what only a page of ours could know of this browser's secret.

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{Uri, header::HeaderMap},
};
use futures_util::{StreamExt as _, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{Area, Browser};
use crate::{
    crypto,
    web::{Kind, Problem, headers::media_type, query},
};

/// The field that every form carries.
const FIELD: &str = "csrf=";
/// The most bytes of a form.
const LONGEST: usize = 64 * 1024;

/// A form of one of our pages. `T` refuses unknown fields with `deny_unknown_fields`.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if media_type(request.headers()).as_deref() != Some("application/x-www-form-urlencoded") {
                return Err(Problem::new(Kind::UnsupportedMediaType));
            }
            let mut body = Zeroizing::new(Vec::new());
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| Problem::new(Kind::InvalidRequest))?;
                if body.len() + chunk.len() > LONGEST {
                    return Err(Problem::new(Kind::TooLarge));
                }
                body.extend_from_slice(&chunk);
            }
            let browser = Browser::extract(&request).await?;
            let text = std::str::from_utf8(&body).map_err(|_| Problem::new(Kind::InvalidRequest))?;
            read(text, &browser).map(Self)
        })
    }
}

fn read<T: DeserializeOwned>(text: &str, browser: &Browser) -> Result<T, Problem> {
    let (tokens, rest): (Vec<&str>, Vec<&str>) = text.split('&').partition(|pair| pair.starts_with(FIELD));
    let token = match tokens.as_slice() {
        [one] => one.strip_prefix(FIELD).unwrap_or_default(),
        _ => "",
    };
    if !crypto::same(token.as_bytes(), browser.csrf().as_bytes()) {
        return Err(Problem::new(Kind::Forbidden));
    }
    query::parse(&rest.join("&"))
}

/// Whether a request that changes something comes from a page of this very origin. A browser that says nothing at all
/// is refused: every one of the last years says at least `Origin` with a form.
#[must_use]
pub fn from_our_own_page(headers: &HeaderMap, area: &Area) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site")
        && site != "same-origin"
    {
        return false;
    }
    let Some(origin) = text("origin") else {
        // With `Referrer-Policy: no-referrer` some browsers send `Origin: null` or none; then the first must be there.
        return text("sec-fetch-site").is_some();
    };
    if origin == "null" {
        return text("sec-fetch-site").is_some();
    }
    if let Some(ours) = &area.origin
        && **ours == *origin
    {
        return true;
    }
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let scheme = if area.secure { "https" } else { "http" };
    let host = uri.authority().map(|authority| authority.as_str());
    uri.scheme_str() == Some(scheme) && host.is_some() && host == text("host")
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};
    use serde::Deserialize;

    use super::*;
    use crate::web::pages::area::tests::area;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        code: String,
    }

    #[test]
    fn a_form_without_this_browsers_token_is_refused() {
        let browser = Browser::of(&TestRequest::default().to_http_request(), &area(true));
        let kind = |text: &str| {
            read::<Fields>(text, &browser)
                .map(|f| f.code)
                .map_err(|p| p.kind())
        };
        let token = browser.csrf();
        assert_eq!(kind(&format!("code=1&csrf={token}")), Ok("1".to_owned()));
        let other = browser.renewed().csrf();
        for text in [
            "code=1".to_owned(),
            "code=1&csrf=".to_owned(),
            format!("code=1&csrf={other}"),
            format!("code=1&csrf={token}&csrf={token}"),
        ] {
            assert_eq!(kind(&text), Err(Kind::Forbidden), "{text}");
        }
        assert_eq!(kind(&format!("code=1&x=2&csrf={token}")), Err(Kind::UnknownField));
    }

    #[test]
    fn only_a_page_of_this_origin_may_send() {
        let sent = |area: &Area, given: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(
                actix_web::http::header::HOST,
                HeaderValue::from_static("vault.example"),
            );
            for (name, value) in given {
                headers.insert(
                    actix_web::http::header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
            }
            from_our_own_page(&headers, area)
        };
        let tls = area(true);
        for good in [
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://vault.example"),
            ][..],
            &[("origin", "https://vault.example")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("sec-fetch-site", "same-origin")],
        ] {
            assert!(sent(&tls, good), "{good:?}");
        }
        for bad in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://vault.example")],
            &[("origin", "https://vault.example.evil.example")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://vault.example"),
            ],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://vault.example"),
            ],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!sent(&tls, bad), "{bad:?}");
        }
        let named = Area {
            origin: Some("https://privacy.hotel.example".into()),
            ..area(true)
        };
        assert!(sent(&named, &[("origin", "https://privacy.hotel.example")]));
    }
}
