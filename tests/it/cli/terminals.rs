//! What depends on who reads: width and colour.

use std::fmt::Write as _;

use liveavatar_mock::{MockResponse, Server, example_response};

use super::{program, settled, told};

#[tokio::test(flavor = "multi_thread")]
async fn tables_keep_to_the_width_and_say_what_they_leave_out() {
    let server = Server::start().await.unwrap();
    let mut shown = String::new();
    for columns in ["40", "80", "120"] {
        server
            .mock_response("list_voices", MockResponse::json(200, example_response("list_voices").unwrap()));
        server.mock_response(
            "get_voice_by_id",
            MockResponse::json(200, example_response("get_voice_by_id").unwrap()),
        );
        for arguments in [&["voices", "list"][..], &["voices", "get", super::NOBODY]] {
            let mut command = program(Some(&server), arguments);
            command.env("COLUMNS", columns);
            let told = told(Some(&server), command, arguments, Vec::new()).await;
            let width: usize = columns.parse().unwrap();
            assert!(told.lines().skip(1).all(|line| line.chars().count() <= width.max(50)), "{told}");
            let _ = write!(shown, "# {columns}\n{told}\n");
        }
    }
    insta::assert_snapshot!(settled(&shown));
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_is_for_terminals_and_for_those_who_want_it() {
    let run = |variables: &[(&str, &str)]| {
        let mut command = program(None, &["session", "check", "broken.json"]);
        command.envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(!run(&[]).contains('\u{1b}'));
    assert!(run(&[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}
