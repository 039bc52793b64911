//! Reading a whole list from a service whose links and counts are odd: either all items arrive, or an error.

use std::sync::{Arc, Mutex};

use axum::extract::{RawQuery, State};
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use liveavatar_api::{Client, Credential};
use serde_json::{Value, json};

const CASES: usize = 2_000;

/// How many items a list has.
const ITEMS: [usize; 7] = [0, 1, 2, 3, 5, 6, 25];

const SIZES: [usize; 5] = [1, 2, 3, 20, 100];

/// The `next` of a page that is not the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Relative,
    /// Of a proxy, a gateway or an alias.
    OtherHost,
    NotAUrl,
    WithoutNumber,
    Empty,
    ToItself,
    Backward,
    /// Over a page.
    Skipping,
    Missing,
}

const LINKS: [Link; 9] = [
    Link::Relative,
    Link::OtherHost,
    Link::NotAUrl,
    Link::WithoutNumber,
    Link::Empty,
    Link::ToItself,
    Link::Backward,
    Link::Skipping,
    Link::Missing,
];

impl Link {
    fn after(self, page: usize) -> Value {
        match self {
            Self::Relative => json!(format!("/v1/voices?page={}", page + 1)),
            Self::OtherHost => json!(format!("https://api.example.com:8443/v1/voices?page={}", page + 1)),
            Self::NotAUrl => json!(format!("http://[?page={}#page=1", page + 1)),
            Self::WithoutNumber => json!("https://api.example.com/v1/voices?cursor=abc"),
            Self::Empty => json!(""),
            Self::ToItself => json!(format!("/v1/voices?page={page}")),
            Self::Backward => json!(format!("/v1/voices?page={}", page - 1)),
            Self::Skipping => json!(format!("/v1/voices?page={}", page + 2)),
            Self::Missing => Value::Null,
        }
    }
}

/// A deviation of one page, other than in its link.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Oddity {
    None,
    /// The page is empty.
    Empty,
    Null,
    Absent,
    /// The last page links to another one, which is empty.
    LinkAfterTheLast,
}

const ODDITIES: [Oddity; 5] =
    [Oddity::None, Oddity::Empty, Oddity::Null, Oddity::Absent, Oddity::LinkAfterTheLast];

/// One list of a service.
#[derive(Clone, Copy, Debug)]
struct List {
    items: usize,
    size: usize,
    has_count: bool,
    link: Link,
    /// The page with the odd link and the oddity; the others are regular.
    odd_page: usize,
    oddity: Oddity,
}

impl List {
    fn page(self, number: usize) -> Value {
        let Self { items, size, has_count, link, odd_page, oddity } = self;
        let shown = (number - 1) * size..items.min(number * size);
        let is_odd = number == odd_page;
        let is_last = number * size >= items;
        let link = if is_odd { link } else { Link::Relative };
        let next =
            if is_last && oddity != Oddity::LinkAfterTheLast { Value::Null } else { link.after(number) };
        let results: Vec<Value> = shown.map(voice).collect();
        let mut page = json!({ "count": items, "next": next, "previous": null, "results": results });
        if !has_count {
            page["count"] = Value::Null;
        }
        match oddity {
            Oddity::Empty if is_odd => page["results"] = json!([]),
            Oddity::Null if is_odd => page["results"] = Value::Null,
            Oddity::Absent if is_odd => drop(page.as_object_mut().unwrap().remove("results")),
            _ => {}
        }
        json!({ "code": 1000, "data": page, "message": null })
    }

    /// Whether nothing in the responses shows that items are missing.
    fn may_hide_a_cut(self) -> bool {
        let skips = matches!(self.link, Link::Missing | Link::Skipping);
        !self.has_count && (skips || self.oddity == Oddity::Empty)
    }

    /// Whether each page names the next one correctly; the host does not matter.
    fn is_regular(self) -> bool {
        let leads_on = !matches!(self.link, Link::ToItself | Link::Backward | Link::Skipping | Link::Missing);
        leads_on && self.oddity == Oddity::None
    }
}

fn voice(number: usize) -> Value {
    let mut voice = liveavatar_mock::example_response("list_voices").unwrap()["data"]["results"][0].clone();
    voice["id"] = json!(id(number));
    voice
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

type Shown = Arc<Mutex<List>>;

async fn page(State(list): State<Shown>, query: RawQuery) -> ([(HeaderName, &'static str); 1], String) {
    let RawQuery(query) = query;
    let number = query.as_deref().and_then(|query| query.strip_prefix("page=")?.split('&').next());
    let page = list.lock().unwrap().page(number.map_or(1, |number| number.parse().unwrap()));
    ([(CONTENT_TYPE, "application/json")], page.to_string())
}

/// Starts a service that shows a list, and returns a client of it.
async fn serve(list: &Shown) -> Client {
    let app = axum::Router::new().route("/v1/voices", get(page)).with_state(Arc::clone(list));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let key = Credential::api_key("canary-api-key").unwrap();
    Client::builder().base_url(url).credential(key).build().unwrap()
}

#[tokio::test]
async fn a_walk_returns_all_items_or_an_error() {
    let mut random = fastrand::Rng::with_seed(17);
    let mut any = |from: &[usize]| from[random.usize(..from.len())];
    let (mut complete, mut failed) = (0, 0);
    let first =
        List { items: 0, size: 1, has_count: true, link: Link::Relative, odd_page: 1, oddity: Oddity::None };
    let shown = Arc::new(Mutex::new(first));
    let client = serve(&shown).await;
    for _ in 0..CASES {
        let (items, size) = (any(&ITEMS), any(&SIZES));
        let list = List {
            items,
            size,
            has_count: any(&[0, 1, 2]) > 0,
            link: LINKS[any(&std::array::from_fn::<_, { LINKS.len() }, _>(|index| index))],
            odd_page: any(&[1, 2, items.div_ceil(size).max(1)]),
            oddity: ODDITIES[any(&[0, 0, 0, 1, 2, 3, 4])],
        };
        *shown.lock().unwrap() = list;
        let page_size = i64::try_from(size).unwrap();
        match client.list_voices().page_size(page_size).all().await {
            Ok(voices) => {
                let read: Vec<_> = voices.iter().map(|voice| voice.id.to_string()).collect();
                let all: Vec<_> = (0..items).map(id).collect();
                assert!(read == all || list.may_hide_a_cut(), "{list:?}: {} items", read.len());
                complete += 1;
            }
            Err(error) => {
                assert!(error.is_decode() && !list.is_regular(), "{list:?}: {error}");
                failed += 1;
            }
        }
    }
    // Neither outcome is rare.
    assert!(complete > CASES / 4 && failed > CASES / 10, "{complete} complete, {failed} failed");
}
