//! Groups of commands that follow from the document: one per resource, with a verb per operation.
//!
//! The resource is the first part of the path, the verb comes of the rest and of the method: `GET /v1/voices` is `voices list`,
//! `GET /v1/voices/{voice_id}/preview` is `voices preview ID`. A resource with nothing but one verb of its own is that verb:
//! `GET /v1/users/credits` is `credits`. No operation is named here.

use std::collections::BTreeMap;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, Subcommand as _};
use serde_json::{Value, json};

use crate::call::{Body, form_body, json_body, with_body};
use crate::connect::Service;
use crate::document::{Described, FormPart, PartKind, Query, operations};
use crate::output::{Failure, Output};
use crate::session::Session;

/// Shorter names, which people use.
const ALIASES: [(&str, &str); 2] = [("llm-configurations", "llm"), ("embeddings", "embed")];

/// Has commands of its own, beside those that follow from the document.
const SESSIONS: &str = "sessions";

/// The group of the commands for [`SESSIONS`].
const SESSION: &str = "session";

/// What most resources have, in the order that people look for it.
const USUAL: [&str; 6] = ["list", "get", "create", "update", "replace", "delete"];

const BODY: &str = "json-body";
const ALL: &str = "all";
const PAGE: &str = "page";

/// No list that is walked has more pages; a service that always names another one is stopped here.
const MOST_PAGES: u32 = 10_000;

pub(crate) struct Resource {
    name: String,
    verbs: BTreeMap<String, Described>,
}

/// All resources, sorted by name.
fn resources() -> Vec<Resource> {
    let mut found: BTreeMap<String, BTreeMap<String, Described>> = BTreeMap::new();
    for described in operations() {
        if let Some((resource, verb)) = named(described) {
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
        // What is posted of a session is done to it, not created.
        ("POST", own) if resource == SESSIONS => own,
        (_, own) => format!("{verb}-{own}"),
    };
    Some((resource, verb))
}

fn kebab(text: &str) -> String {
    text.replace('_', "-")
}

/// The command that is for an operation, or stands for it.
pub(crate) fn command_of(described: Described) -> Option<String> {
    let (name, verb) = named(described)?;
    let resource = resources().into_iter().find(|resource| resource.name == name)?;
    Some(match name.as_str() {
        SESSIONS => format!("{SESSION} {verb}"),
        _ if resource.is_one_verb() => verb,
        _ => format!("{name} {verb}"),
    })
}

/// The operation that a command calls, and its own arguments.
pub(crate) fn find(matches: &ArgMatches) -> Option<(Described, &ArgMatches)> {
    let (group, matches) = matches.subcommand()?;
    let name = if group == SESSION { SESSIONS } else { group };
    for resource in resources() {
        if resource.is_one_verb() {
            if let Some(described) = resource.verbs.get(group) {
                return Some((*described, matches));
            }
        } else if resource.name == name {
            let (verb, matches) = matches.subcommand()?;
            if name == SESSIONS && Session::has_subcommand(verb) {
                return None;
            }
            return Some((*resource.verbs.get(verb)?, matches));
        }
    }
    None
}

/// Adds the commands of all resources to those that are written by hand, which go before.
pub(crate) fn augment(root: Command) -> Command {
    resources().into_iter().fold(root, |root, resource| {
        if resource.name == SESSIONS {
            return root.mut_subcommand(SESSION, |session| resource.augment(session));
        }
        if resource.is_one_verb() {
            return resource.augment(root);
        }
        let verbs: Vec<&str> = resource.sorted().into_iter().map(|(verb, _)| verb.as_str()).collect();
        let title = resource.verbs.values().next().map_or("", |described| described.tag());
        let about = format!("{title}: {}", verbs.join(", "));
        let alias = ALIASES.iter().find(|(name, _)| *name == resource.name).map(|(_, alias)| *alias);
        let group = Command::new(resource.name.clone())
            .about(about)
            .visible_aliases(alias)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true);
        root.subcommand(resource.augment(group))
    })
}

impl Resource {
    /// Whether it is nothing but one verb of its own.
    fn is_one_verb(&self) -> bool {
        self.verbs.len() == 1 && self.verbs.keys().all(|verb| !USUAL.contains(&verb.as_str()))
    }

    /// What most resources have first.
    fn sorted(&self) -> Vec<(&String, &Described)> {
        let mut verbs: Vec<_> = self.verbs.iter().collect();
        verbs.sort_by_key(|(verb, _)| USUAL.iter().position(|usual| usual == verb).unwrap_or(USUAL.len()));
        verbs
    }

    fn augment(&self, group: Command) -> Command {
        self.sorted().into_iter().fold(group, |group, (verb, described)| {
            if group.find_subcommand(verb).is_some() {
                return group;
            }
            group.subcommand(command(verb.clone(), *described))
        })
    }
}

/// What the document says of a parameter, and its bounds.
fn about(described: Described, query: Query) -> String {
    let bounds = described.operation.bounds.iter().find(|(name, ..)| *name == query.name);
    let bounds = bounds.map(|(_, least, most)| match *most {
        i64::MAX => format!("from {least}"),
        most => format!("from {least} to {most}"),
    });
    let name = format!("The {}", query.name.replace('_', " "));
    let texts =
        [Some(query.about()).filter(|about| !about.is_empty()).unwrap_or(name), bounds.unwrap_or_default()];
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

fn command(verb: String, described: Described) -> Command {
    let mut command = Command::new(verb).about(described.about());
    for name in described.path_parameters() {
        let help = match name.strip_suffix("_id") {
            Some(owner) => format!("The {}'s id", owner.replace('_', " ")),
            None => format!("The {}", name.replace('_', " ")),
        };
        command = command.arg(Arg::new(name).required(true).value_name(name.to_uppercase()).help(help));
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
            let help = "Walks through all pages, and prints them as one";
            command = command
                .arg(Arg::new(ALL).long(ALL).action(ArgAction::SetTrue).conflicts_with(PAGE).help(help));
        }
        command = command.arg(arg.value_name(query.name.to_uppercase()));
    }
    for part in described.form_parts() {
        let mut arg = Arg::new(part.name).long(kebab(part.name)).required(part.required).help(part.about());
        arg = match part.kind {
            PartKind::File => arg.value_name("FILE"),
            PartKind::Text => arg.value_name(part.name.to_uppercase()),
        };
        let choices = part.choices();
        if !choices.is_empty() {
            arg = arg.value_parser(PossibleValuesParser::new(choices));
        }
        command = command.arg(arg);
    }
    if described.has_body() && described.is_json() {
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

/// Calls the operation of a command.
pub(crate) async fn run(
    described: Described,
    matches: &ArgMatches,
    service: &Service,
    output: Output,
) -> Result<(), Failure> {
    let id = described.operation.id;
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let body = if !described.has_body() {
        Body::None
    } else if described.is_json() {
        json_body(described, text(BODY))?
    } else {
        let given = |name: &str| text(name).map(str::to_owned);
        form_body(described, given, |part: FormPart| format!("give it with --{}", kebab(part.name)))?
    };
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
        output.status(&match answer["count"].as_u64() {
            Some(count) => format!("{} of {count}", rows.len()),
            None => format!("{} so far", rows.len()),
        });
    }
    output.data(json!({"count": rows.len(), "results": rows}));
    Ok(())
}
