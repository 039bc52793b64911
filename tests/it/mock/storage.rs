//! Rules of stored things, for every collection of the document at once.

use liveavatar_mock::{OperationInfo, Server, example_requests, operations};
use serde_json::{Value, json};

use crate::harness::{AVATAR, From, Lab, Reply, SANDBOX_AVATAR, advance, full, lite, operation, send, with};

const NOBODY: &str = "6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f10";

/// Operations with one parameter at the end of their path, and no session.
fn items(method: &str) -> impl Iterator<Item = OperationInfo> {
    operations().filter(move |it| {
        it.method == method && it.path.ends_with('}') && !it.path.starts_with("/v1/sessions")
    })
}

fn collection(operation: &OperationInfo) -> &'static str {
    operation.path.split('/').nth(2).expect("a version and a collection")
}

/// Calls an operation with its first example, on another id.
async fn on(lab: &Lab, operation: &OperationInfo, id: &str) -> Reply {
    let mut example = example_requests(operation.name).remove(0);
    example.path.values_mut().for_each(|value| *value = id.into());
    lab.send_example(From::Key, operation, &example).await
}

/// The entries of a list, whether it has pages or not.
fn entries(body: &Value) -> Vec<Value> {
    let data = &body["data"];
    data["results"].as_array().or(data.as_array()).expect("a list").clone()
}

/// What was created, by its collection; the id is wherever the answer has it.
async fn created(lab: &Lab, operation: &OperationInfo) -> (String, Value) {
    let example = example_requests(operation.name).remove(0);
    let reply = lab.send_example(From::Key, operation, &example).await;
    assert_eq!(reply.status, operation.success, "{}: {}", operation.name, reply.body);
    let data = &reply.body["data"];
    let id = ["id", "voice_id", "embed_id"].iter().find_map(|name| data[*name].as_str());
    (id.unwrap_or_else(|| panic!("{}: {data}", operation.name)).to_owned(), data.clone())
}

fn creations() -> impl Iterator<Item = OperationInfo> {
    operations().filter(|it| it.method == "POST" && !it.path.starts_with("/v1/sessions"))
}

