//! Completion, as the shells do it. The tests of a shell that is not installed are skipped.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use liveavatar_mock::{MockResponse, Server, example_response};

use super::{PROGRAM, redact_ids};

/// Lines that a user has typed, up to the cursor.
const LINES: [&str; 9] = [
    "liveavatar se",
    "liveavatar call list_v",
    "liveavatar voices pr",
    "liveavatar voices list --voice-type ",
    "liveavatar embeddings create --orient",
    "liveavatar embeddings create --orientation ",
    "liveavatar contexts create --prompt-f",
    "liveavatar voices get ",
    "liveavatar session stop ",
];

/// Prints the candidates for the line `$LINE`. Fish also prints their descriptions.
const BASH: &str = r#"
source <(liveavatar completions bash)
function=$(complete -p liveavatar | sed 's/.*-F \([^ ]*\).*/\1/')
read -ra COMP_WORDS <<< "$LINE"
[[ $LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9
"$function" liveavatar "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;
const FISH: &str = r#"
liveavatar completions fish | source
complete --do-complete "$LINE"
"#;
/// Types the line into an interactive shell and lists the candidates, because the completion of zsh works nowhere else.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= PROMPT= RPS1= ; stty columns 200; autoload -U compinit; compinit -D -u; source <(liveavatar completions zsh)"
zpty -w shell "compadd() { builtin compadd -A found \"\$@\"; builtin print -r -- \"FOUND \${(j:|:)found}\"; }"
zpty -w shell "zstyle ':completion:*' list-prompt ''; LISTMAX=10000; print REA''DY"
zpty -r shell seen "*READY*"
zpty -w -n shell "$LINE"$'\t'
zpty -w -n shell $'\x15'"print EN''D"$'\n'
zpty -r shell seen "*END*"
print -r -- "$seen" | tr -d '\r' | grep -a -o 'FOUND .*' | cut -c7- | tr '|' '\n'
zpty -d shell
"#;

/// Returns the candidates that a shell shows for each line; none if the shell is not installed.
fn candidates(server: &Server, shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    if Command::new(shell).arg("--version").output().is_err() {
        eprintln!("skipped: {shell} is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(PROGRAM, folder.path().join("liveavatar")).unwrap();
    let mut shown = String::new();
    for line in LINES {
        let output = Command::new(shell)
            .args(arguments)
            .arg(script)
            .env_clear()
            .env("PATH", format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap()))
            .env("HOME", folder.path())
            .env("TERM", "xterm")
            .env("LINE", line)
            .env("LIVEAVATAR_BASE_URL", server.url())
            .env("LIVEAVATAR_API_KEY", server.api_key())
            .current_dir(Path::new(folder.path()))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        words.sort_unstable();
        words.dedup();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let _ = writeln!(shown, "$ {line}\n{}{error}\n", words.join("\n"));
    }
    Some(redact_ids(&shown))
}

async fn server() -> Server {
    let server = Server::start().await.unwrap();
    for _ in 0..LINES.len() {
        let mut voices = example_response("list_voices").unwrap();
        voices["data"]["results"][0]["name"] = "Anna\u{1b}]0;title\u{7}".into();
        server.mock_response("list_voices", MockResponse::json(200, voices));
        server.mock_response(
            "list_sessions",
            MockResponse::json(200, example_response("list_sessions").unwrap()),
        );
    }
    server
}

/// Checks what every shell must offer for the lines above.
fn assert_complete(shown: &str) {
    let expected: [(&str, &[&str]); 9] = [
        (LINES[0], &["session", "secrets"]),
        (LINES[1], &["list_voices", "list_voice_agents"]),
        (LINES[2], &["preview"]),
        (LINES[3], &["public", "private"]),
        (LINES[4], &["--orientation"]),
        (LINES[5], &["horizontal", "vertical"]),
        (LINES[6], &["--prompt-file"]),
        (LINES[7], &["[id]"]),
        (LINES[8], &["[id]", "--all"]),
    ];
    for (line, words) in expected {
        let offered = shown.split(&format!("$ {line}\n")).nth(1).unwrap().split("\n\n").next().unwrap();
        for word in words {
            // Bash shows options only after a hyphen.
            let is_option = word.starts_with("--") && !line.contains("--");
            assert!(is_option || offered.contains(word), "{word} after {line}: {offered}");
        }
    }
    assert!(!shown.contains('\u{1b}') && !shown.contains("panicked"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes_names_values_and_ids() {
    if let Some(shown) = candidates(&server().await, "bash", &["--norc", "-c"], BASH) {
        assert_complete(&shown);
        insta::assert_snapshot!(shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fish_completes_names_values_and_ids() {
    if let Some(shown) = candidates(&server().await, "fish", &["--no-config", "-c"], FISH) {
        assert_complete(&shown);
        assert!(shown.contains("Anna"), "a candidate has the name of its resource: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_completes_names_values_and_ids() {
    if let Some(shown) = candidates(&server().await, "zsh", &["-f", "-c"], ZSH) {
        assert_complete(&shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completion_does_not_fail_without_a_key_or_a_service() {
    for variables in [&[][..], &[("LIVEAVATAR_API_KEY", "k"), ("LIVEAVATAR_BASE_URL", "http://127.0.0.1:1")]]
    {
        let output = Command::new(PROGRAM)
            .args(["--", "liveavatar", "voices", "get", ""])
            .env_clear()
            .envs(variables.iter().copied())
            .envs([("LIVEAVATAR_COMPLETE", "bash"), ("_CLAP_COMPLETE_INDEX", "3"), ("_CLAP_IFS", "\n")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}
