//! Each function gives a setter a type that it does not take.

use liveavatar_api::Client;
use liveavatar_api::session::FullSession;
use liveavatar_api::types::{AvatarPersona, VideoSettings, VoiceAgentRef};

pub fn a_text_for_a_number(client: Client) {
    let _ = client.list_voices().page("one");
}

pub fn a_number_for_an_id() {
    let _ = FullSession::builder().avatar_id(1);
}

pub fn the_builder_of_another_field() {
    let _ = FullSession::builder().avatar_persona(VideoSettings::builder());
}

pub fn a_type_that_is_not_a_member_of_the_union() {
    let _ = AvatarPersona::builder().voice_settings(VideoSettings::builder());
}

pub fn a_list_of_other_items(client: Client) {
    let _ = client.create_context().links(["https://example.com"]);
}

pub fn one_value_for_a_list(client: Client) {
    let _ = client.create_context().links("https://example.com");
}

pub fn a_map_of_other_values() {
    let _ = VoiceAgentRef::builder().dynamic_variables([("visits", 1)]);
}

pub fn a_type_that_is_not_a_member_of_the_body(client: Client) {
    let _ = client.create_session_token().body(AvatarPersona::builder());
}