#[tokio::test]
async fn what_is_created_can_be_got_listed_and_deleted_once() {
    let lab = Lab::start().await;
    let mut told = Vec::new();
    for create in creations() {
        let (id, _) = created(&lab, &create).await;
        let collection = collection(&create);
        let mut steps = vec![create.name];
        for get in items("GET").filter(|it| self::collection(it) == collection) {
            let reply = on(&lab, &get, &id).await;
            assert_eq!((reply.status, reply.text("/data/id")), (200, id.clone()), "{}", get.name);
            steps.push(get.name);
        }
        let lists = operations().filter(|it| {
            let is_list = it.method == "GET" && it.path.split('/').count() == 3;
            is_list && self::collection(it) == collection
        });
        for list in lists {
            let mut path = list.path.to_owned();
            if list.name == "list_voices" {
                path.push_str("?voice_type=private");
            }
            let found = entries(&lab.get(&path).await.body);
            assert_eq!(found[0]["id"], id.as_str(), "{}: newest first", list.name);
            steps.push(list.name);
        }
        for delete in items("DELETE").filter(|it| self::collection(it) == collection) {
            assert_eq!(on(&lab, &delete, &id).await.status, delete.success, "{}", delete.name);
            assert_eq!(on(&lab, &delete, &id).await.status, 404, "{}", delete.name);
            steps.push(delete.name);
        }
        for item in items("GET").chain(items("PATCH")).filter(|it| self::collection(it) == collection) {
            let reply = on(&lab, &item, &id).await;
            assert_eq!((reply.status, &reply.body["code"]), (404, &json!(4040)), "{}", item.name);
        }
        told.push(steps.join(", "));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    create_image_avatar, get_avatar_by_id, list_user_avatars, delete_avatar
    create_avatar, get_avatar_by_id, list_user_avatars, delete_avatar
    create_context, get_context_by_id, list_user_contexts, delete_context
    create_llm_configuration, get_llm_configuration, list_llm_configurations, delete_llm_configuration
    create_memory, get_memory, list_memories, delete_memory
    create_secret, list_secrets, delete_secret
    bind_third_party_voice, get_voice_by_id, list_voices, delete_voice
    create_embed_v2
    ");
}

#[tokio::test]
async fn unknown_ids_are_not_found_and_say_of_what() {
    let lab = Lab::start().await;
    let mut told = Vec::new();
    for item in items("GET").chain(items("PATCH")).chain(items("DELETE")) {
        let reply = on(&lab, &item, NOBODY).await;
        assert_eq!((reply.status, &reply.body["data"]), (404, &Value::Null), "{}", item.name);
        told.push(format!("{} {}: {}", item.method, item.path, reply.text("/message")));
    }
    let preview = operation("get_voice_preview_by_id");
    assert_eq!(on(&lab, &preview, NOBODY).await.status, 404);
    insta::assert_snapshot!(told.join("\n"), @"
    GET /v1/avatars/{avatar_id}: Avatar not found
    GET /v1/contexts/{context_id}: Context not found
    GET /v1/llm-configurations/{config_id}: Llm configuration not found
    GET /v1/memory/{memory_id}: Memory not found
    GET /v1/voice_agents/{agent_id}: Voice agent not found
    GET /v1/voices/{voice_id}: Voice not found
    PATCH /v1/avatars/{avatar_id}: Avatar not found
    PATCH /v1/contexts/{context_id}: Context not found
    PATCH /v1/llm-configurations/{config_id}: Llm configuration not found
    PATCH /v1/voices/{voice_id}: Voice not found
    DELETE /v1/avatars/{avatar_id}: Avatar not found
    DELETE /v1/contexts/{context_id}: Context not found
    DELETE /v1/llm-configurations/{config_id}: Llm configuration not found
    DELETE /v1/memory/{memory_id}: Memory not found
    DELETE /v1/secrets/{secret_id}: Secret not found
    DELETE /v1/voices/{voice_id}: Voice not found
    ");
}

#[tokio::test]
async fn what_is_changed_is_what_was_sent_and_the_time_of_the_change() {
    let lab = Lab::start().await;
    let create = json!({ "name": "a", "prompt": "Say ${word} to ${name}", "opening_text": null, "links": [{ "url": "u", "faq": null }] });
    let made = lab.post(From::Key, "/v1/contexts", create).await.body["data"].clone();
    assert_eq!(made["required_dynamic_variables"], json!(["word", "name"]));
    assert_eq!((&made["links"][0]["url"], &made["links"][0]["faq"]), (&json!("u"), &Value::Null));
    assert!(made["links"][0]["id"].is_string());
    lab.server.advance(std::time::Duration::from_secs(90));
    let path = format!("/v1/contexts/{}", made["id"].as_str().expect("an id"));
    let update = json!({ "name": "b", "prompt": "Hi", "opening_text": "Hello ${name}", "unknown": 1 });
    let changed = send(lab.request(From::Key, "PATCH", &path).json(&update)).await.body["data"].clone();
    let mut expected = made;
    for (name, value) in [
        ("name", json!("b")),
        ("prompt", json!("Hi")),
        ("opening_text", json!("Hello ${name}")),
        ("required_dynamic_variables", json!(["name"])),
        ("updated_at", json!("2026-01-01T00:01:30Z")),
    ] {
        expected[name] = value;
    }
    assert_eq!(changed, expected);
    assert_eq!(lab.get(&path).await.body["data"], expected);
}

#[tokio::test]
async fn the_value_of_a_secret_never_comes_back() {
    let lab = Lab::start().await;
    let body = json!({ "secret_name": "n", "secret_type": "OPENAI_API_KEY", "secret_value": "canary-value" });
    let made = lab.post(From::Key, "/v1/secrets", body).await;
    let listed = lab.get("/v1/secrets").await;
    assert_eq!(entries(&listed.body)[0]["secret_name"], "n");
    assert_eq!(entries(&listed.body)[0]["secret_type"], "OPENAI_API_KEY");
    assert!(!format!("{}{}", made.body, listed.body).contains("canary-value"));
}

#[tokio::test]
async fn own_and_public_entries_are_listed_apart() {
    let lab = Lab::with(Server::builder().public_entries(2)).await;
    let mut told = Vec::new();
    for path in
        ["/v1/avatars", "/v1/avatars/public", "/v1/voices", "/v1/voices?voice_type=private", "/v1/contexts"]
    {
        let found = entries(&lab.get(path).await.body);
        let names: Vec<_> = found.iter().map(|entry| entry["name"].as_str().expect("a name")).collect();
        told.push(format!("{path}: {}", names.join(", ")));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    /v1/avatars: name
    /v1/avatars/public: Public avatar 1, Public avatar 2
    /v1/voices: Public voice 1, Public voice 2
    /v1/voices?voice_type=private: name
    /v1/contexts: name
    ");
    assert_eq!(entries(&lab.get("/v1/avatars/public").await.body)[0]["id"], SANDBOX_AVATAR);
    assert_eq!(lab.get(&format!("/v1/avatars/{SANDBOX_AVATAR}")).await.status, 200);
}

#[tokio::test]
async fn public_entries_cannot_be_changed_or_deleted() {
    let lab = Lab::start().await;
    for name in ["update_avatar", "delete_avatar"] {
        assert_eq!(on(&lab, &operation(name), SANDBOX_AVATAR).await.status, 404, "{name}");
    }
    assert_eq!(lab.get(&format!("/v1/avatars/{SANDBOX_AVATAR}")).await.status, 200);
}

#[tokio::test]
async fn links_lead_through_all_pages_of_a_catalogue() {
    let lab = Lab::with(Server::builder().public_entries(45)).await;
    let mut path = Some("/v1/voices?page_size=20&voice_type=public".to_owned());
    let mut ids = std::collections::BTreeSet::new();
    let mut sizes = Vec::new();
    while let Some(next) = path {
        let body = lab.get(&next).await.body;
        assert_eq!(body["data"]["count"], 45);
        let page = entries(&body);
        sizes.push(page.len());
        ids.extend(page.iter().map(|entry| entry["id"].to_string()));
        let link = body["data"]["next"].as_str();
        path =
            link.map(|link| link.strip_prefix(lab.server.url()).expect("a link to this server").to_owned());
    }
    assert_eq!((sizes, ids.len()), (vec![20, 20, 5], 45));
}

#[tokio::test]
async fn an_image_avatar_is_in_training_at_first() {
    let lab = Lab::start().await;
    let (id, made) = created(&lab, &operation("create_image_avatar")).await;
    assert_eq!((&made["status"], &made["type"]), (&json!("INIT"), &json!("IMAGE")));
    assert_eq!((&made["default_voice"], &made["error_message"]), (&Value::Null, &Value::Null));
    advance(60).await;
    assert_eq!(lab.get(&format!("/v1/avatars/{id}")).await.text("/data/status"), "ACTIVE");
}

#[tokio::test]
async fn a_default_voice_is_set_by_its_id() {
    let lab = Lab::start().await;
    let (id, _) = created(&lab, &operation("create_image_avatar")).await;
    let path = format!("/v1/avatars/{id}");
    let set = async |voice: Value| {
        let request = lab.request(From::Key, "PATCH", &path).json(&json!({ "default_voice_id": voice }));
        send(request).await.body["data"]["default_voice"].clone()
    };
    assert_eq!(set(json!(NOBODY)).await["id"], NOBODY);
    assert_eq!(set(Value::Null).await, Value::Null);
}

#[tokio::test]
async fn a_secret_that_is_used_must_exist() {
    let lab = Lab::start().await;
    let body = json!({ "display_name": "d", "model_name": "m", "secret_id": "none" });
    let reply = lab.post(From::Key, "/v1/llm-configurations", body).await;
    assert_eq!((reply.status, &reply.body["code"]), (400, &json!(4000)));
    assert_eq!(reply.body["data"][0]["loc"], json!(["secret_id"]));
}

#[tokio::test]
async fn a_missing_language_model_is_noticed_only_at_start() {
    let lab = Lab::start().await;
    let minted = lab.mint(with(full(), json!({ "llm_configuration_id": NOBODY }))).await;
    assert_eq!(minted.status, 200);
    let reply = lab.start_with(&minted.text("/data/session_token")).await;
    let said = format!("LLM configuration with id '{NOBODY}' not found in your space");
    assert_eq!((reply.status, reply.text("/data/0/message")), (400, said));
    let (id, _) = created(&lab, &operation("create_llm_configuration")).await;
    lab.running(with(full(), json!({ "llm_configuration_id": id }))).await;
}

#[tokio::test]
async fn the_placeholders_of_a_context_need_values() {
    let lab = Lab::start().await;
    let create = json!({ "name": "a", "prompt": "${one} ${two}", "opening_text": null });
    let id = lab.post(From::Key, "/v1/contexts", create).await.text("/data/id");
    let session = |given: Value| {
        with(full(), json!({ "avatar_persona": { "context_id": id }, "dynamic_variables": given }))
    };
    let reply = lab.mint(session(json!({ "one": "1" }))).await;
    let said = "Missing required dynamic variables: two".to_owned();
    assert_eq!((reply.status, reply.text("/data/0/message")), (400, said));
    assert_eq!(lab.mint(session(json!({ "one": "1", "two": "2", "three": "3" }))).await.status, 200);
}

#[tokio::test]
async fn a_deleted_avatar_ends_its_sessions_and_gets_no_token() {
    let lab = Lab::start().await;
    let (avatar, _) = created(&lab, &operation("create_image_avatar")).await;
    let (id, _) = lab.running(with(lite(), json!({ "avatar_id": avatar }))).await;
    let (other, _) = lab.running(lite()).await;
    on(&lab, &operation("delete_avatar"), &avatar).await;
    let running: Vec<_> = lab.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [other]);
    assert_eq!(lab.get(&format!("/v1/sessions/{id}")).await.text("/data/end_reason"), "AVATAR_DELETED");
    let reply = lab.mint(with(lite(), json!({ "avatar_id": avatar }))).await;
    assert_eq!(
        (reply.status, reply.text("/data/0/message")),
        (400, "You dont have access to this avatar".to_owned())
    );
}

#[tokio::test]
async fn only_known_avatars_get_a_token_where_that_is_asked_for() {
    let lab = Lab::with(Server::builder().known_avatars_only()).await;
    let mint = async |avatar: &str| lab.mint(with(lite(), json!({ "avatar_id": avatar }))).await.status;
    assert_eq!((mint(AVATAR).await, mint(SANDBOX_AVATAR).await), (400, 200));
}

#[tokio::test]
async fn embeds_in_the_sandbox_have_their_avatar() {
    let lab = Lab::start().await;
    let embed = async |avatar: &str| {
        let body = json!({ "avatar_id": avatar, "is_sandbox": true });
        lab.post(From::Key, "/v2/embeddings", body).await
    };
    assert_eq!(embed("65f9e3c9-d48b-4118-b73a-4ae2e3cbb8f0").await.status, 200);
    let reply = embed(AVATAR).await;
    assert_eq!((reply.status, &reply.body["data"][0]["loc"]), (400, &json!(["avatar_id"])));
}

#[tokio::test]
async fn servers_store_apart() {
    let (one, other) = (Lab::start().await, Lab::start().await);
    let (id, _) = created(&one, &operation("create_context")).await;
    assert_eq!(one.get(&format!("/v1/contexts/{id}")).await.status, 200);
    assert_eq!(other.get(&format!("/v1/contexts/{id}")).await.status, 404);
}
