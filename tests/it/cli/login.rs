//! `login` and profiles.

use std::fs;
use std::path::Path;
use std::process::Command;

use liveavatar_mock::Server;

use super::pty::Terminal;
use super::{program, run_command};

const FILE: &str = ".config/liveavatar/profiles.toml";

/// Returns a command whose environment has only a home folder.
fn at_home(home: &Path, arguments: &[&str]) -> Command {
    let mut command = program(None, arguments);
    command.env("HOME", home);
    command
}

async fn run_at_home(home: &Path, arguments: &[&str], input: &str) -> String {
    let command = at_home(home, arguments);
    let shown = run_command(None, command, arguments, input.as_bytes().to_vec()).await;
    shown.replace(home.to_str().unwrap(), "~")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_read_without_echo_and_stored_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let server = Server::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::spawn(at_home(home.path(), &["login", "--base-url", server.url()]));
    terminal.wait_for("API key (not shown): ").await;
    terminal.wait_for_hidden_input().await;
    terminal.enter(server.api_key());
    let (code, shown) = terminal.exit().await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(server.api_key()), "{shown}");
    let file = home.path().join(FILE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    // The key goes to the service that accepted it.
    let shown = run_at_home(home.path(), &["credits"], "").await;
    assert!(shown.contains("exit 0"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_used_if_it_is_named_or_no_other_key_is_set() {
    let (first, second) =
        (Server::start().await.unwrap(), Server::builder().credits(7).start().await.unwrap());
    let home = tempfile::tempdir().unwrap();
    let mut shown = Vec::new();
    for (server, name) in [(&first, "default"), (&second, "work")] {
        let arguments = ["login", "--base-url", server.url(), "--profile", name];
        shown.push(run_at_home(home.path(), &arguments, server.api_key()).await);
    }
    for arguments in [&["credits"][..], &["credits", "--profile", "work"], &["credits", "--profile", "none"]]
    {
        shown.push(run_at_home(home.path(), arguments, "").await);
    }
    // The environment precedes the default profile, and follows one that is named.
    for arguments in [&["credits"][..], &["credits", "--profile", "work"]] {
        let mut command = at_home(home.path(), arguments);
        command.env("LIVEAVATAR_API_KEY", "another-key").env("LIVEAVATAR_BASE_URL", first.url());
        shown.push(run_command(None, command, arguments, Vec::new()).await);
    }
    let shown = shown.join("\n").replace(first.url(), "http://first").replace(second.url(), "http://second");
    insta::assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_key_and_an_unsafe_file_are_errors_that_say_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;

    let server = Server::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let login = ["login", "--base-url", server.url()];
    let mut shown = vec![run_at_home(home.path(), &login, "wrong-key").await];
    assert!(!home.path().join(FILE).exists());
    shown.push(run_at_home(home.path(), &login, " \n").await);
    run_at_home(home.path(), &login, server.api_key()).await;
    let file = home.path().join(FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    shown.push(run_at_home(home.path(), &["credits"], "").await);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "[profiles.default]\napi_key = canary-api-key\n").unwrap();
    shown.push(run_at_home(home.path(), &["credits"], "").await);
    let shown = shown.join("\n").replace(server.url(), "http://mock");
    assert!(!shown.contains("wrong-key") && !shown.contains("canary"), "{shown}");
    insta::assert_snapshot!(shown);
}
