//! Stored records, for every collection of the document at once.

use liveavatar_mock::{OperationInfo, Server, example_requests, operations};
use serde_json::{Value, json};

use super::harness::{
    AVATAR, Auth, Mock, Response, SANDBOX_AVATAR, advance, entries, full, lite, operation, send, with,
};

const UNKNOWN_ID: &str = "6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f10";

/// Returns the operations on a single record that is not a session.
fn record_operations(method: &str) -> impl Iterator<Item = OperationInfo> {
    operations().filter(move |it| {
        it.method == method && it.path.ends_with('}') && !it.path.starts_with("/v1/sessions")
    })
}

fn collection(operation: &OperationInfo) -> &'static str {
    operation.path.split('/').nth(2).expect("a version and a collection")
}

/// Calls an operation with its first example and this id.
async fn call(mock: &Mock, operation: &OperationInfo, id: &str) -> Response {
    let mut example = example_requests(operation.name).remove(0);
    example.path.values_mut().for_each(|value| *value = id.into());
    mock.send_example(Auth::Key, operation, &example).await
}

/// Creates a record; returns its id and the data of the response.
async fn create_record(mock: &Mock, operation: &OperationInfo) -> (String, Value) {
    let example = example_requests(operation.name).remove(0);
    let response = mock.send_example(Auth::Key, operation, &example).await;
    assert_eq!(response.status, operation.success, "{}: {}", operation.name, response.body);
    let data = &response.body["data"];
    let id = ["id", "voice_id", "embed_id"].iter().find_map(|name| data[*name].as_str());
    (id.unwrap_or_else(|| panic!("{}: {data}", operation.name)).to_owned(), data.clone())
}

fn create_operations() -> impl Iterator<Item = OperationInfo> {
    operations().filter(|it| it.method == "POST" && !it.path.starts_with("/v1/sessions"))
}

