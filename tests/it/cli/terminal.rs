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
async fn a_narrow_table_shows_names_kinds_and_states_first() {
    let server = Server::start().await.unwrap();
    let run = async |operation: &str, arguments: &[&str]| {
        let mut response = example_response(operation).unwrap();
        let row = &mut response["data"]["results"][0];
        row["name"] = "アンナ with a name that is much too long for a column of a narrow terminal".into();
        server.mock_response(operation, MockResponse::json(200, response));
        let mut command = program(Some(&server), arguments);
        command.env("COLUMNS", "80");
        run_command(Some(&server), command, arguments, Vec::new()).await
    };
    let voices = run("list_voices", &["voices", "list"]).await;
    assert!(["GENDER", "LANGUAGE"].iter().all(|column| voices.contains(column)), "{voices}");
    assert!(!voices.contains("CREATED_AT") && voices.contains("not shown: "), "{voices}");
    let avatars = run("list_public_avatars", &["avatars", "public"]).await;
    assert!(["STATUS", "TYPE"].iter().all(|column| avatars.contains(column)), "{avatars}");
    insta::assert_snapshot!(redact_ids(&(voices + &avatars)));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_diagnostics_and_checks_are_coloured_alike() {
    let server = Server::start().await.unwrap();
    let run = |arguments: &[&str]| {
        let output = program(Some(&server), arguments).env("CLICOLOR_FORCE", "1").output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let response = MockResponse::json(200, example_response("list_public_avatars").unwrap());
    server.mock_response("list_public_avatars", response);
    let list = run(&["avatars", "public"]);
    assert!(
        list.contains("\u{1b}[1mNAME\u{1b}[0m") && list.contains("\u{1b}[32mACTIVE\u{1b}[0m"),
        "{list:?}"
    );
    assert!(run(&["credits"]).starts_with("\u{1b}[1mcredits_left\u{1b}[0m"));
    assert!(run(&["session", "check", "broken.json"]).contains("\u{1b}["));
    assert!(!run(&["avatars", "list", "--json"]).contains('\u{1b}'));
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
