//! The contract as the code knows it: `/openapi.json`, and `/docs` for people.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY},
    web::{self, Bytes},
};
use data_encoding::BASE64;
use utoipa::openapi::{
    Content, OpenApi, Ref, RefOr,
    schema::{ArrayItems, Object, Schema},
};

use super::{PROBLEM_JSON, reference};

/// Style of the page; the only thing that it loads, and only this very text.
const STYLE: &str = include_str!("reference.css");

/// The contract in both forms, written down once.
pub struct Contract {
    json: Bytes,
    page: Bytes,
    policy: String,
}

impl Contract {
    /// The contract of this document.
    ///
    /// # Errors
    /// When the document cannot be written as JSON.
    pub fn new(api: &OpenApi) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(api)?;
        let hash = BASE64.encode(ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes()).as_ref());
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'; \
             form-action 'none'; require-trusted-types-for 'script'"
        );
        Ok(Self {
            json: text(api)?.into(),
            page: reference::page(&value, STYLE).into(),
            policy,
        })
    }
}

/// The document as `docs/openapi.json` holds it: indented, with a line end.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn text(api: &OpenApi) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(api).map(|text| text + "\n")
}

/// Writes every object that is put together of others (`allOf`) as one. An answer that holds all members of a request
/// would else have to satisfy the request's own schema too, which knows no further members.
pub fn join_objects(api: &mut OpenApi) {
    let Some(components) = &mut api.components else {
        return;
    };
    let all = components.schemas.clone();
    for schema in components.schemas.values_mut() {
        join(schema, &all);
    }
}

fn join(schema: &mut RefOr<Schema>, all: &BTreeMap<String, RefOr<Schema>>) {
    if matches!(schema, RefOr::T(Schema::AllOf(_)))
        && let Some(object) = members(schema, all, 0)
    {
        *schema = RefOr::T(Schema::Object(object));
    }
    match schema {
        RefOr::T(Schema::Object(object)) => {
            for member in object.properties.values_mut() {
                join(member, all);
            }
        }
        // The items of a page stand in the list itself.
        RefOr::T(Schema::Array(list)) => {
            if let ArrayItems::RefOrSchema(items) = &mut list.items {
                join(items, all);
            }
        }
        _ => {}
    }
}

/// Says of every refusal that says nothing of its body that it is a problem document: no call of the contract answers
/// otherwise.
pub fn describe_refusals(api: &mut OpenApi) {
    for item in api.paths.paths.values_mut() {
        let calls = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for call in calls.into_iter().flatten() {
            let refusals = call.responses.responses.iter_mut();
            for (_, answer) in refusals.filter(|(status, _)| status.starts_with(['4', '5'])) {
                if let RefOr::T(answer) = answer
                    && answer.content.is_empty()
                {
                    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
                    answer.content.insert(PROBLEM_JSON.to_owned(), RefOr::T(problem));
                }
            }
        }
    }
}

/// How deep schemas may be put together of others.
const DEEPEST: u8 = 8;

/// An object with all members of a schema and of those it is put together of; none when one of them is no object.
fn members(schema: &RefOr<Schema>, all: &BTreeMap<String, RefOr<Schema>>, depth: u8) -> Option<Object> {
    match schema {
        RefOr::Ref(there) if depth < DEEPEST => {
            let (_, name) = there.ref_location.rsplit_once('/')?;
            members(all.get(name)?, all, depth.saturating_add(1))
        }
        RefOr::T(Schema::Object(object)) => Some(object.clone()),
        RefOr::T(Schema::AllOf(parts)) => {
            let mut whole = Object::default();
            whole.description.clone_from(&parts.description);
            for part in &parts.items {
                let part = members(part, all, depth.saturating_add(1))?;
                whole.properties.extend(part.properties);
                whole.required.extend(part.required);
            }
            Some(whole)
        }
        _ => None,
    }
}

/// The first line in which the published document and the code differ, with what to do.
#[must_use]
pub fn difference(published: &str, code: &str) -> Option<String> {
    if published == code {
        return None;
    }
    let mut lines = published.lines().zip(code.lines()).enumerate();
    let first = lines.find(|(_, (was, is))| was != is);
    let told = first.map_or_else(
        || "one is longer than the other".to_owned(),
        |(at, (was, is))| {
            format!(
                "line {}: published {}, in the code {}",
                at + 1,
                was.trim(),
                is.trim()
            )
        },
    );
    Some(format!("docs/openapi.json is not what the code serves: {told}"))
}

