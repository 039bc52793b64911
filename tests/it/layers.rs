//! The layers of each package: a module imports only from modules before it in its list.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `liveavatar-api`, from the bottom layer to the top layer; on one line, from left to right.
const CLIENT: &[&str] = &[
    // The types that generated code refers to.
    "wire, secret",
    // The table of operations, from build.rs.
    "operation",
    // The check of values against the document's schemas, and what it reports.
    "schema",
    // The error type, and reading a failed response.
    "error, credential",
    // Sending one request: sign, send, retry, redact, read, trace, observe.
    "http",
    // The generated client.
    "raw, types, builder",
    // A session's configuration: one type per mode, rules, suggestions.
    "config",
    // Extensions of every generated call: data, pages, items. Calls by name, and the upload.
    "calls",
    // Remembering running sessions outside the process, keeping them alive and stopping them.
    "store, supervisor",
    "client",
    // The token, the session by id, the supervised session, reaping.
    "session",
    // Talking to the avatar: data channel, web socket, audio.
    "realtime",
    // The token endpoint for web servers.
    "endpoint",
];

/// The modules of `liveavatar-mock`.
const MOCK: &[&str] = &[
    // What the document says.
    "schema, document, resource_operation, example",
    // A request, its response, and what tests see of both.
    "clock, credentials, mask, recorded_request, violation, response, validation, cors, fault, rate_limit, call",
    // What the service remembers.
    "record, storage, transcript, sessions, state",
    // What it does.
    "session_operations, playback, socket_activity, journal, room, shared",
    "snapshot, window, control, socket, handler, server, builder",
];

/// The modules of `liveavatar-cli`.
const CLI: &[&str] = &[
    // The document, files and text.
    "document, command_name, hint, source_map, mask, wrap",
    // The terminal and standard streams.
    "failure, progress, terminal, table, jq, output, input, signals, secret_file, ending",
    // The client.
    "profile, service, body, fields, transcript",
    // The commands.
    "check, starter, login, browser, page, foreground_session, watch, speak, doctor, session, resource, call, mock, demo",
    // What a shell asks for.
    "completion",
];

/// The modules of `xtask`.
const XTASK: &[&str] = &[
    "error, shell, pointer",
    // The documents and the workspace.
    "documents, source, workspace",
    // From the service's document to the lowered one.
    "normalise, overlay, lower, behaviour, pipeline, files, surface",
    "corpus",
    // The commands.
    "diff, regen, rehearsal, bench, ci",
];

const PACKAGES: &[(&str, &[&str])] = &[
    ("liveavatar-api/src", CLIENT),
    ("liveavatar-api/mock/src", MOCK),
    ("liveavatar-api/cli/src", CLI),
    ("xtask/src", XTASK),
];

/// Modules that may import from every layer: the package's root and its documentation.
const ABOVE_ALL: &[&str] = &["lib", "main", "guide"];

#[test]
fn a_module_imports_only_from_lower_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = String::new();
    for (folder, layers) in PACKAGES {
        for file in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&file).expect("a readable file");
            let shown = file.strip_prefix(&root).expect("a file below the root").display().to_string();
            let module = module_path(&file, &root.join(folder));
            let exports = exports(&root.join(folder));
            for (line, import) in upward_imports(&module, &text, layers, &exports) {
                writeln!(wrong, "{shown}:{line}: `{}` imports `{import}`, a higher layer", module[0])
                    .expect("memory");
            }
        }
    }
    assert_eq!(
        wrong,
        "",
        "\nmove the item down, or the user of it up; the layers are listed in {}\n",
        file!()
    );
}

#[test]
fn an_upward_import_is_found_in_every_spelling() {
    let text = "\
        use crate::wire::Page;\n\
        // crate::endpoint is only mentioned here\n\
        use crate::{\n    error::Error,\n    client::{Client, ClientBuilder},\n};\n\
        use super::endpoint;\n\
        fn f() { crate::realtime::lite(); }\n\
        fn g() -> crate::Client {}\n";
    let exports = Exports::from([("Client".to_owned(), "client".to_owned())]);
    let module = ["calls".to_owned()];
    let found = upward_imports(&module, text, CLIENT, &exports);
    assert_eq!(
        found,
        [
            (3, "client".to_owned()),
            (7, "endpoint".to_owned()),
            (8, "realtime".to_owned()),
            (9, "client".to_owned())
        ]
    );
    // Within a folder, `super` is the folder.
    let module = ["calls".to_owned(), "pages".to_owned()];
    assert_eq!(upward_imports(&module, "use super::endpoint;", CLIENT, &exports), []);
    assert_eq!(upward_imports(&module, "use super::super::endpoint;", CLIENT, &exports).len(), 1);
}

/// Returns line and top-level module of every import that points to a higher layer.
fn upward_imports(module: &[String], text: &str, layers: &[&str], exports: &Exports) -> Vec<(usize, String)> {
    if ABOVE_ALL.contains(&module[0].as_str()) {
        return Vec::new();
    }
    let layer = |name: &str| layers.iter().flat_map(|line| line.split(", ")).position(|layer| layer == name);
    let own = layer(&module[0]).unwrap_or_else(|| panic!("`{}` is missing in the list of layers", module[0]));
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    let mut found = Vec::new();
    for (at, name) in imports(module.len(), &code) {
        let name = exports.get(&name).unwrap_or(&name).clone();
        if layer(&name).is_some_and(|layer| layer > own) {
            found.push((code[..at].matches('\n').count() + 1, name));
        }
    }
    found
}

/// The items that the package's root re-exports, each with its module.
type Exports = BTreeMap<String, String>;

fn exports(source: &Path) -> Exports {
    let text = fs::read_to_string(source.join("lib.rs")).unwrap_or_default();
    let mut exports = Exports::new();
    for line in text.lines() {
        let Some(path) = line.strip_prefix("pub use ") else { continue };
        let module = identifier(path.trim_start_matches("self::")).to_owned();
        let names = path.rsplit("::").next().unwrap_or(path);
        for name in names.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|name| !name.is_empty())
        {
            exports.insert(name.to_owned(), module.clone());
        }
    }
    exports
}

/// Returns position and name of every top-level module that the code names, by `crate::` or by enough `super::`.
fn imports(depth: usize, code: &str) -> Vec<(usize, String)> {
    let prefixes = ["crate::".to_owned(), "super::".repeat(depth)];
    let mut found = Vec::new();
    for prefix in &prefixes {
        for (at, _) in code.match_indices(prefix.as_str()) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            let names = if rest.starts_with('{') { group(rest) } else { vec![identifier(rest)] };
            found.extend(names.into_iter().filter(|name| *name != "super").map(|name| (at, name.to_owned())));
        }
    }
    found.sort();
    found
}

/// Returns the first identifier of each entry of `{a::B, c::{D, E}}`.
fn group(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match (depth, character) {
            (0, _) => break,
            (1, '{' | ',') => names.push(identifier(text[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the package") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Returns the module path of a file, such as `["http", "retry"]`.
fn module_path(file: &Path, source: &Path) -> Vec<String> {
    let below = file.strip_prefix(source).expect("a file of the package").with_extension("");
    let mut path: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.len() > 1 && path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}
