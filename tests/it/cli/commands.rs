//! Every command that the help lists: its help, a successful call, a rejected call and a usage error.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures_util::{StreamExt as _, stream};
use liveavatar_mock::{MockResponse, Server, example_request, example_response};
use serde_json::{Value, json};

use super::{UNKNOWN_SESSION, mock_builder, program, redact_ids, redact_times, run_command};

/// Lines of one output in a snapshot, and characters of one line; the rest is cut off.
const LINES_MAX: usize = 40;
const CHARACTERS_MAX: usize = 2_000;
const CONCURRENCY: usize = 4;

/// A command without subcommands.
struct Leaf {
    path: Vec<String>,
    help: String,
}

impl Leaf {
    fn name(&self) -> String {
        self.path.join(" ")
    }
}

async fn help(path: &[String]) -> String {
    let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    run_command(None, program(None, &arguments), &arguments, Vec::new()).await
}

/// Returns the names below `Commands:`, which are indented by two spaces.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        // The help of the same commands again.
        .filter(|name| name != "help")
        .collect()
}

fn without_global_options(help: &str) -> String {
    let (before, global) = help.split_once("\nGlobal options:\n").unwrap();
    let after = global.split_once("\n\n").map_or("", |(_, after)| after);
    format!("{before}\n{after}")
}

/// Returns the help of all commands, and the commands without subcommands.
async fn tree() -> (String, Vec<Leaf>) {
    let (mut all, mut leaves, mut left) = (String::new(), Vec::new(), vec![Vec::new()]);
    while let Some(path) = left.pop() {
        let help = help(&path).await;
        let _ =
            writeln!(all, "{}\n", if path.is_empty() { help.clone() } else { without_global_options(&help) });
        let below = subcommands(&help);
        if below.is_empty() {
            leaves.push(Leaf { path, help });
        } else {
            left.extend(below.into_iter().rev().map(|name| [path.clone(), vec![name]].concat()));
        }
    }
    (all, leaves)
}

