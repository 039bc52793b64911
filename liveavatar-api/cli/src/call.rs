//! `call` and `operations`: calling any operation by name.

use clap::Args;
use liveavatar_api::raw::Operation;
use serde_json::{Value, json};

use crate::body::{Body, form_body, json_body, name_and_value, set_fields};
use crate::document::{OperationSpec, Parameter, operations};
use crate::failure::Failure;
use crate::output::Output;
use crate::resource;
use crate::service::Service;
use crate::table::Notes;

#[derive(Args)]
pub(crate) struct Call {
    /// Name of the operation, such as `list_voices`; `liveavatar operations` lists them
    operation: String,
    /// Body as JSON, `@FILE`, or `@-` for standard input
    #[arg(long, value_name = "JSON|@FILE")]
    json_body: Option<String>,
    /// Field of the body by its path, such as `name=Ada` or `links.0.url=…`; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = name_and_value)]
    set: Vec<(String, String)>,
    /// Form part, with `@` before a file name; may be repeated
    #[arg(long, value_name = "NAME=TEXT|@FILE", value_parser = name_and_value)]
    form: Vec<(String, String)>,
    /// Query parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    query: Vec<(String, String)>,
    /// Path parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    path: Vec<(String, String)>,
    /// Send the body without checking it, such as one with a field that this version does not know
    #[arg(long)]
    unchecked: bool,
}

pub(crate) fn operation_rows() -> Value {
    let row = |spec: OperationSpec| {
        let Operation { id, method, path, credentials, .. } = spec.operation;
        let takes: Vec<_> = credentials.iter().map(ToString::to_string).collect();
        let takes = if takes.is_empty() { "nothing".to_owned() } else { takes.join(" or ") };
        let command = resource::command_of(spec);
        json!({"name": id, "command": command, "method": method, "path": path, "takes": takes})
    };
    operations().map(row).collect()
}

impl Call {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let operation = find_operation(&self.operation)?;
        let spec = OperationSpec::of(operation);
        reject_unknown("path parameter", &self.path, spec.path_parameters())?;
        reject_unknown("query parameter", &self.query, spec.query_parameters().map(|query| query.name))?;
        if let Some(name) =
            spec.path_parameters().find(|name| self.path.iter().all(|(given, _)| given != name))
        {
            return Err(Failure::usage(
                format!("{} requires the path parameter `{name}` of {}", operation.id, operation.path),
                format!("use --path {name}=VALUE"),
            ));
        }
        let body = self.body(spec)?;
        let client = service.client_for(operation)?;
        let mut call = client.operation(operation.id)?;
        for (name, value) in self.path {
            call = call.path(&name, &value);
        }
        for (name, value) in self.query {
            call = call.query(name, value);
        }
        if self.unchecked {
            call = call.unchecked();
        }
        let rest = "use --query page=2 for the next page";
        output.print_list(body.add_to(call).data().await?, Notes { rest, ..Notes::default() });
        Ok(())
    }

    fn body(&self, spec: OperationSpec) -> Result<Body, Failure> {
        let id = spec.operation.id;
        if !spec.takes_form() {
            if !self.form.is_empty() {
                return Err(Failure::usage(format!("{id} does not take a form"), "use --json-body instead"));
            }
            return match (&self.json_body, spec.has_body()) {
                (None, true) if !self.set.is_empty() => set_fields(spec, Body::None, &self.set),
                (None, false) if !self.set.is_empty() => {
                    Err(Failure::usage(format!("{id} does not take a body"), "omit --set"))
                }
                (body, _) => set_fields(spec, json_body(spec, body.as_deref())?, &self.set),
            };
        }
        let hint = |part: Parameter| {
            format!("--form {}={}", part.name, if part.is_file() { "@FILE" } else { "TEXT" })
        };
        if self.json_body.is_some() || !self.set.is_empty() {
            let hints: Vec<_> = spec.form_parts().into_iter().map(hint).collect();
            let message = format!("{id} takes a form instead of JSON");
            return Err(Failure::usage(message, format!("use {}", hints.join(" "))));
        }
        reject_unknown("form part", &self.form, spec.form_parts().into_iter().map(|part| part.name))?;
        let value = |name: &str| {
            let (_, value) = self.form.iter().find(|(given, _)| given == name)?;
            Some(value.strip_prefix('@').unwrap_or(value).to_owned())
        };
        form_body(spec, value, |part| format!("use {}", hint(part)))
    }
}

fn find_operation(name: &str) -> Result<&'static Operation, Failure> {
    Operation::find(name).ok_or_else(|| {
        let similarity = |id: &str| strsim::jaro_winkler(id, name);
        let ids = operations().map(|spec| spec.operation.id);
        let nearest = ids.max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        let suggestion = nearest.map(|id| format!("did you mean `{id}`? ")).unwrap_or_default();
        Failure::usage(
            format!("unknown operation `{name}`"),
            format!("{suggestion}run `liveavatar operations` to list all"),
        )
    })
}

/// Rejects names that the operation does not have: the service ignores them, which would hide a typo.
fn reject_unknown(
    kind: &str,
    given: &[(String, String)],
    names: impl Iterator<Item = &'static str>,
) -> Result<(), Failure> {
    let names: Vec<_> = names.collect();
    let Some((unknown, _)) = given.iter().find(|(name, _)| !names.contains(&name.as_str())) else {
        return Ok(());
    };
    let hint = match names.as_slice() {
        [] => format!("the operation does not take any {kind}"),
        _ => format!("the operation takes {}", names.join(", ")),
    };
    Err(Failure::usage(format!("unknown {kind} `{unknown}`"), hint))
}
