//! The same calls with the crate and with the client of openapi-generator, in one run.

mod rows;
#[allow(dead_code, reason = "the benches use the rest")]
mod support;

use generated::apis::avatar_api::list_user_avatars_v1_avatars_get;
use generated::apis::configuration::{ApiKey, Configuration};
use generated::apis::users_api::get_user_credits_v1_users_credits_get;
use generated::models::ResponsePaginatedResponseAvatarSchema;
use support::{CALL, CALL_OF_100, Callers, DECODING, KEY, decode_ours, page};

fn main() {
    let callers = Callers::new();
    let mut configuration = Configuration::new();
    configuration.base_path.clone_from(&callers.url);
    configuration.client = reqwest::Client::builder().no_proxy().build().unwrap();
    configuration.api_key = Some(ApiKey { prefix: None, key: KEY.to_owned() });

    let bytes = page();
    let decoded = || serde_json::from_slice::<ResponsePaginatedResponseAvatarSchema>(&bytes).unwrap();
    rows::timed("generated", DECODING, 20, || decode_ours(&bytes), decoded);
    let credits = || {
        callers.runtime.block_on(get_user_credits_v1_users_credits_get(&configuration, None)).unwrap()
    };
    rows::timed("generated", CALL, 50, || callers.credits(), credits);
    let avatars = || {
        callers.runtime.block_on(list_user_avatars_v1_avatars_get(&configuration, None, None, None)).unwrap()
    };
    rows::timed("generated", CALL_OF_100, 20, || callers.avatars(), avatars);
}
