//! Groups of commands that follow from the document: one per resource, with a verb per operation.
//!
//! The resource is the first part of the path, the verb comes of the rest and of the method: `GET /v1/voices` is `voices list`,
//! `GET /v1/voices/{voice_id}/preview` is `voices preview ID`. No operation is named here.

use std::collections::BTreeMap;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use crate::call::{body, with_body};
use crate::connect::Service;
use crate::document::{Described, Query, operations};
use crate::output::{Failure, Output};

/// Shorter names, which people use.
const ALIASES: [(&str, &str); 2] = [("llm-configurations", "llm"), ("embeddings", "embed")];

/// Has commands of its own.
const SESSIONS: &str = "sessions";

const BODY: &str = "json-body";
const ALL: &str = "all";
const PAGE: &str = "page";

/// No list that is walked has more pages; a service that always names another one is stopped here.
const MOST_PAGES: u32 = 10_000;

pub(crate) struct Resource {
    name: String,
    verbs: BTreeMap<String, Described>,
}

/// All resources but sessions, sorted by name.
fn resources() -> Vec<Resource> {
    let mut found: BTreeMap<String, BTreeMap<String, Described>> = BTreeMap::new();
    for described in operations().filter(|described| described.is_json()) {
        if let Some((resource, verb)) = named(described)
            && resource != SESSIONS
        {
            found.entry(resource).or_default().insert(verb, described);
        }
    }
    found.into_iter().map(|(name, verbs)| Resource { name, verbs }).collect()
}

/// The resource and the verb of an operation.
fn named(described: Described) -> Option<(String, String)> {
    // Before the resource stands the version.
    let mut parts = described.operation.path.split('/').skip(2);
    let resource = kebab(parts.next()?);
    let rest: Vec<&str> = parts.collect();
    let one = rest.last().is_some_and(|part| part.starts_with('{'));
    let own: Vec<String> =
        rest.iter().filter(|part| !part.starts_with('{')).map(|part| kebab(part)).collect();
    let verb = match (described.operation.method, one) {
        ("GET", false) => "list",
        ("GET", true) => "get",
        ("POST", _) => "create",
        ("PATCH", _) => "update",
        ("PUT", _) => "replace",
        ("DELETE", _) => "delete",
        _ => return None,
    };
    let verb = match (described.operation.method, own.join("-")) {
        (_, own) if own.is_empty() => verb.to_owned(),
        ("GET", own) => own,
        (_, own) => format!("{verb}-{own}"),
    };
    Some((resource, verb))
}

fn kebab(text: &str) -> String {
    text.replace('_', "-")
}

pub(crate) fn find(name: &str) -> Option<Resource> {
    resources().into_iter().find(|resource| resource.name == name)
}

pub(crate) fn commands() -> Vec<Command> {
    resources()
        .into_iter()
        .map(|resource| {
            let verbs: Vec<&str> = resource.verbs.keys().map(String::as_str).collect();
            let about = format!("{}: {}", sentence(&resource.name), verbs.join(", "));
            let alias = ALIASES.iter().find(|(name, _)| *name == resource.name).map(|(_, alias)| *alias);
            Command::new(resource.name)
                .about(about)
                .visible_aliases(alias)
                .subcommand_required(true)
                .arg_required_else_help(true)
                .disable_help_subcommand(true)
                .subcommands(resource.verbs.into_iter().map(|(verb, described)| command(verb, described)))
        })
        .collect()
}

/// `voice-agents` as people write it.
fn sentence(name: &str) -> String {
    let text = name.replace('-', " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What the document says of a parameter, and its bounds.
fn about(described: Described, query: Query) -> String {
    let bounds = described.operation.bounds.iter().find(|(name, ..)| *name == query.name);
    let bounds = bounds.map(|(_, least, most)| match *most {
        i64::MAX => format!("from {least}"),
        most => format!("from {least} to {most}"),
    });
    let texts = [query.about(), bounds.unwrap_or_default()];
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

fn command(verb: String, described: Described) -> Command {
    let mut command = Command::new(verb).about(described.about());
    for name in described.path_parameters() {
        command = command.arg(Arg::new(name).required(true).value_name(name.to_uppercase()));
    }
    for query in described.query() {
        let mut arg = Arg::new(query.name)
            .long(kebab(query.name))
            .required(query.required)
            .help(about(described, query));
        let choices = query.choices();
        if !choices.is_empty() {
            arg = arg.value_parser(PossibleValuesParser::new(choices));
        }
        if query.name == PAGE {
            let help = "Walk through all pages, and print them as one";
            command = command
                .arg(Arg::new(ALL).long(ALL).action(ArgAction::SetTrue).conflicts_with(PAGE).help(help));
        }
        command = command.arg(arg.value_name(query.name.to_uppercase()));
    }
    if described.has_body() {
        let fields: Vec<_> = described
            .body_fields()
            .into_iter()
            .map(|(name, required)| if required { format!("{name} (required)") } else { name.to_owned() })
            .collect();
        let arg = Arg::new(BODY)
            .long(BODY)
            .required(!described.operation.optional_body)
            .value_name("JSON|@FILE")
            .help("The body as JSON, or `@FILE`, or `@-` for standard input");
        command = command.arg(arg);
        if !fields.is_empty() {
            command = command.after_help(format!("Fields of the body: {}", fields.join(", ")));
        }
    }
    command
}

impl Resource {
    pub(crate) async fn run(
        &self,
        matches: &ArgMatches,
        service: &Service,
        output: Output,
    ) -> Result<(), Failure> {
        let chosen = matches.subcommand().and_then(|(verb, matches)| Some((*self.verbs.get(verb)?, matches)));
        let Some((described, matches)) = chosen else {
            return Err(Failure::Usage(format!("{} has no such command", self.name), None));
        };
        let id = described.operation.id;
        let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        let body = if described.has_body() { body(described, text(BODY))? } else { None };
        let client = service.client_for(described.operation)?;
        let call = |page: Option<u32>| {
            let mut call = client.operation(id)?;
            for name in described.path_parameters() {
                call = call.path(name, text(name).unwrap_or_default());
            }
            for query in described.query() {
                let value = page.filter(|_| query.name == PAGE).map(|page| page.to_string());
                if let Some(value) = value.or_else(|| text(query.name).map(str::to_owned)) {
                    call = call.query(query.name, value);
                }
            }
            Ok::<_, Failure>(with_body(call, body.clone()))
        };
        let walks = described.query().any(|query| query.name == PAGE) && matches.get_flag(ALL);
        if !walks {
            output.data(call(None)?.data().await?);
            return Ok(());
        }
        let mut rows: Vec<Value> = Vec::new();
        for page in 1..=MOST_PAGES {
            let mut answer = call(Some(page))?.data().await?;
            let Some(results) = answer["results"].as_array_mut().filter(|results| !results.is_empty()) else {
                break;
            };
            rows.append(results);
            if answer["next"].is_null() {
                break;
            }
        }
        output.data(json!({"count": rows.len(), "results": rows}));
        Ok(())
    }
}
