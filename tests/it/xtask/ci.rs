//! `cargo xtask ci`: the list of steps.

use xtask::ci::{self, CiOptions};
use xtask::documents;
use xtask::shell::Shell;

#[test]
fn the_steps_are_listed_with_what_they_check() {
    let options = CiOptions { list: true, ..CiOptions::default() };
    let mut out = Vec::new();
    ci::run(&documents::root(), &options, &mut Shell::plain(&mut out)).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn an_unknown_step_is_an_error_that_names_all_steps() {
    let options = CiOptions { steps: vec!["tests".to_owned()], ..CiOptions::default() };
    let mut out = Vec::new();
    let mut shell = Shell::plain(&mut out);
    let error = ci::run(&documents::root(), &options, &mut shell).unwrap_err();
    shell.command_failed("ci", &error).unwrap();
    drop(shell);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}
