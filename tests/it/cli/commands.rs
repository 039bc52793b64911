//! Every command of the program, found by asking it: its help, its success, the service's no, and its misuse.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures_util::{StreamExt as _, stream};
use liveavatar_mock::{MockResponse, Server, example_request, example_response};
use serde_json::{Value, json};

use super::{NOBODY, program, service, settled, told, untimed};

/// More lines than this of one answer tell a reader of the snapshot nothing.
const LINES: usize = 40;
/// As [`LINES`], for characters of one line.
const CHARACTERS: usize = 2_000;
/// Commands that are tried at the same time.
const AT_ONCE: usize = 4;

/// A command without commands of its own.
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
    told(None, program(None, &arguments), &arguments, Vec::new()).await
}

/// The names under `Commands:`, which stand two spaces from the edge.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

/// A help without what is said of every command.
fn own(help: &str) -> String {
    let (before, shared) = help.split_once("\nOptions of every command:\n").unwrap();
    let after = shared.split_once("\n\n").map_or("", |(_, after)| after);
    format!("{before}\n{after}")
}

/// The help of the program itself and of all its commands, and the commands that do something.
async fn tree() -> (String, Vec<Leaf>) {
    let (mut all, mut leaves, mut left) = (String::new(), Vec::new(), vec![Vec::new()]);
    while let Some(path) = left.pop() {
        let help = help(&path).await;
        let _ = writeln!(all, "{}\n", if path.is_empty() { help.clone() } else { own(&help) });
        let below = subcommands(&help);
        if below.is_empty() {
            leaves.push(Leaf { path, help });
        } else {
            left.extend(below.into_iter().rev().map(|name| [path.clone(), vec![name]].concat()));
        }
    }
    (all, leaves)
}

/// How a command is used well.
struct Case {
    arguments: Vec<String>,
    input: Vec<u8>,
    /// What the service answers on the way, where that is not up to the mock.
    answers: Vec<(String, Value)>,
    /// The operation with which the service says no; none where nothing is sent.
    refuses: Option<String>,
    /// The longest session of the service, in seconds.
    longest: u64,
    /// Whether it does not end by itself.
    runs_on: bool,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            arguments: Vec::new(),
            input: Vec::new(),
            answers: Vec::new(),
            refuses: None,
            longest: 60,
            runs_on: false,
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The commands that are written by hand.
fn by_hand(name: &str) -> Option<Case> {
    let case = |arguments: &[&str], refuses: Option<&str>| Case {
        arguments: words(arguments),
        refuses: refuses.map(str::to_owned),
        ..Case::default()
    };
    let answered = |answers: &[(&str, Value)], case: Case| Case {
        answers: answers.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect(),
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
        "doctor" => case(&[], Some("get_user_credits")),
        "speak" => Case { input: super::spoken::wav(16_000, 100), ..case(&["-"], Some("start_session")) },
        "session check" => case(&["lite-sandbox.json", "custom-own-room.json"], None),
        "session token" => case(&["lite-sandbox.json"], Some("create_session_token")),
        // It ends by itself, when its time is over.
        "session start" => Case { longest: 1, ..case(&["lite-sandbox.json"], Some("start_session")) },
        "session list" => answered(&[("list_sessions", list())], case(&[], Some("list_sessions"))),
        "session stop" => answered(
            &[("stop_session", json!({"code": 1000, "message": "ok", "data": null}))],
            case(&[NOBODY], Some("stop_session")),
        ),
        "session watch" => answered(
            &[
                ("get_session", session()),
                ("get_session", session()),
                ("get_session_transcript", transcript()),
            ],
            case(&[NOBODY], Some("get_session")),
        ),
        "session transcript" => answered(
            &[("get_session_transcript", transcript())],
            case(&[NOBODY], Some("get_session_transcript")),
        ),
        "call" => answered(
            &[("list_voices", example_response("list_voices").unwrap())],
            case(&["list_voices", "--query", "page_size=5"], Some("list_voices")),
        ),
        "operations" | "schema" => case(&[], None),
        "completions" => case(&["bash"], None),
        // Until it is interrupted, which is a test of its own.
        "mock" => Case { runs_on: true, ..case(&[], None) },
        _ => return None,
    })
}

/// A command that follows from the document, with all that the document's own example has.
fn by_rule(leaf: &Leaf, operation: &str) -> Case {
    let example = example_request(operation).unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut case = Case { refuses: Some(operation.to_owned()), ..Case::default() };
    case.arguments.extend(example.path.values().map(text));
    for (name, value) in &example.query {
        case.arguments.extend([format!("--{}", name.replace('_', "-")), text(value)]);
    }
    match (example.content_type.as_deref(), example.body) {
        (Some("application/json"), Some(body)) => {
            case.arguments.extend(words(&["--json-body", "@-"]));
            case.input = body.to_string().into_bytes();
        }
        (Some(_), Some(Value::Object(parts))) => {
            for (name, value) in &parts {
                let is_file = leaf.help.contains(&format!("--{name} <FILE>"));
                let value = if is_file { "-".to_owned() } else { text(value) };
                case.arguments.extend([format!("--{name}"), value]);
            }
            case.input = b"\xff\xd8\xff\xe0 a picture".to_vec();
        }
        _ => {}
    }
    let answer =
        example_response(operation).unwrap_or_else(|| json!({"code": 1000, "message": "ok", "data": null}));
    case.answers.push((operation.to_owned(), answer));
    case
}

