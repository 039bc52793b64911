//! Reading session configurations, with every problem shown in its place.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use liveavatar_api::session::{AnyConfiguration, Diagnostic, Severity, validate};
use serde_json::{Value, json};

use crate::connect::read;
use crate::output::{Failure, Form, Output, USAGE, aside};
use crate::place::Source;

/// The rule of a TOML text that is none; that of JSON is the library's.
const INVALID_TOML: &str = "invalid-toml";
const INVALID_JSON: &str = "invalid-json";
const UNKNOWN: &str = "unknown-field";

/// Where the field, and not its value, is what offends.
const OF_THE_KEY: [&str; 4] = [UNKNOWN, "misplaced-field", "wrong-mode-field", "duplicate-key"];

/// A problem with its place.
struct Finding {
    severity: Severity,
    rule: &'static str,
    path: String,
    pointer: String,
    message: String,
    hint: Option<String>,
    span: Range<usize>,
}

/// What was found in one file.
struct Checked {
    source: Source,
    findings: Vec<Finding>,
}

/// Checks all files, and shows what is wrong with them.
pub(crate) fn run(files: &[PathBuf], output: Output) -> Result<(), Failure> {
    let checked = files.iter().map(|file| check(file)).collect::<Result<Vec<_>, _>>()?;
    let count = |severity| {
        checked.iter().flat_map(|one| &one.findings).filter(|one| one.severity == severity).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if output.form == Form::People {
        checked.iter().for_each(show);
    }
    let summary = format!(
        "{}, {} in {}",
        plural(errors, "error"),
        plural(warnings, "warning"),
        plural(files.len(), "file")
    );
    let problems: Vec<Value> = checked.iter().flat_map(Checked::json).collect();
    if errors == 0 {
        output.told(json!({"files": files.len(), "problems": problems}), &summary);
        return Ok(());
    }
    output.progress(&summary);
    let error = json!({"kind": "configuration", "message": summary, "problems": problems});
    Err(Failure::Told { code: USAGE, error })
}

/// A configuration to use; what is wrong with it is shown, and what is doubtful too.
pub(crate) fn configuration(file: &Path, output: Output) -> Result<AnyConfiguration, Failure> {
    let checked = check(file)?;
    let read = checked.source.json.as_deref().ok().map(AnyConfiguration::from_json);
    if output.form == Form::People {
        show(&checked);
    }
    if let Some(Ok(configuration)) = read {
        return Ok(configuration);
    }
    let message = format!("{} is no configuration that can be used", checked.source.name);
    let problems: Vec<Value> = checked.json().collect();
    let error = json!({"kind": "configuration", "message": message, "problems": problems});
    Err(Failure::Told { code: USAGE, error })
}

fn plural(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

fn check(file: &Path) -> Result<Checked, Failure> {
    let source = Source::new(file, read(file, "the configuration")?);
    let mut findings: Vec<Finding> = match &source.json {
        Ok(json) => validate(json).iter().map(|problem| found(&source, problem)).collect(),
        Err(broken) => broken
            .iter()
            .map(|broken| Finding {
                severity: Severity::Error,
                rule: INVALID_TOML,
                path: String::new(),
                pointer: String::new(),
                message: broken.message.clone(),
                hint: None,
                span: broken.span.clone(),
            })
            .collect(),
    };
    findings.sort_by_key(|finding| finding.span.start);
    Ok(Checked { source, findings })
}

fn found(source: &Source, problem: &Diagnostic) -> Finding {
    let mut message = problem.message().to_owned();
    let mut span = source.span(problem.pointer(), OF_THE_KEY.contains(&problem.rule()));
    if problem.rule() == INVALID_JSON {
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&source.text) {
            span = place(&source.text, error.line(), error.column());
        }
        // The place is shown above the text.
        if let Some(end) = message.find(": ") {
            message.replace_range(..end + 2, "");
        }
    }
    Finding {
        severity: problem.severity(),
        rule: problem.rule(),
        path: problem.path().to_owned(),
        pointer: problem.pointer().to_owned(),
        message,
        hint: problem.hint().map(str::to_owned),
        span,
    }
}

/// The character at a line and a column in bytes, both from 1.
fn place(text: &str, line: usize, column: usize) -> Range<usize> {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut start = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let end = text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
    start..end
}

impl Checked {
    fn json(&self) -> impl Iterator<Item = Value> {
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

/// Shows each problem under its place in the text, like a compiler.
fn show(checked: &Checked) {
    let Checked { source, findings } = checked;
    let unknown = findings.iter().filter(|finding| finding.rule == UNKNOWN && !finding.pointer.is_empty());
    let unknown: Vec<&str> = unknown.map(|finding| finding.pointer.as_str()).collect();
    let masked = Masked::new(&source.text, &source.masks(&unknown));
    for finding in findings {
        let level = match finding.severity {
            Severity::Warning => Level::WARNING,
            _ => Level::ERROR,
        };
        let colon = if finding.path.is_empty() { "" } else { ": " };
        let title = format!("{}{colon}{}", finding.path, finding.message);
        let span = masked.at(finding.span.start)..masked.at(finding.span.end);
        let snippet = Snippet::source(masked.text.as_str())
            .path(source.name.as_str())
            .annotation(AnnotationKind::Primary.span(span));
        let mut group = level.primary_title(title).id(finding.rule).element(snippet);
        if let Some(hint) = &finding.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        aside(&format!("{}\n", Renderer::styled().render(&[group])));
    }
}

/// A text with parts of it covered, character by character, so that columns stay what they are.
struct Masked {
    text: String,
    /// Where characters of several bytes were covered, and how many bytes that saved.
    saved: Vec<(usize, usize)>,
}

impl Masked {
    fn new(text: &str, masks: &[Range<usize>]) -> Self {
        let mut masked = Self { text: String::with_capacity(text.len()), saved: Vec::new() };
        for (at, c) in text.char_indices() {
            let covered = !c.is_whitespace() && !"\"'{}[],:=".contains(c);
            if covered && masks.iter().any(|mask| mask.contains(&at)) {
                masked.text.push('*');
                if c.len_utf8() > 1 {
                    masked.saved.push((at, c.len_utf8() - 1));
                }
            } else {
                masked.text.push(c);
            }
        }
        masked
    }

    /// The place in the covered text.
    fn at(&self, place: usize) -> usize {
        place - self.saved.iter().take_while(|(at, _)| *at < place).map(|(_, saved)| saved).sum::<usize>()
    }
}