/// How to call a command successfully.
struct Case {
    arguments: Vec<String>,
    input: Vec<u8>,
    /// Responses to operations that replace those of the mock.
    responses: Vec<(String, Value)>,
    /// The operation for which the service rejects the request; none if nothing is sent.
    rejects: Option<String>,
    /// The longest session of the service, in seconds.
    max_session_duration: u64,
    /// Whether the command runs until it is interrupted.
    runs_forever: bool,
    /// Whether the command writes files, and runs in a new folder.
    writes: bool,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            arguments: Vec::new(),
            input: Vec::new(),
            responses: Vec::new(),
            rejects: None,
            max_session_duration: 60,
            runs_forever: false,
            writes: false,
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Returns the case of a hand-written command.
fn built_in_case(name: &str) -> Option<Case> {
    let case = |arguments: &[&str], rejects: Option<&str>| Case {
        arguments: words(arguments),
        rejects: rejects.map(str::to_owned),
        ..Case::default()
    };
    let with_responses = |responses: &[(&str, Value)], case: Case| Case {
        responses: responses.iter().map(|(name, body)| ((*name).to_owned(), body.clone())).collect(),
        ..case
    };
    let session = || {
        let mut session = example_response("get_session").unwrap();
        session["data"]["end_at"] = "2026-01-02T03:05:05Z".into();
        session["data"]["end_reason"] = "USER_CLOSED".into();
        session
    };
    let transcript = || {
        let mut transcript = example_response("get_session_transcript").unwrap();
        transcript["data"]["session_active"] = false.into();
        transcript["data"]["next_timestamp"] = Value::Null;
        transcript
    };
    let list = || example_response("list_sessions").unwrap();
    Some(match name {
        "login" => {
            Case { input: b"canary-api-key\n".to_vec(), writes: true, ..case(&[], Some("get_user_credits")) }
        }
        "session new" => Case { writes: true, ..case(&[], None) },
        "doctor" => case(&[], Some("get_user_credits")),
        "speak" => Case { input: super::speak::wav(16_000, 100), ..case(&["-"], Some("start_session")) },
        "session check" => case(&["lite-sandbox.json", "custom-own-room.json"], None),
        "session token" => case(&["lite-sandbox.json"], Some("create_session_token")),
        // The command ends when the session expires.
        "session start" => {
            Case { max_session_duration: 1, ..case(&["lite-sandbox.json"], Some("start_session")) }
        }
        "session list" => with_responses(&[("list_sessions", list())], case(&[], Some("list_sessions"))),
        "session stop" => with_responses(
            &[("stop_session", json!({"code": 1000, "message": "ok", "data": null}))],
            case(&[UNKNOWN_SESSION], Some("stop_session")),
        ),
        "session watch" => with_responses(
            &[
                ("get_session", session()),
                ("get_session", session()),
                ("get_session_transcript", transcript()),
            ],
            case(&[UNKNOWN_SESSION], Some("get_session")),
        ),
        "session transcript" => with_responses(
            &[("get_session_transcript", transcript())],
            case(&[UNKNOWN_SESSION], Some("get_session_transcript")),
        ),
        "call" => with_responses(
            &[("list_voices", example_response("list_voices").unwrap())],
            case(&["list_voices", "--query", "page_size=5"], Some("list_voices")),
        ),
        "operations" | "schema" => case(&[], None),
        "completions" => case(&["bash"], None),
        // The tests in `page` and `mock` end them.
        "demo" | "mock" => Case { runs_forever: true, ..case(&[], None) },
        _ => return None,
    })
}

/// Returns the case of a command that is derived from the API document, with the document's example.
fn derived_case(leaf: &Leaf, operation: &str) -> Case {
    let example = example_request(operation).unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut case = Case { rejects: Some(operation.to_owned()), ..Case::default() };
    case.arguments.extend(example.path.values().map(text));
    for (name, value) in &example.query {
        case.arguments.extend([format!("--{}", name.replace('_', "-")), text(value)]);
    }
    match (example.content_type.as_deref(), example.body) {
        (Some("application/json"), Some(body)) if leaf.help.contains("--json-body") => {
            case.arguments.extend(words(&["--json-body", "@-"]));
            case.input = body.to_string().into_bytes();
        }
        // The ID of the command's own resource is positional.
        (Some("application/json"), Some(Value::Object(body))) => {
            case.arguments.extend(body.values().map(text));
        }
        (Some(_), Some(Value::Object(parts))) => {
            for (name, value) in &parts {
                let is_file = leaf.help.contains(&format!("--{name} <FILE>"));
                let value = if is_file { "-".to_owned() } else { text(value) };
                case.arguments.extend([format!("--{name}"), value]);
            }
            case.input = liveavatar_tests::picture();
        }
        _ => {}
    }
    let response =
        example_response(operation).unwrap_or_else(|| json!({"code": 1000, "message": "ok", "data": null}));
    case.responses.push((operation.to_owned(), response));
    case
}

fn shorten(text: &str) -> String {
    let cut = |line: &str| match line.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{} … {} characters", &line[..end], line.chars().count()),
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(cut).collect();
    match lines.len() {
        count if count > LINES_MAX => format!("{}\n… {count} lines\n", lines[..LINES_MAX].join("\n")),
        _ => lines.join("\n") + "\n",
    }
}

/// Runs a command with and without `--json`, and checks its exit code.
async fn run_both(
    server: &Server,
    shown: &mut String,
    case: &Case,
    path: &[String],
    arguments: &[String],
    code: &str,
) {
    for json in [None, Some("--json")] {
        for (operation, response) in &case.responses {
            server.mock_response(operation, MockResponse::json(200, response.clone()));
        }
        let all: Vec<&str> = path.iter().chain(arguments).map(String::as_str).chain(json).collect();
        let mut command = program(Some(server), &all);
        let folder = tempfile::tempdir().unwrap();
        if case.writes {
            command.current_dir(folder.path()).env("HOME", folder.path());
        }
        let shown_once = run_command(Some(server), command, &all, case.input.clone()).await;
        let shown_once = shown_once.replace(folder.path().to_str().unwrap(), "FOLDER");
        assert!(shown_once.contains(&format!("\nexit {code}\n")), "not exit {code}: {shown_once}");
        assert!(!shown_once.contains("canary"), "the output contains a secret: {shown_once}");
        if json.is_some() {
            let out = shown_once.lines().skip_while(|line| *line != "-- stdout").skip(1);
            for line in out.take_while(|line| *line != "-- stderr") {
                let line: Value = serde_json::from_str(line).expect("a line is JSON");
                let shape = (line["ok"].as_bool(), line.get("data").is_some(), line.get("error").is_some());
                assert!(matches!(shape, (Some(true), true, false) | (Some(false), false, true)), "{line}");
                assert_list_shape(path, &line);
            }
        }
        let _ = writeln!(shown, "{}", shorten(&shown_once));
    }
}

/// Checks the one shape of lists: `data` is an array of rows, and `page` next to it has the rest of the service's page.
fn assert_list_shape(path: &[String], line: &Value) {
    // The only list that is a map: of the models by provider.
    let is_list = ["list", "public"].contains(&path.last().unwrap().as_str()) && path[0] != "llm-models";
    if line["ok"] == true && is_list {
        assert!(line["data"].is_array(), "{line}");
    }
    assert!(line["data"]["results"].is_null(), "a page within the data: {line}");
    assert!(line["page"].is_null() || line["page"]["count"].is_u64(), "{line}");
}

/// Returns the output of a successful call, a rejected call and a usage error.
async fn outputs(leaf: &Leaf, case: &Case) -> String {
    let mut shown = String::new();
    let server = mock_builder().max_session_duration(case.max_session_duration).start().await.unwrap();
    if !case.runs_forever {
        run_both(&server, &mut shown, case, &leaf.path, &case.arguments, "0").await;
    }
    if let Some(operation) = &case.rejects {
        let rejection = json!({"code": 4033, "message": "no credits left", "data": null});
        let server = mock_builder().start().await.unwrap();
        let rejected = Case { input: case.input.clone(), writes: case.writes, ..Case::default() };
        for _ in 0..2 {
            server.mock_response(operation, MockResponse::json(403, rejection.clone()));
        }
        run_both(&server, &mut shown, &rejected, &leaf.path, &case.arguments, "1").await;
        assert!(server.running_sessions().is_empty());
    }
    let server = mock_builder().start().await.unwrap();
    let empty = Case::default();
    run_both(&server, &mut shown, &empty, &leaf.path, &words(&["--no-such-option"]), "2").await;
    if !case.arguments.is_empty()
        && leaf
            .help
            .lines()
            .any(|line| line.starts_with("Usage:") && requires_argument(line) || line.contains("(required)"))
    {
        run_both(&server, &mut shown, &empty, &leaf.path, &[], "2").await;
    }
    if case.arguments.iter().any(|argument| argument == "@-") {
        let broken = Case {
            input: b"{\"secret_value\": \"canary\" \"prompt\": \"canary\"}".to_vec(),
            ..Case::default()
        };
        run_both(&server, &mut String::new(), &broken, &leaf.path, &case.arguments, "2").await;
    }
    assert!(server.requests().is_empty());
    shown
}

/// Whether a usage line has a placeholder outside of brackets.
fn requires_argument(usage: &str) -> bool {
    let options = usage.split_once("[OPTIONS]").map_or("", |(_, rest)| rest);
    let outside = options.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
    outside.into_iter().any(|part| part.contains('<'))
}

#[tokio::test(flavor = "multi_thread")]
async fn help_of_every_command() {
    insta::assert_snapshot!(tree().await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_a_command_too() {
    for (arguments, same) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "session", "start"], &["session", "start", "--help"]),
        (&["voices", "help", "list"], &["voices", "list", "--help"]),
    ] {
        let outputs = [arguments, same].map(|arguments| program(None, arguments).output().unwrap());
        assert!(outputs[0].status.success(), "{arguments:?}");
        assert_eq!(outputs[0].stdout, outputs[1].stdout, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_takes_a_secret_as_an_argument() {
    let mut named = 0;
    for leaf in tree().await.1 {
        for line in leaf.help.lines().map(str::trim) {
            let Some((name, value)) =
                line.split_once(" <").or_else(|| line.strip_prefix('<').map(|name| (name, "")))
            else {
                continue;
            };
            let name = name.trim_start_matches('-').split('>').next().unwrap().to_lowercase();
            let name = name.split(", --").last().unwrap();
            if name.contains(' ') {
                continue;
            }
            named += 1;
            let secret = ["key", "token", "secret", "password", "prompt", "bearer"];
            let is_secret = secret.iter().any(|word| name.split(['-', '_']).next_back() == Some(word));
            assert!(!is_secret, "{}: {line}", leaf.name());
            // The ID, name or type of a secret is not secret.
            let describes =
                ["id", "name", "type"].iter().any(|word| name.split(['-', '_']).next_back() == Some(word));
            if secret.iter().any(|word| name.contains(word)) && !describes {
                assert!(value.starts_with("FILE"), "{}: {line}", leaf.name());
            }
        }
    }
    assert!(named > 200, "{named} arguments found");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_succeeds_is_rejected_and_is_misused() {
    let leaves = tree().await.1;
    let listed = program(None, &["operations", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let operation = |name: &str| {
        let row = listed["data"].as_array().unwrap().iter().find(|row| row["command"] == name)?;
        Some(row["name"].as_str().unwrap().to_owned())
    };
    let mut cases = Vec::new();
    for leaf in leaves {
        let name = leaf.name();
        let case = match (built_in_case(&name), operation(&name)) {
            (Some(case), _) => case,
            (None, Some(operation)) => derived_case(&leaf, &operation),
            (None, None) => panic!("`{name}` needs a case in `built_in_case`"),
        };
        cases.push((leaf, case));
    }
    let runs = cases.into_iter().map(|(leaf, case)| async move {
        let shown = outputs(&leaf, &case).await;
        (leaf.path[0].clone(), redact_times(&redact_ids(&shown)))
    });
    let groups = stream::iter(runs).buffered(CONCURRENCY).fold(
        BTreeMap::<String, String>::new(),
        |mut groups, (group, shown)| async move {
            groups.entry(group).or_default().push_str(&shown);
            groups
        },
    );
    let groups = groups.await;
    assert!(groups.len() > 15, "{:?}", groups.keys());
    for (group, shown) in groups {
        insta::assert_snapshot!(format!("command_{}", group.replace('-', "_")), shown.trim_end());
    }
}
