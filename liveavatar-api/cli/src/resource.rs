//! Commands derived from the API document: one group per resource, with one verb per operation; see [`command_name`](crate::command_name).

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, Subcommand as _};
use serde_json::{Value, json};

use crate::body::{Body, form_body, json_body};
pub(crate) use crate::command_name::command_of;
use crate::command_name::{COMMON_VERBS, Resource, SESSION_GROUP, SESSIONS, kebab_case, resources};
use crate::document::{OperationSpec, Parameter};
use crate::failure::Failure;
use crate::output::Output;
use crate::service::Service;
use crate::session::Session;

const ALIASES: [(&str, &str); 2] = [("llm-configurations", "llm"), ("embeddings", "embed")];

const BODY: &str = "json-body";
const ALL: &str = "all";
const PAGE: &str = "page";

/// The most pages that `--all` fetches, in case a service never returns the last one.
const PAGES_MAX: u32 = 10_000;

/// Returns the operation that a command calls and the command's own arguments.
pub(crate) fn find(matches: &ArgMatches) -> Option<(OperationSpec, &ArgMatches)> {
    let (group, matches) = matches.subcommand()?;
    let name = if group == SESSION_GROUP { SESSIONS } else { group };
    for resource in resources() {
        if resource.is_single_verb() {
            if let Some(spec) = resource.verbs.get(group) {
                return Some((*spec, matches));
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

/// Adds the commands of all resources. Hand-written commands with the same name take precedence.
pub(crate) fn augment(root: Command) -> Command {
    resources().into_iter().fold(root, |root, resource| {
        if resource.name == SESSIONS {
            return root.mut_subcommand(SESSION_GROUP, |session| resource.augment(session));
        }
        if resource.is_single_verb() {
            return resource.augment(root);
        }
        let verbs: Vec<&str> = resource.sorted_verbs().into_iter().map(|(verb, _)| verb.as_str()).collect();
        let title = resource.verbs.values().next().map_or("", |spec| spec.tag());
        let alias = ALIASES.iter().find(|(name, _)| *name == resource.name).map(|(_, alias)| *alias);
        let group = Command::new(resource.name.clone())
            .about(format!("{title}: {}", verbs.join(", ")))
            .visible_aliases(alias)
            .subcommand_required(true)
            .arg_required_else_help(true);
        root.subcommand(resource.augment(group))
    })
}

impl Resource {
    /// Returns the verbs with the common ones first.
    fn sorted_verbs(&self) -> Vec<(&String, &OperationSpec)> {
        let mut verbs: Vec<_> = self.verbs.iter().collect();
        let rank = |verb: &str| COMMON_VERBS.iter().position(|common| *common == verb);
        verbs.sort_by_key(|(verb, _)| rank(verb).unwrap_or(COMMON_VERBS.len()));
        verbs
    }

    fn augment(&self, group: Command) -> Command {
        self.sorted_verbs().into_iter().fold(group, |group, (verb, spec)| {
            if group.find_subcommand(verb).is_some() {
                return group;
            }
            group.subcommand(command(verb.clone(), *spec))
        })
    }
}

fn command(verb: String, spec: OperationSpec) -> Command {
    let mut command = Command::new(verb).about(spec.help());
    for name in spec.path_parameters() {
        let arg = Arg::new(name).required(true).value_name(name.to_uppercase()).help(title_of(name));
        command = command.arg(arg);
    }
    for query in spec.query_parameters() {
        if query.name == PAGE {
            let all = Arg::new(ALL).long(ALL).action(ArgAction::SetTrue).conflicts_with(PAGE);
            command = command.arg(all.help("Fetch all pages and print them as one list"));
        }
        command = command.arg(option(query).help(query_help(spec, query)));
    }
    for part in spec.form_parts() {
        let arg = option(part).help(part.description().unwrap_or_default());
        command = command.arg(if part.is_file() { arg.value_name("FILE") } else { arg });
    }
    if spec.has_body() && !spec.takes_form() {
        let arg = Arg::new(BODY)
            .long(BODY)
            .required(!spec.operation.optional_body)
            .value_name("JSON|@FILE")
            .help("Body as JSON, `@FILE`, or `@-` for standard input");
        command = command.arg(arg);
        let fields = spec.body_fields().into_iter().map(|field| {
            if field.required { format!("{} (required)", field.name) } else { field.name.to_owned() }
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        if !fields.is_empty() {
            command = command.after_help(format!("Fields of the body: {fields}"));
        }
    }
    command
}

fn option(parameter: Parameter) -> Arg {
    let arg = Arg::new(parameter.name).long(kebab_case(parameter.name)).required(parameter.required);
    let arg = arg.value_name(parameter.name.to_uppercase());
    let allowed = parameter.allowed_values();
    if allowed.is_empty() { arg } else { arg.value_parser(PossibleValuesParser::new(allowed)) }
}

/// Returns the description, bounds and default of a query parameter.
fn query_help(spec: OperationSpec, query: Parameter) -> String {
    let description = query.description().map_or_else(|| title_of(query.name), str::to_owned);
    let range = match spec.operation.bounds.iter().find(|(name, ..)| *name == query.name) {
        Some((_, min, i64::MAX)) => format!(", at least {min}"),
        Some((_, min, max)) => format!(", from {min} to {max}"),
        None => String::new(),
    };
    let default = query.default().map(|default| format!(" [default: {default}]")).unwrap_or_default();
    format!("{description}{range}{default}")
}

/// Returns a parameter's name as help text: `voice_id` as "ID of the voice", `page_size` as "Page size".
fn title_of(name: &str) -> String {
    if let Some(owner) = name.strip_suffix("_id") {
        return format!("ID of the {}", owner.replace('_', " "));
    }
    let mut title = name.replace('_', " ");
    title[..1].make_ascii_uppercase();
    title
}

/// Calls the operation of a command.
pub(crate) async fn run(
    spec: OperationSpec,
    matches: &ArgMatches,
    service: &Service,
    output: Output,
) -> Result<(), Failure> {
    let argument = |name: &str| matches.get_one::<String>(name).cloned();
    let body = if !spec.has_body() {
        Body::None
    } else if spec.takes_form() {
        form_body(spec, argument, |part| format!("use --{}", kebab_case(part.name)))?
    } else {
        json_body(spec, argument(BODY).as_deref())?
    };
    let client = service.client_for(spec.operation)?;
    let call = |page: Option<u32>| {
        let mut call = client.operation(spec.operation.id)?;
        for name in spec.path_parameters() {
            call = call.path(name, &argument(name).unwrap_or_default());
        }
        for query in spec.query_parameters() {
            let page = page.filter(|_| query.name == PAGE).map(|page| page.to_string());
            if let Some(value) = page.or_else(|| argument(query.name)) {
                call = call.query(query.name, value);
            }
        }
        Ok::<_, Failure>(body.clone().add_to(call))
    };
    let all_pages = spec.query_parameters().any(|query| query.name == PAGE) && matches.get_flag(ALL);
    if !all_pages {
        output.print(call(None)?.data().await?);
        return Ok(());
    }
    let mut rows: Vec<Value> = Vec::new();
    let mut end = format!("the list has more than {PAGES_MAX} pages");
    for page in 1..=PAGES_MAX {
        let mut response = call(Some(page))?.data().await?;
        let results = response["results"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let is_last = results.is_empty() || response["next"].is_null();
        rows.extend(results);
        let count = response["count"].as_u64();
        if is_last {
            let is_complete = match count {
                Some(count) => rows.len() as u64 >= count,
                None => response["next"].is_null(),
            };
            if is_complete {
                output.print(json!({"count": rows.len(), "results": rows}));
                return Ok(());
            }
            let of = count.map(|count| format!(" of {count}")).unwrap_or_default();
            end = format!("the list ended after {}{of} items", rows.len());
            break;
        }
        output.status(&match count {
            Some(count) => format!("{} of {count} fetched", rows.len()),
            None => format!("{} fetched", rows.len()),
        });
    }
    let data = json!({"count": rows.len(), "results": rows});
    Err(Failure::incomplete(end, "run the command again", data))
}
