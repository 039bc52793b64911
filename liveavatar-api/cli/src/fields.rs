//! Options for the fields of a JSON body, derived from the API document.
//!
//! A text, number, flag or list of these has an option of its name. A long text can also be read from a file, and a secret only
//! from a file. The ID of the command's own resource is a positional argument. Objects are set with [`SET`].

use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use serde_json::{Map, Value};

use crate::body::{Body, json_body, name_and_value, set_fields};
use crate::document::{Kind, OperationSpec, Parameter, kebab_case, title_of};
use crate::failure::Failure;
use crate::input::read_text;

const BODY: &str = "json-body";
const SET: &str = "set";

/// How a field is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the argument after those of the path.
    Position,
    Option,
    /// As an option, or an option with the path of a file.
    OptionOrFile,
    File,
    /// Only by its path, because it is nested or its name is that of a global option.
    Path,
}

/// Returns the fields of a body and how each is given.
fn fields<'a>(
    spec: OperationSpec,
    own_id: &'a str,
    global: &'a [String],
) -> impl Iterator<Item = (Parameter, Form)> + 'a {
    spec.body_fields().into_iter().map(move |field| {
        let form = if field.name == own_id {
            Form::Position
        } else if field.is_secret() {
            Form::File
        } else if field.kind() == Kind::Nested || global.contains(&kebab_case(field.name)) {
            Form::Path
        } else if field.is_long_text() {
            Form::OptionOrFile
        } else {
            Form::Option
        };
        (field, form)
    })
}

/// Adds the arguments for the body of an operation. `global` has the names of the global options.
pub(crate) fn augment(mut command: Command, spec: OperationSpec, own_id: &str, global: &[String]) -> Command {
    let (mut by_path, mut has_options) = (Vec::new(), false);
    for (field, form) in fields(spec, own_id, global) {
        match form {
            Form::Position => {
                let name = field.name.to_uppercase();
                command = command.arg(
                    Arg::new(option_id(field)).required(true).value_name(name).help(title_of(field.name)),
                );
                continue;
            }
            Form::Path => by_path.push(field.name),
            Form::Option | Form::OptionOrFile => command = command.arg(option(field, form)),
            Form::File => {}
        }
        has_options = true;
        if matches!(form, Form::File | Form::OptionOrFile) {
            command = command.arg(file_option(field, form));
        }
    }
    if !has_options && !spec.body_fields().is_empty() {
        return command;
    }
    if has_options {
        let set = Arg::new(SET).long(SET).action(ArgAction::Append).value_name("PATH=VALUE");
        let help = "Field of the body by its path, such as `a.0.b=text` or `a=null`; may be repeated";
        command = command.arg(set.value_parser(name_and_value).help(help));
    }
    let body = Arg::new(BODY)
        .long(BODY)
        .required(!has_options && !spec.operation.optional_body)
        .value_name("JSON|@FILE")
        .help("Body as JSON, `@FILE`, or `@-` for standard input; other options replace its fields");
    command = command.arg(body);
    if by_path.is_empty() {
        return command;
    }
    command.after_help(format!("Fields without an option of their own, for --set: {}", by_path.join(", ")))
}

fn option(field: Parameter, form: Form) -> Arg {
    let arg = Arg::new(option_id(field)).long(kebab_case(field.name)).value_name(field.name.to_uppercase());
    let description = field.description().map_or_else(|| title_of(field.name), str::to_owned);
    let arg = match field.kind() {
        Kind::Flag => {
            let flag = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
            flag.value_parser(PossibleValuesParser::new(["true", "false"])).hide_possible_values(true)
        }
        Kind::List => arg.action(ArgAction::Append),
        _ => arg,
    };
    let repeated = if field.kind() == Kind::List { "; may be repeated" } else { "" };
    let arg = arg.help(format!("{description}{repeated}{}", required_note(field)));
    let allowed = field.allowed_values();
    let arg = if allowed.is_empty() { arg } else { arg.value_parser(PossibleValuesParser::new(allowed)) };
    if !field.required {
        return arg;
    }
    let others = [BODY, SET].map(str::to_owned).into_iter();
    arg.required_unless_present_any(others.chain((form == Form::OptionOrFile).then(|| file_id(field))))
}

fn file_option(field: Parameter, form: Form) -> Arg {
    let arg = Arg::new(file_id(field)).long(kebab_case(&file_id(field))).value_name("FILE");
    let note = if form == Form::File { required_note(field) } else { "" };
    let help = format!("File with the {}, or `-` for standard input{note}", field.name.replace('_', " "));
    let arg = arg.value_hint(ValueHint::FilePath).help(help);
    match form {
        Form::OptionOrFile => arg.conflicts_with(option_id(field)),
        _ if field.required => arg.required_unless_present_any([BODY, SET]),
        _ => arg,
    }
}

/// clap does not mark options that others can replace.
fn required_note(field: Parameter) -> &'static str {
    if field.required { " (required)" } else { "" }
}

/// A field may have the name of a path parameter, whose argument is another one.
fn option_id(field: Parameter) -> String {
    format!("{}_field", field.name)
}

fn file_id(field: Parameter) -> String {
    format!("{}_file", field.name)
}

/// Collects the body from the arguments that [`augment`] added.
pub(crate) fn body(
    spec: OperationSpec,
    own_id: &str,
    global: &[String],
    matches: &ArgMatches,
) -> Result<Body, Failure> {
    let mut json = Map::new();
    for (field, form) in fields(spec, own_id, global) {
        if form == Form::Path && matches.try_contains_id(field.name).unwrap_or(false) {
            let (name, option) = (field.name, kebab_case(field.name));
            return Err(Failure::usage(
                format!(
                    "--{option} is an option for the service itself, and `{name}` is also a field of the body"
                ),
                format!("use --set {name}=VALUE for the field, or an environment variable for the service"),
            ));
        }
        let texts = matches.try_get_many::<String>(&option_id(field)).ok().flatten();
        let file = matches.try_get_one::<String>(&file_id(field)).ok().flatten();
        if let Some(file) = file {
            let text = read_text(Path::new(file), field.name)?;
            json.insert(field.name.to_owned(), text.trim_end_matches(['\r', '\n']).into());
        } else if let Some(texts) = texts {
            let mut values = texts.map(|text| field.to_json(text));
            let value = if field.kind() == Kind::List {
                values.collect()
            } else {
                values.next_back().unwrap_or_default()
            };
            json.insert(field.name.to_owned(), value);
        }
    }
    let argument = matches.try_get_one::<String>(BODY).ok().flatten();
    let set = matches.try_get_many::<(String, String)>(SET).ok().flatten();
    let set: Vec<_> = set.into_iter().flatten().cloned().collect();
    if json.is_empty() && set.is_empty() {
        return json_body(spec, argument.map(String::as_str));
    }
    let mut body = match argument {
        Some(argument) => json_body(spec, Some(argument))?,
        None => Body::Json(Value::Object(Map::new())),
    };
    if let Body::Json(base) = &mut body {
        let Some(base) = base.as_object_mut() else {
            return Err(Failure::usage("the body is not an object", "omit the options for its fields"));
        };
        base.extend(json);
    }
    set_fields(spec, body, &set)
}