#[tokio::test]
async fn a_created_record_can_be_read_listed_and_deleted_once() {
    let mock = Mock::start().await;
    let mut report = Vec::new();
    for create in create_operations() {
        let (id, _) = create_record(&mock, &create).await;
        let collection = collection(&create);
        let mut operations_called = vec![create.name];
        for get in record_operations("GET").filter(|it| self::collection(it) == collection) {
            let response = call(&mock, &get, &id).await;
            assert_eq!((response.status, response.text("/data/id")), (200, id.clone()), "{}", get.name);
            operations_called.push(get.name);
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
            let found = entries(&mock.get(&path).await.body);
            assert_eq!(found[0]["id"], id.as_str(), "{}: newest first", list.name);
            operations_called.push(list.name);
        }
        for delete in record_operations("DELETE").filter(|it| self::collection(it) == collection) {
            assert_eq!(call(&mock, &delete, &id).await.status, delete.success, "{}", delete.name);
            assert_eq!(call(&mock, &delete, &id).await.status, 404, "{}", delete.name);
            operations_called.push(delete.name);
        }
        for item in record_operations("GET")
            .chain(record_operations("PATCH"))
            .filter(|it| self::collection(it) == collection)
        {
            let response = call(&mock, &item, &id).await;
            assert_eq!((response.status, &response.body["code"]), (404, &json!(4040)), "{}", item.name);
        }
        report.push(operations_called.join(", "));
    }
    insta::assert_snapshot!(report.join("\n"), @"
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
async fn an_unknown_id_is_a_404_that_names_the_kind_of_record() {
    let mock = Mock::start().await;
    let mut report = Vec::new();
    for item in record_operations("GET").chain(record_operations("PATCH")).chain(record_operations("DELETE"))
    {
        let response = call(&mock, &item, UNKNOWN_ID).await;
        assert_eq!((response.status, &response.body["data"]), (404, &Value::Null), "{}", item.name);
        report.push(format!("{} {}: {}", item.method, item.path, response.text("/message")));
    }
    let preview = operation("get_voice_preview_by_id");
    assert_eq!(call(&mock, &preview, UNKNOWN_ID).await.status, 404);
    insta::assert_snapshot!(report.join("\n"), @"
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
async fn an_update_changes_the_given_fields_and_the_time() {
    let mock = Mock::start().await;
    let create = json!({ "name": "a", "prompt": "Say ${word} to ${name}", "opening_text": null, "links": [{ "url": "u", "faq": null }] });
    let made = mock.post(Auth::Key, "/v1/contexts", create).await.body["data"].clone();
    assert_eq!(made["required_dynamic_variables"], json!(["word", "name"]));
    assert_eq!((&made["links"][0]["url"], &made["links"][0]["faq"]), (&json!("u"), &Value::Null));
    assert!(made["links"][0]["id"].is_string());
    mock.server.advance(std::time::Duration::from_secs(90));
    let path = format!("/v1/contexts/{}", made["id"].as_str().expect("an id"));
    let update = json!({ "name": "b", "prompt": "Hi", "opening_text": "Hello ${name}", "unknown": 1 });
    let changed = send(mock.request(Auth::Key, "PATCH", &path).json(&update)).await.body["data"].clone();
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
    assert_eq!(mock.get(&path).await.body["data"], expected);
}

#[tokio::test]
async fn the_value_of_a_secret_is_never_returned() {
    let mock = Mock::start().await;
    let body = json!({ "secret_name": "n", "secret_type": "OPENAI_API_KEY", "secret_value": "canary-value" });
    let made = mock.post(Auth::Key, "/v1/secrets", body).await;
    let listed = mock.get("/v1/secrets").await;
    assert_eq!(entries(&listed.body)[0]["secret_name"], "n");
    assert_eq!(entries(&listed.body)[0]["secret_type"], "OPENAI_API_KEY");
    assert!(!format!("{}{}", made.body, listed.body).contains("canary-value"));
}

#[tokio::test]
async fn own_and_public_records_are_listed_separately() {
    let mock = Mock::with(Server::builder().public_entries(2)).await;
    let mut report = Vec::new();
    for path in
        ["/v1/avatars", "/v1/avatars/public", "/v1/voices", "/v1/voices?voice_type=private", "/v1/contexts"]
    {
        let found = entries(&mock.get(path).await.body);
        let names: Vec<_> = found.iter().map(|entry| entry["name"].as_str().expect("a name")).collect();
        report.push(format!("{path}: {}", names.join(", ")));
    }
    insta::assert_snapshot!(report.join("\n"), @"
    /v1/avatars: name
    /v1/avatars/public: Public avatar 1, Public avatar 2
    /v1/voices: Public voice 1, Public voice 2
    /v1/voices?voice_type=private: name
    /v1/contexts: name
    ");
    assert_eq!(entries(&mock.get("/v1/avatars/public").await.body)[0]["id"], SANDBOX_AVATAR);
    assert_eq!(mock.get(&format!("/v1/avatars/{SANDBOX_AVATAR}")).await.status, 200);
}

#[tokio::test]
async fn public_records_cannot_be_updated_or_deleted() {
    let mock = Mock::start().await;
    for name in ["update_avatar", "delete_avatar"] {
        assert_eq!(call(&mock, &operation(name), SANDBOX_AVATAR).await.status, 404, "{name}");
    }
    assert_eq!(mock.get(&format!("/v1/avatars/{SANDBOX_AVATAR}")).await.status, 200);
}

#[tokio::test]
async fn a_new_image_avatar_is_in_training() {
    let mock = Mock::start().await;
    let (id, made) = create_record(&mock, &operation("create_image_avatar")).await;
    assert_eq!((&made["status"], &made["type"]), (&json!("INIT"), &json!("IMAGE")));
    assert_eq!((&made["default_voice"], &made["error_message"]), (&Value::Null, &Value::Null));
    advance(60).await;
    assert_eq!(mock.get(&format!("/v1/avatars/{id}")).await.text("/data/status"), "ACTIVE");
}

#[tokio::test]
async fn the_default_voice_is_set_by_its_id() {
    let mock = Mock::start().await;
    let (id, _) = create_record(&mock, &operation("create_image_avatar")).await;
    let path = format!("/v1/avatars/{id}");
    let set = async |voice: Value| {
        let request = mock.request(Auth::Key, "PATCH", &path).json(&json!({ "default_voice_id": voice }));
        send(request).await.body["data"]["default_voice"].clone()
    };
    assert_eq!(set(json!(UNKNOWN_ID)).await["id"], UNKNOWN_ID);
    assert_eq!(set(Value::Null).await, Value::Null);
}

#[tokio::test]
async fn a_referenced_secret_must_exist() {
    let mock = Mock::start().await;
    let body = json!({ "display_name": "d", "model_name": "m", "secret_id": "none" });
    let response = mock.post(Auth::Key, "/v1/llm-configurations", body).await;
    assert_eq!((response.status, &response.body["code"]), (400, &json!(4000)));
    assert_eq!(response.body["data"][0]["loc"], json!(["secret_id"]));
}

#[tokio::test]
async fn an_unknown_llm_configuration_is_rejected_only_at_start() {
    let mock = Mock::start().await;
    let minted = mock.mint(with(full(), json!({ "llm_configuration_id": UNKNOWN_ID }))).await;
    assert_eq!(minted.status, 200);
    let response = mock.start_with_token(&minted.text("/data/session_token")).await;
    let message = format!("LLM configuration with id '{UNKNOWN_ID}' not found in your space");
    assert_eq!((response.status, response.text("/data/0/message")), (400, message));
    let (id, _) = create_record(&mock, &operation("create_llm_configuration")).await;
    mock.start_session(with(full(), json!({ "llm_configuration_id": id }))).await;
}

#[tokio::test]
async fn every_placeholder_of_a_context_requires_a_value() {
    let mock = Mock::start().await;
    let create = json!({ "name": "a", "prompt": "${one} ${two}", "opening_text": null });
    let id = mock.post(Auth::Key, "/v1/contexts", create).await.text("/data/id");
    let session = |given: Value| {
        with(full(), json!({ "avatar_persona": { "context_id": id }, "dynamic_variables": given }))
    };
    let response = mock.mint(session(json!({ "one": "1" }))).await;
    let message = "Missing required dynamic variables: two".to_owned();
    assert_eq!((response.status, response.text("/data/0/message")), (400, message));
    assert_eq!(mock.mint(session(json!({ "one": "1", "two": "2", "three": "3" }))).await.status, 200);
}

#[tokio::test]
async fn deleting_an_avatar_ends_its_sessions_and_rejects_new_tokens() {
    let mock = Mock::start().await;
    let (avatar, _) = create_record(&mock, &operation("create_image_avatar")).await;
    let (id, _) = mock.start_session(with(lite(), json!({ "avatar_id": avatar }))).await;
    let (other, _) = mock.start_session(lite()).await;
    call(&mock, &operation("delete_avatar"), &avatar).await;
    let running: Vec<_> = mock.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [other]);
    assert_eq!(mock.get(&format!("/v1/sessions/{id}")).await.text("/data/end_reason"), "AVATAR_DELETED");
    let response = mock.mint(with(lite(), json!({ "avatar_id": avatar }))).await;
    assert_eq!(
        (response.status, response.text("/data/0/message")),
        (400, "You dont have access to this avatar".to_owned())
    );
}

#[tokio::test]
async fn known_avatars_only_rejects_other_avatars() {
    let mock = Mock::with(Server::builder().known_avatars_only()).await;
    let mint = async |avatar: &str| mock.mint(with(lite(), json!({ "avatar_id": avatar }))).await.status;
    assert_eq!((mint(AVATAR).await, mint(SANDBOX_AVATAR).await), (400, 200));
}

#[tokio::test]
async fn a_sandbox_embed_accepts_only_its_avatar() {
    let mock = Mock::start().await;
    let embed = async |avatar: &str| {
        let body = json!({ "avatar_id": avatar, "is_sandbox": true });
        mock.post(Auth::Key, "/v2/embeddings", body).await
    };
    assert_eq!(embed("65f9e3c9-d48b-4118-b73a-4ae2e3cbb8f0").await.status, 200);
    let response = embed(AVATAR).await;
    assert_eq!((response.status, &response.body["data"][0]["loc"]), (400, &json!(["avatar_id"])));
}

#[tokio::test]
async fn servers_do_not_share_records() {
    let (one, other) = (Mock::start().await, Mock::start().await);
    let (id, _) = create_record(&one, &operation("create_context")).await;
    assert_eq!(one.get(&format!("/v1/contexts/{id}")).await.status, 200);
    assert_eq!(other.get(&format!("/v1/contexts/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_first_list_of_many_entries_takes_little_time() {
    let mock = Mock::with(Server::builder().public_entries(10_000)).await;
    let begin = std::time::Instant::now();
    let list = mock.get("/v1/avatars/public?page=100&page_size=100").await;
    let took = begin.elapsed();
    assert_eq!((&list.body["data"]["count"], entries(&list.body).len()), (&json!(10_000), 100));
    // 100 ms on an idle machine, and 10 s when each entry was derived from the document.
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

/// The memory of another process, so that other tests do not count.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hundred_thousand_entries_take_less_than_500_mb() {
    use std::io::BufRead as _;
    use std::process::{Command, Stdio};

    let mut mock = Command::new(env!("CARGO_BIN_EXE_cli"))
        .args(["mock", "--json", "--public-entries", "100000"])
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    std::io::BufReader::new(mock.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let started: Value = serde_json::from_str(&first).unwrap();
    let [url, key] = ["url", "api_key"].map(|name| started["data"][name].as_str().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut counts = Vec::new();
    for path in ["/v1/avatars/public", "/v1/voices?voice_type=public"] {
        let list = send(http.get(format!("{url}{path}")).header("x-api-key", key)).await;
        counts.push(list.body["data"]["count"].clone());
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", mock.id())).unwrap();
    mock.kill().unwrap();
    mock.wait().unwrap();
    assert_eq!(counts, [100_000, 100_000]);
    let resident = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 500_000, "{kilobytes} kB");
}
