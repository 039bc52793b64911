//! Reading session configurations and printing their diagnostics, as in `session check`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use liveavatar_api::session::{AnyConfiguration, Diagnostic, Severity, validate};
use serde_json::{Value, json};

use crate::failure::{EXIT_USAGE, Failure};
use crate::hint::as_commands;
use crate::input::{display_name, read_text};
use crate::mask::MaskedText;
use crate::output::Output;
use crate::source_map::{SourceFile, Target, TomlError};
use crate::terminal::{error_width, print_error_line, wrap};

const INVALID_JSON: &str = "invalid-json";
/// Not a rule of the library, which reads only JSON.
const INVALID_TOML: &str = "invalid-toml";
const UNREADABLE_FILE: &str = "unreadable-file";
const UNKNOWN_FIELD: &str = "unknown-field";

/// The rules about a field's name or place, for which the key is underlined.
const KEY_RULES: [&str; 4] = [UNKNOWN_FIELD, "misplaced-field", "wrong-mode-field", "duplicate-key"];

/// Characters before the text of a hint: `  = help: `, and two more for the digits of a line number.
const HELP_WIDTH: usize = 12;

/// A diagnostic and its position.
struct Finding {
    severity: Severity,
    rule: &'static str,
    path: String,
    pointer: String,
    message: String,
    hint: Option<String>,
    span: Range<usize>,
}

struct CheckedFile {
    source: SourceFile,
    findings: Vec<Finding>,
}

/// A file that was checked, or the name of one that could not be read and why.
type Checked = Result<CheckedFile, (String, Failure)>;

/// Checks all files and prints their diagnostics. A file that cannot be read is one more error.
pub(crate) fn run(files: &[PathBuf], output: Output) -> Result<(), Failure> {
    let check = |file: &PathBuf| check(file).map_err(|failure| (display_name(file), failure));
    let checked: Vec<Checked> = files.iter().map(check).collect();
    let findings = |severity| {
        let findings = checked.iter().flatten().flat_map(|file| &file.findings);
        findings.filter(|finding| finding.severity == severity).count()
    };
    let unreadable = checked.iter().filter(|file| file.is_err()).count();
    let (errors, warnings) = (findings(Severity::Error) + unreadable, findings(Severity::Warning));
    if output.reports_as_text() {
        for file in &checked {
            match file {
                Ok(file) => print(file),
                Err((_, failure)) => {
                    failure.text().iter().for_each(|text| print_error_line(&format!("{text}\n")));
                }
            }
        }
    }
    let (errors_text, warnings_text) = (plural(errors, "error"), plural(warnings, "warning"));
    let summary = format!("{errors_text}, {warnings_text} in {}", plural(files.len(), "file"));
    if errors > 0 {
        output.progress(&summary);
        return Err(invalid(&summary, &checked));
    }
    output.print_as(json!({"files": files.len(), "problems": problems(&checked)}), &summary);
    Ok(())
}

/// Reads a configuration to use in a call, and prints its errors and warnings.
pub(crate) fn configuration(file: &Path, output: Output) -> Result<AnyConfiguration, Failure> {
    let checked = check(file)?;
    let configuration = checked.source.json.as_deref().ok().map(AnyConfiguration::from_json);
    if output.reports_as_text() {
        print(&checked);
    }
    if let Some(Ok(configuration)) = configuration {
        return Ok(configuration);
    }
    let message = format!("{} is not a valid session configuration", checked.source.name);
    Err(invalid(&message, &[Ok(checked)]))
}

fn invalid(message: &str, checked: &[Checked]) -> Failure {
    let error = json!({"kind": "configuration", "message": message, "problems": problems(checked)});
    Failure::Reported { code: EXIT_USAGE, error }
}

fn problems(checked: &[Checked]) -> Value {
    let problems = checked.iter().flat_map(|file| match file {
        Ok(file) => file.to_json().collect(),
        Err((name, failure)) => vec![json!({
            "file": name,
            "severity": Severity::Error.to_string(),
            "rule": UNREADABLE_FILE,
            "message": failure.message(),
        })],
    });
    problems.collect()
}

fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

fn check(file: &Path) -> Result<CheckedFile, Failure> {
    let source = SourceFile::new(file, read_text(file, "configuration")?);
    let mut findings: Vec<Finding> = match &source.json {
        Ok(json) => validate(json).iter().map(|diagnostic| Finding::new(&source, diagnostic)).collect(),
        Err(errors) => errors.iter().map(Finding::from).collect(),
    };
    findings.sort_by_key(|finding| finding.span.start);
    Ok(CheckedFile { source, findings })
}

impl Finding {
    fn new(source: &SourceFile, diagnostic: &Diagnostic) -> Self {
        let rule = diagnostic.rule();
        let target = if KEY_RULES.contains(&rule) { Target::Key } else { Target::Value };
        let mut message = diagnostic.message().to_owned();
        let mut span = source.span(diagnostic.pointer(), target);
        if rule == INVALID_JSON {
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&source.text) {
                span = source.character_in_line(error.line(), error.column());
            }
            // The message starts with line and column, which are printed above the quoted line.
            if let Some(end) = message.find(": ") {
                message.replace_range(..end + 2, "");
            }
        }
        Self {
            severity: diagnostic.severity(),
            rule,
            path: diagnostic.path().to_owned(),
            pointer: diagnostic.pointer().to_owned(),
            message,
            hint: diagnostic.hint().map(as_commands),
            span,
        }
    }
}

impl From<&TomlError> for Finding {
    fn from(error: &TomlError) -> Self {
        Self {
            severity: Severity::Error,
            rule: INVALID_TOML,
            path: String::new(),
            pointer: String::new(),
            message: error.message.clone(),
            hint: None,
            span: error.span.clone(),
        }
    }
}

impl CheckedFile {
    fn to_json(&self) -> impl Iterator<Item = Value> {
        self.findings.iter().map(|finding| {
            let (line, column) = self.source.line_and_column(finding.span.start);
            let (end_line, end_column) = self.source.line_and_column(finding.span.end);
            json!({
                "file": self.source.name,
                "line": line,
                "column": column,
                "end_line": end_line,
                "end_column": end_column,
                "severity": finding.severity.to_string(),
                "rule": finding.rule,
                "path": finding.path,
                "pointer": finding.pointer,
                "message": finding.message,
                "hint": finding.hint,
            })
        })
    }
}

/// Prints each finding with the line it is about, as a compiler does.
fn print(checked: &CheckedFile) {
    let CheckedFile { source, findings } = checked;
    let unknown =
        findings.iter().filter(|finding| finding.rule == UNKNOWN_FIELD && !finding.pointer.is_empty());
    let unknown: Vec<&str> = unknown.map(|finding| finding.pointer.as_str()).collect();
    let masked = MaskedText::new(source, &unknown);
    for finding in findings {
        let level = match finding.severity {
            Severity::Warning => Level::WARNING,
            _ => Level::ERROR,
        };
        let colon = if finding.path.is_empty() { "" } else { ": " };
        let level_width = format!("{}[{}]: ", finding.severity, finding.rule).len();
        let title = wrap(&format!("{}{colon}{}", finding.path, finding.message), level_width);
        let snippet = Snippet::source(masked.text.as_str())
            .path(source.name.as_str())
            .annotation(AnnotationKind::Primary.span(masked.span(&finding.span)));
        let mut group = level.primary_title(title).id(finding.rule).element(snippet);
        if let Some(hint) = &finding.hint {
            group = group.element(Level::HELP.message(wrap(hint, HELP_WIDTH)));
        }
        let renderer = error_width()
            .map_or(Renderer::styled(), |width| Renderer::styled().term_width(usize::from(width)));
        print_error_line(&format!("{}\n", renderer.render(&[group])));
    }
}
