//! Commands derived from the API document: one group per resource, with one verb per operation; see [`command_name`](crate::command_name).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, Subcommand as _};
use serde_json::{Value, json};

use crate::body::{Body, form_body};
pub(crate) use crate::command_name::command_of;
use crate::command_name::{COMMON_VERBS, Resource, SESSION_GROUP, SESSIONS, resources};
use crate::document::{OperationSpec, Parameter, kebab_case, title_of};
use crate::failure::Failure;
use crate::fields;
use crate::output::{Format, Output};
use crate::service::Service;
use crate::session::Session;
use crate::table::Notes;
use crate::terminal::print_bytes;

const ALIASES: [(&str, &str); 2] = [("llm-configurations", "llm"), ("embeddings", "embed")];

const OUTPUT: &str = "output";
const ALL: &str = "all";
const PAGE: &str = "page";

/// The most pages that `--all` fetches, in case a service never returns the last one.
const PAGES_MAX: u32 = 10_000;

/// Returns the operation that lists the resources that an argument names: of `voice_id`, those of `voices`.
///
/// The name of the ID may also be that of the resource of the command's own group: `config_id` of `llm-configurations`.
pub(crate) fn list_of(id: &str, group: &str) -> Option<OperationSpec> {
    let owner = kebab_case(id.strip_suffix("_id")?);
    let group = if group == SESSION_GROUP { SESSIONS } else { group };
    let all = resources();
    let named = all.iter().find(|resource| owner.ends_with(resource.name.trim_end_matches('s')));
    let own = all.iter().find(|resource| resource.name == group);
    named.or(own)?.verbs.get("list").copied()
}

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
    let global = global_options(&root);
    resources().into_iter().fold(root, |root, resource| {
        if resource.name == SESSIONS {
            return root.mut_subcommand(SESSION_GROUP, |session| resource.augment(session, &global));
        }
        if resource.is_single_verb() {
            return resource.augment(root, &global);
        }
        let verbs: Vec<&str> = resource.sorted_verbs().into_iter().map(|(verb, _)| verb.as_str()).collect();
        let title = resource.verbs.values().next().map_or("", |spec| spec.tag());
        let alias = ALIASES.iter().find(|(name, _)| *name == resource.name).map(|(_, alias)| *alias);
        let group = Command::new(resource.name.clone())
            .about(format!("{title}: {}", verbs.join(", ")))
            .visible_aliases(alias)
            .subcommand_required(true)
            .arg_required_else_help(true);
        root.subcommand(resource.augment(group, &global))
    })
}

/// Returns the names of the options that every command has.
fn global_options(root: &Command) -> Vec<String> {
    let options = root.get_arguments().filter(|arg| arg.is_global_set());
    options.filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

impl Resource {
    /// Returns the verbs with the common ones first.
    fn sorted_verbs(&self) -> Vec<(&String, &OperationSpec)> {
        let mut verbs: Vec<_> = self.verbs.iter().collect();
        let rank = |verb: &str| COMMON_VERBS.iter().position(|common| *common == verb);
        verbs.sort_by_key(|(verb, _)| rank(verb).unwrap_or(COMMON_VERBS.len()));
        verbs
    }

    fn augment(&self, group: Command, global: &[String]) -> Command {
        self.sorted_verbs().into_iter().fold(group, |group, (verb, spec)| {
            if group.find_subcommand(verb).is_some() {
                return group;
            }
            group.subcommand(command(verb.clone(), *spec, global))
        })
    }
}

/// Returns the name of the field that holds the ID of the command's own resource: `session_id` for `/v1/sessions/stop`.
fn own_id(spec: OperationSpec) -> String {
    let resource = spec.operation.path.split('/').nth(2).unwrap_or_default();
    format!("{}_id", resource.strip_suffix('s').unwrap_or(resource))
}

fn command(verb: String, spec: OperationSpec, global: &[String]) -> Command {
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
    if let Some(field) = spec.file_field() {
        let what = title_of(field.trim_end_matches("_base64")).to_lowercase();
        let help = format!("Write the {what} to a file, or `-` for standard output");
        command = command.arg(Arg::new(OUTPUT).short('o').long(OUTPUT).value_name("FILE").help(help));
    }
    if spec.has_body() && !spec.takes_form() {
        command = fields::augment(command, spec, &own_id(spec), global);
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
        let global = global_options(&crate::command());
        fields::body(spec, &own_id(spec), &global, matches)?
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
    let resource = spec.operation.path.split('/').nth(2).unwrap_or_default().replace('_', " ");
    let resource = resource.strip_suffix('y').map_or_else(|| resource.clone(), |stem| format!("{stem}ies"));
    let notes = Notes { empty: &format!("no {resource}"), rest: "use --all to list all" };
    if !all_pages {
        let data = call(None)?.data().await?;
        if let Some(field) = spec.file_field() {
            return save_file(data, field, argument(OUTPUT), output);
        }
        output.print_list(data, notes);
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
                output.print_list(json!({"count": rows.len(), "results": rows}), notes);
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
    Err(Failure::incomplete(end, "run the command again", rows.into()))
}

/// Writes the file that a field of the response holds in base64.
fn save_file(mut data: Value, field: &str, path: Option<String>, output: Output) -> Result<(), Failure> {
    let Some(path) = path else {
        output.print(data);
        if output.format == Format::Text {
            output.progress("use --output FILE to save it");
        }
        return Ok(());
    };
    let text = data[field].as_str().unwrap_or_default();
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| {
        let message = format!("`{field}` of the response is not valid base64: {error}");
        Failure::incomplete(message, "run the command again", Value::Null)
    })?;
    if path == "-" {
        print_bytes(&bytes);
        return Ok(());
    }
    std::fs::write(&path, &bytes)
        .map_err(|error| Failure::usage(format!("failed to write {path}: {error}"), "use another file"))?;
    if let Some(data) = data.as_object_mut() {
        data.remove(field);
        data.insert("file".to_owned(), path.as_str().into());
        data.insert("bytes".to_owned(), bytes.len().into());
    }
    output.print_as(data, &format!("wrote {} bytes to {path}", bytes.len()));
    Ok(())
}