/// This contract, for programs.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operation",
    security(()),
    responses((status = 200, description = "This contract as OpenAPI 3.1", content_type = "application/json"))
)]
pub async fn openapi_json(contract: web::Data<Contract>) -> HttpResponse {
    tokio::task::yield_now().await;
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .content_type("application/json")
        .body(contract.json.clone())
}

/// This contract, for people.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "operation",
    security(()),
    responses((status = 200, description = "This contract for people", content_type = "text/html"))
)]
pub async fn docs(contract: web::Data<Contract>) -> HttpResponse {
    tokio::task::yield_now().await;
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .insert_header((CONTENT_SECURITY_POLICY, contract.policy.clone()))
        .content_type("text/html; charset=utf-8")
        .body(contract.page.clone())
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        http::header::HeaderMap,
        test::{TestRequest, call_service, init_service, read_body},
    };
    use utoipa::OpenApi as _;

    use super::*;

    #[derive(utoipa::OpenApi)]
    #[openapi(
        info(title = "Test <script>alert(1)</script>", description = "a & b"),
        paths(crate::web::health::readyz, crate::web::metrics::metrics, docs, openapi_json)
    )]
    struct Api;

    async fn get(path: &str) -> (HeaderMap, String) {
        let contract = web::Data::new(Contract::new(&Api::openapi()).unwrap());
        let app = init_service(
            App::new()
                .app_data(contract)
                .route("/docs", web::get().to(docs))
                .route("/openapi.json", web::get().to(openapi_json)),
        )
        .await;
        let response = call_service(&app, TestRequest::with_uri(path).to_request()).await;
        assert_eq!(response.status(), 200);
        let headers = response.headers().clone();
        (
            headers,
            String::from_utf8(read_body(response).await.to_vec()).unwrap(),
        )
    }

    #[actix_web::test]
    async fn the_page_shows_every_call_and_escapes_everything() {
        let (headers, page) = get("/docs").await;
        for expected in [
            "/readyz",
            "/metrics",
            "Problem",
            "Health",
            "Test &lt;script&gt;",
            "a &amp; b",
        ] {
            assert!(page.contains(expected), "{expected} is missing in {page}");
        }
        assert!(!page.contains("<script"));
        let policy = headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"));
        assert!(
            page.contains(&format!("<style>{STYLE}</style>")),
            "the hashed text is the one in the page"
        );
    }

    #[actix_web::test]
    async fn the_document_is_openapi_3_1() {
        let (_, json) = get("/openapi.json").await;
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(value["openapi"].as_str().unwrap().starts_with("3.1"));
    }

    #[derive(utoipa::ToSchema)]
    #[schema(example = json!({}))]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Answer {
        id: String,
        #[schema(inline = false)]
        #[serde(flatten)]
        said: Said,
    }

    #[derive(serde::Deserialize, utoipa::ToSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Said {
        text: String,
    }

    #[test]
    fn an_answer_that_holds_a_request_is_one_object() {
        #[derive(utoipa::OpenApi)]
        #[openapi(components(schemas(Answer, Said)))]
        struct Joined;
        let mut api = Joined::openapi();
        join_objects(&mut api);
        let value = serde_json::to_value(&api).unwrap();
        let answer = &value["components"]["schemas"]["Answer"];
        assert!(answer["allOf"].is_null(), "{answer}");
        assert!(answer["properties"]["id"].is_object() && answer["properties"]["text"].is_object());
        assert!(answer["additionalProperties"].is_null());
        assert_eq!(answer["required"], serde_json::json!(["text", "id"]));
    }

    #[test]
    fn differences_are_told_by_line() {
        assert_eq!(difference("a\nb", "a\nb"), None);
        assert!(
            difference("a\nb", "a\nc")
                .unwrap()
                .contains("line 2: published b, in the code c")
        );
        assert!(difference("a", "a\nb").unwrap().contains("longer"));
    }
}
