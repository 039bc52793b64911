//! `session transcript`, and how a line of a transcript is printed.

use liveavatar_api::types::SessionTranscriptData;
use liveavatar_api::{Client, Uuid};

use crate::failure::Failure;
use crate::output::Output;
use crate::terminal::printable;

pub(crate) async fn run(client: &Client, id: Uuid, output: Output) -> Result<(), Failure> {
    let lines = client.session(id).transcript().await?;
    let mut text = lines.iter().map(line).collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        "the transcript is empty".clone_into(&mut text);
    }
    output.print_as(serde_json::to_value(lines).unwrap_or_default(), &text);
    Ok(())
}

pub(crate) fn line(line: &SessionTranscriptData) -> String {
    format!("{}: {}", printable(&line.role.to_string()), printable(&line.transcript))
}