fn short(text: &str) -> String {
    let cut = |line: &str| match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{} … {} characters", &line[..end], line.chars().count()),
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(cut).collect();
    match lines.len() {
        count if count > LINES => format!("{}\n… {count} lines\n", lines[..LINES].join("\n")),
        _ => lines.join("\n") + "\n",
    }
}

/// Runs a command for people and for programs, and insists on its exit code.
async fn both(
    server: &Server,
    shown: &mut String,
    case: &Case,
    path: &[String],
    arguments: &[String],
    code: &str,
) {
    for json in [None, Some("--json")] {
        for (operation, answer) in &case.answers {
            server.mock_response(operation, MockResponse::json(200, answer.clone()));
        }
        let all: Vec<&str> = path.iter().chain(arguments).map(String::as_str).chain(json).collect();
        let told = told(Some(server), program(Some(server), &all), &all, case.input.clone()).await;
        assert!(told.contains(&format!("\nexit {code}\n")), "not {code}: {told}");
        assert!(!told.contains("canary"), "a secret shows: {told}");
        if json.is_some() {
            let out = told.lines().skip_while(|line| *line != "-- stdout").skip(1);
            for line in out.take_while(|line| *line != "-- stderr") {
                let line: Value = serde_json::from_str(line).expect("a line is JSON");
                let shape = (line["ok"].as_bool(), line.get("data").is_some(), line.get("error").is_some());
                assert!(matches!(shape, (Some(true), true, false) | (Some(false), false, true)), "{line}");
            }
        }
        let _ = writeln!(shown, "{}", short(&told));
    }
}

/// Success, refusal and misuse of a command.
async fn sections(leaf: &Leaf, case: &Case) -> String {
    let mut shown = String::new();
    let server = service().max_session_duration(case.longest).start().await.unwrap();
    if !case.runs_on {
        both(&server, &mut shown, case, &leaf.path, &case.arguments, "0").await;
    }
    if let Some(operation) = &case.refuses {
        let no = json!({"code": 4033, "message": "no credits left", "data": null});
        let server = service().start().await.unwrap();
        let refused = Case { answers: Vec::new(), input: case.input.clone(), ..Case::default() };
        for _ in 0..2 {
            server.mock_response(operation, MockResponse::json(403, no.clone()));
        }
        both(&server, &mut shown, &refused, &leaf.path, &case.arguments, "1").await;
        assert!(server.running_sessions().is_empty());
    }
    let server = service().start().await.unwrap();
    let misused = Case::default();
    both(&server, &mut shown, &misused, &leaf.path, &words(&["--no-such-option"]), "2").await;
    if !case.arguments.is_empty()
        && leaf.help.lines().any(|line| line.starts_with("Usage:") && is_needy(line))
    {
        both(&server, &mut shown, &misused, &leaf.path, &[], "2").await;
    }
    if case.arguments.iter().any(|argument| argument == "@-") {
        let broken = Case {
            input: b"{\"secret_value\": \"canary\" \"prompt\": \"canary\"}".to_vec(),
            ..Case::default()
        };
        both(&server, &mut String::new(), &broken, &leaf.path, &case.arguments, "2").await;
    }
    assert!(server.requests().is_empty());
    shown
}

/// Whether a usage line names something outside of brackets.
fn is_needy(usage: &str) -> bool {
    let options = usage.split_once("[OPTIONS]").map_or("", |(_, rest)| rest);
    let outside = options.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
    outside.into_iter().any(|part| part.contains('<'))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_help_reads_well() {
    insta::assert_snapshot!(tree().await.0);
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
            if secret.iter().any(|word| name.contains(word)) && !name.ends_with("_id") {
                assert!(value.starts_with("FILE"), "{}: {line}", leaf.name());
            }
        }
    }
    assert!(named > 200, "{named} arguments were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_succeeds_is_refused_and_is_misused_as_documented() {
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
        let case = match (by_hand(&name), operation(&name)) {
            (Some(case), _) => case,
            (None, Some(operation)) => by_rule(&leaf, &operation),
            (None, None) => panic!("`{name}` is a command without a case here"),
        };
        cases.push((leaf, case));
    }
    let runs = cases.into_iter().map(|(leaf, case)| async move {
        let shown = sections(&leaf, &case).await;
        (leaf.path[0].clone(), untimed(&settled(&shown)))
    });
    let groups = stream::iter(runs).buffered(AT_ONCE).fold(
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
