//! Bodies that may be left out.

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::{StreamExt as _, future::LocalBoxFuture};
use serde::de::DeserializeOwned;

use super::{Problem, StrictJson};

/// A body of `application/json`, or none: without one the content type does not matter.
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // The length may be announced or not, so that only the first byte tells.
        let chunks = payload.take();
        let mut chunks = Box::pin(
            chunks
                .skip_while(|chunk| std::future::ready(chunk.as_ref().is_ok_and(|bytes| bytes.is_empty())))
                .peekable(),
        );
        let request = request.clone();
        Box::pin(async move {
            if chunks.as_mut().peek().await.is_none() {
                return Ok(Self(None));
            }
            let mut payload: Payload = Payload::Stream { payload: chunks };
            let body = StrictJson::from_request(&request, &mut payload).await?;
            Ok(Self(Some(body.0)))
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::web::Kind;

    async fn send(media: Option<&str>, body: &'static str) -> Result<Option<u8>, Kind> {
        let mut request = TestRequest::post().set_payload(body);
        if let Some(media) = media {
            request = request.insert_header(("content-type", media));
        }
        let (request, mut payload) = request.to_http_parts();
        let read = OptionalJson::<u8>::from_request(&request, &mut payload).await;
        read.map(|body| body.0).map_err(|problem| problem.kind())
    }

    #[actix_web::test]
    async fn a_body_is_read_strictly_or_is_not_there() {
        assert_eq!(send(None, "").await, Ok(None));
        assert_eq!(send(Some("application/json"), "").await, Ok(None));
        assert_eq!(send(Some("application/json"), "7").await, Ok(Some(7)));
        assert_eq!(
            send(Some("application/json"), " ").await,
            Err(Kind::InvalidRequest)
        );
        assert_eq!(
            send(Some("text/plain"), "7").await,
            Err(Kind::UnsupportedMediaType)
        );
        assert_eq!(send(None, "7").await, Err(Kind::UnsupportedMediaType));
    }
}
