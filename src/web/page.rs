//! Lists in pages: `?limit=50&cursor=…` in, `{"items":[…],"next_cursor":…}` out.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Kind, Problem, query};

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 200;
const LONGEST_CURSOR: usize = 512;

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    limit: u16,
    cursor: Option<String>,
}

/// The parameters of a list that takes no others: its handler asks for a [`Page`]. A list with filters has `limit` and
/// `cursor` among its own and calls [`Page::new`].
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParameters {
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// Where the page begins.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

impl Page {
    /// The page that these parameters ask for: 1 to 200 items, 50 when nothing is said.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the limit is out of range or the cursor is too long.
    pub fn new(limit: Option<u16>, cursor: Option<String>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if limit == 0 || limit > MAX_LIMIT {
            return Err(Problem::new(Kind::InvalidRequest).field("limit", "must be 1 to 200"));
        }
        if cursor.as_ref().is_some_and(|c| c.len() > LONGEST_CURSOR) {
            return Err(bad_cursor());
        }
        Ok(Self { limit, cursor })
    }

    /// How many items at most.
    #[must_use]
    pub const fn limit(&self) -> u16 {
        self.limit
    }

    /// How many rows to ask the database for: one more tells whether there is a next page.
    #[must_use]
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The cursor of a place that [`Listing::page`] does not tell: see [`Page::after`].
    #[must_use]
    pub fn cursor_of<P: Serialize>(position: &P) -> Option<String> {
        let bytes = serde_json::to_vec(position).ok()?;
        Some(BASE64URL_NOPAD.encode(&bytes))
    }

    /// Where the page begins: what the last page's [`Listing::page`] was given. It comes from the caller, who
    /// may have made it up: use it only as a position.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when it is none of ours.
    pub fn after<T: DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| bad_cursor())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| bad_cursor())
    }
}

fn bad_cursor() -> Problem {
    Problem::new(Kind::InvalidRequest).field(
        "cursor",
        "is none that this list gave; start again without a cursor",
    )
}

impl FromRequest for Page {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = query::parse::<PageParameters>(request.query_string());
        ready(read.and_then(|p| Self::new(p.limit, p.cursor)))
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Listing<T> {
    /// The items.
    #[schema(max_items = 200)]
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    #[serde(default)]
    #[schema(max_length = 512, required = true)]
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// The page of `rows`, which were asked for with [`Page::rows`]; `position` tells an item's place in the
    /// order. A place is an id or a time, never a guest's value: it travels in a URL.
    pub fn page<P: Serialize>(page: &Page, mut rows: Vec<T>, position: impl Fn(&T) -> P) -> Self {
        let limit = usize::from(page.limit);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(position);
        let next_cursor = last
            .and_then(|p| serde_json::to_vec(&p).ok())
            .map(|p| BASE64URL_NOPAD.encode(&p));
        Self {
            items: rows,
            next_cursor,
        }
    }

    /// The same page of other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Listing<U> {
        Listing {
            items: self.items.into_iter().map(change).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn walk(all: &[u32], limit: u16) -> Vec<Vec<u32>> {
        let (mut pages, mut cursor) = (Vec::new(), None);
        loop {
            let page = Page::new(Some(limit), cursor).unwrap();
            let after: Option<u32> = page.after().unwrap();
            let rows: Vec<u32> = all
                .iter()
                .copied()
                .filter(|n| after.is_none_or(|a| *n > a))
                .take(page.rows().try_into().unwrap())
                .collect();
            let listing = Listing::page(&page, rows, |n| *n);
            pages.push(listing.items);
            cursor = listing.next_cursor;
            if cursor.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        assert_eq!(walk(&[1, 2, 3, 4, 5], 2), [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(walk(&[1, 2, 3, 4], 2), [[1, 2], [3, 4]]);
        assert_eq!(walk(&[], 2), [Vec::<u32>::new()]);
    }

    async fn ask(query: &str) -> Result<Page, Problem> {
        Page::extract(&TestRequest::with_uri(&format!("/x?{query}")).to_http_request()).await
    }

    #[actix_web::test]
    async fn limits_and_cursors_that_are_none_are_refused() {
        for query in [
            "limit=0",
            "limit=201",
            "limit=-1",
            "limit=a",
            "limit=1&limit=2",
            "other=1",
        ] {
            assert_eq!(
                ask(query).await.unwrap_err().kind().status().as_u16(),
                400,
                "{query}"
            );
        }
        assert_eq!(ask("").await.unwrap().limit(), 50);
        let long = format!("cursor={}", "A".repeat(600));
        assert_eq!(ask(&long).await.unwrap_err().kind(), Kind::InvalidRequest);
        for cursor in ["!!", "AAAA", "W10", "%ff"] {
            let page = ask(&format!("cursor={cursor}")).await.unwrap();
            assert_eq!(
                page.after::<u32>().unwrap_err().kind(),
                Kind::InvalidRequest,
                "{cursor}"
            );
        }
    }
}
