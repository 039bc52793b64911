//! Width and colour.

use std::fmt::Write as _;

use liveavatar_mock::{MockResponse, Server, example_response};

use super::{UNKNOWN_SESSION, program, redact_ids, run_command};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_fits_the_width_and_counts_omitted_columns() {
    let server = Server::start().await.unwrap();
    let mut all = String::new();
    for columns in ["40", "80", "120"] {
        for operation in ["list_voices", "get_voice_by_id"] {
            let response = MockResponse::json(200, example_response(operation).unwrap());
            server.mock_response(operation, response);
        }
        for arguments in [&["voices", "list"][..], &["voices", "get", UNKNOWN_SESSION]] {
            let mut command = program(Some(&server), arguments);
            command.env("COLUMNS", columns);
            let shown = run_command(Some(&server), command, arguments, Vec::new()).await;
            let width: usize = columns.parse().unwrap();
            assert!(shown.lines().skip(1).all(|line| line.chars().count() <= width.max(50)), "{shown}");
            let _ = write!(all, "# {columns}\n{shown}\n");
        }
    }
    insta::assert_snapshot!(redact_ids(&all));
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_requires_a_terminal_or_a_variable() {
    let run = |variables: &[(&str, &str)]| {
        let mut command = program(None, &["session", "check", "broken.json"]);
        command.envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(!run(&[]).contains('\u{1b}'));
    assert!(run(&[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}
