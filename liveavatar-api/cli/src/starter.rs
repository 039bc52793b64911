//! `session new`: a commented configuration to start with, from the JSON Schema of its mode.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use liveavatar_api::session::{AnyConfiguration, CustomSession, FullSession, LiteSession, SANDBOX_AVATAR_ID};
use schemars::schema_for;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::wrap::wrap;

/// The name of the schema's file, next to the configuration.
const SCHEMA_FILE: &str = "liveavatar.schema.json";

/// What a new user has to know about the first fields.
const NOTES: [(&str, &str); 4] = [
    ("$schema", "For editors, which then complete and check the fields; it is not sent."),
    ("mode", "LITE, FULL, or CUSTOM: LITE in your own LiveKit room."),
    ("avatar_id", "This avatar works in the sandbox. `liveavatar avatars public` lists others."),
    ("is_sandbox", "A sandbox session is free and ends after a minute."),
];

/// In characters.
const COMMENT_WIDTH: usize = 80;

#[derive(Args)]
pub(crate) struct New {
    /// File to write: TOML with comments, or JSON without comments
    #[arg(default_value = "session.toml")]
    file: PathBuf,
    /// Mode of the session
    #[arg(long, value_enum, default_value_t = Mode::Lite)]
    mode: Mode,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// You supply the audio
    Lite,
    /// The service listens, thinks and speaks
    Full,
    /// You supply the audio and the LiveKit room
    Custom,
}

/// Returns the JSON Schema of configurations.
pub(crate) fn schema() -> Value {
    schema_for!(AnyConfiguration).to_value()
}

pub(crate) fn schema_text() -> String {
    serde_json::to_string_pretty(&schema()).unwrap_or_default()
}

impl New {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let is_json = self.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let text = if is_json {
            serde_json::to_string_pretty(&Value::Object(self.mode.configuration())).unwrap_or_default() + "\n"
        } else {
            self.mode.toml(&self.file)
        };
        if !write_new(&self.file, &text)? {
            let message = format!("{} exists and was not overwritten", self.file.display());
            return Err(Failure::usage(message, "use another file name"));
        }
        // An existing one is another configuration's.
        let schema = self.file.with_file_name(SCHEMA_FILE);
        let wrote_schema = write_new(&schema, &(schema_text() + "\n"))?;
        let (file, schema) = (self.file.display().to_string(), schema.display().to_string());
        let with_schema = if wrote_schema { format!("wrote {schema}, for editors\n") } else { String::new() };
        let text = format!("wrote {file}\n{with_schema}next: liveavatar session check {file}");
        output.print_as(json!({"file": file, "schema": schema}), &text);
        Ok(())
    }
}

/// Writes a file unless it exists; returns whether it was written.
fn write_new(path: &Path, text: &str) -> Result<bool, Failure> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    match created.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Failure::Usage(format!("failed to write {}: {error}", path.display()), None)),
    }
}

impl Mode {
    fn schema(self) -> Value {
        match self {
            Self::Lite => schema_for!(LiteSession),
            Self::Full => schema_for!(FullSession),
            Self::Custom => schema_for!(CustomSession),
        }
        .to_value()
    }

    /// Returns the fields to start with: a free session in the sandbox.
    fn configuration(self) -> Map<String, Value> {
        let own = match self {
            Self::Lite => json!({"mode": "LITE"}),
            Self::Full => json!({"mode": "FULL", "avatar_persona": {"language": "en"}}),
            Self::Custom => json!({"mode": "CUSTOM", "livekit_config": {
                "livekit_url": "wss://YOUR-SERVER",
                "livekit_room": "YOUR-ROOM",
                "livekit_client_token": "YOUR-TOKEN",
            }}),
        };
        let common = json!({
            "$schema": format!("./{SCHEMA_FILE}"),
            "avatar_id": SANDBOX_AVATAR_ID.to_string(),
            "is_sandbox": true,
        });
        let fields = [common, own].into_iter().filter_map(|fields| fields.as_object().cloned());
        fields.flatten().collect()
    }

    /// Returns the configuration as TOML, with every other field in comments.
    fn toml(self, file: &Path) -> String {
        let (schema, configuration) = (self.schema(), self.configuration());
        let file = file.display();
        let help = self.to_possible_value().and_then(|value| Some(value.get_help()?.to_string()));
        let mode = configuration["mode"].as_str().unwrap_or_default();
        let mut toml = format!(
            "# {mode}: {}.\n#\n# Check this file: liveavatar session check {file}\n# Start a session: liveavatar session start \
             {file}\n",
            help.unwrap_or_default()
        );
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        let resolve = |node: &Value| resolve(&schema, node);
        // Fields of the top level precede tables, as TOML requires; fields with a value precede commented ones.
        let mut fields: Vec<_> = properties.iter().collect();
        fields.sort_by_key(|(name, node)| {
            let first = NOTES.iter().position(|(first, _)| first == name).unwrap_or(NOTES.len());
            (resolve(node)["properties"].is_object(), !configuration.contains_key(*name), first)
        });
        for (name, node) in fields {
            let (target, set) = (resolve(node), configuration.get(name));
            toml.push('\n');
            let note = NOTES.iter().find(|(noted, _)| noted == name).map(|(_, note)| *note);
            if let Some(fields) = target["properties"].as_object() {
                comment(&mut toml, note, node, &target);
                let mark = if set.is_some() { "" } else { "#" };
                let _ = writeln!(toml, "{mark}[{name}]");
                for (field, node) in fields {
                    let value = set.and_then(|set| set.get(field));
                    assignment(&mut toml, field, value, node, &resolve(node), None);
                }
            } else {
                assignment(&mut toml, name, set, node, &target, note);
            }
        }
        toml
    }
}

/// Returns the schema that a node refers to, if only in one of its alternatives.
fn resolve(root: &Value, node: &Value) -> Value {
    let node = if node["else"].is_object() { &node["else"] } else { node };
    let target = node["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(node).clone()
}

/// Adds what the document says about a field, and the values that it may have.
fn comment(toml: &mut String, advice: Option<&str>, node: &Value, target: &Value) {
    let mut text = advice.or_else(|| node["description"].as_str()).unwrap_or_default().to_owned();
    let allowed: Vec<&str> =
        target["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !allowed.is_empty() {
        let _ = write!(text, " One of {}.", allowed.join(", "));
    }
    if !text.is_empty() {
        let _ = writeln!(toml, "{}", wrap("# ", &text, "# ", COMMENT_WIDTH));
    }
}

/// Adds a field: with its value, or as a comment with an example.
fn assignment(
    toml: &mut String,
    name: &str,
    value: Option<&Value>,
    node: &Value,
    target: &Value,
    advice: Option<&str>,
) {
    comment(toml, advice, node, target);
    let key = if name.starts_with('$') { format!("\"{name}\"") } else { name.to_owned() };
    let _ = match value {
        Some(value) => writeln!(toml, "{key} = {value}"),
        None => writeln!(toml, "#{key} = {}", example(target, node)),
    };
}

/// Returns a default or an example of a field, as TOML.
fn example(schema: &Value, node: &Value) -> Value {
    let given = [&node["default"], &schema["default"], &schema["const"], &schema["enum"][0]];
    if let Some(given) = given.into_iter().find(|given| !given.is_null()) {
        return given.clone();
    }
    let is = |kind: &str| schema["type"] == kind || schema["type"][0] == kind;
    if is("integer") {
        60.into()
    } else if is("number") {
        json!(1.0)
    } else if is("boolean") {
        true.into()
    } else if is("string") {
        "…".into()
    } else {
        json!({})
    }
}
