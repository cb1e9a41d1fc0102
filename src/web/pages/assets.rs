//! Files that pages load: in the binary, named by the hash of their content, so that browsers may keep them for ever.

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName},
    web::{Bytes, Path},
};
use data_encoding::HEXLOWER;

use crate::{
    crypto,
    web::{Kind, Problem},
};

/// A file: its name, its media type, its bytes.
type File = (&'static str, &'static str, &'static [u8]);

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files there are.
const FILES: &[File] = &[
    ("pages.css", CSS, include_bytes!("assets/pages.css")),
    ("pages.js", SCRIPT, include_bytes!("assets/pages.js")),
    (
        "console.css",
        CSS,
        include_bytes!("../../console/assets/console.css"),
    ),
    (
        "reviews.js",
        SCRIPT,
        include_bytes!("../../console/assets/reviews.js"),
    ),
    (
        "verify.js",
        SCRIPT,
        include_bytes!("../../console/assets/verify.js"),
    ),
    ("mark.svg", "image/svg+xml", include_bytes!("assets/mark.svg")),
];

/// By hashed name.
static NAMED: LazyLock<BTreeMap<String, &'static File>> =
    LazyLock::new(|| FILES.iter().map(|file| (hashed(file), file)).collect());

/// The path of each, by plain name.
static PATHS: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    let path = |file: &File| (file.0, format!("/assets/{}", hashed(file)));
    FILES.iter().map(path).collect()
});

/// `pages.css` with these bytes is `pages-3f2a….css`.
fn hashed((name, _, bytes): &File) -> String {
    let hash = HEXLOWER.encode(crypto::sha256(bytes).get(..8).unwrap_or_default());
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    format!("{stem}-{hash}.{extension}")
}

/// Where a file lies; empty when there is none of the name, which a test of the templates would find.
#[must_use]
pub fn asset_path(name: &str) -> &'static str {
    PATHS.get(name).map(String::as_str).unwrap_or_default()
}

/// `GET /assets/{name}`.
///
/// # Errors
/// [`Kind::NotFound`] for a name that is none of this build's.
pub async fn asset(name: Path<String>) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    let (_, media, bytes) = NAMED.get(name.as_str()).ok_or(Problem::new(Kind::NotFound))?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((
            HeaderName::from_static("content-security-policy"),
            "default-src 'none'",
        ))
        .content_type(*media)
        .body(Bytes::from_static(bytes)))
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        test::{TestRequest, call_service, init_service, read_body},
        web,
    };

    use super::*;

    #[actix_web::test]
    async fn files_are_kept_for_ever_under_the_name_of_their_content() {
        let app = init_service(App::new().route("/assets/{name}", web::get().to(asset))).await;
        for (name, media, bytes) in FILES {
            let path = asset_path(name);
            let answer = call_service(&app, TestRequest::with_uri(path).to_request()).await;
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(answer.headers().get("content-type").unwrap(), media);
            let kept = answer.headers().get("cache-control").unwrap().to_str().unwrap();
            assert!(kept.contains("immutable"), "{kept}");
            assert_eq!(read_body(answer).await, *bytes);
        }
        for path in ["/assets/pages.css", "/assets/pages-0000000000000000.css"] {
            let answer = call_service(&app, TestRequest::with_uri(path).to_request()).await;
            assert_eq!(answer.status(), 404, "{path}");
        }
    }

    #[test]
    fn the_style_fetches_nothing_from_elsewhere() {
        for (name, _, bytes) in FILES {
            let text = std::str::from_utf8(bytes)
                .unwrap()
                .replace("http://www.w3.org/2000/svg", "");
            for word in ["http:", "https:", "@import", "//cdn"] {
                assert!(!text.contains(word), "{name}: {word}");
            }
        }
    }
}
