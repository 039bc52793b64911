//! `cargo xtask ci`: the list of steps.

use xtask::ci::{self, CiOptions};
use xtask::documents;

use super::with_shell;

#[test]
fn the_steps_are_listed_with_what_they_check() {
    let options = CiOptions { list: true, ..CiOptions::default() };
    let (_, output) = with_shell(|shell| ci::run(&documents::root(), &options, shell).unwrap());
    insta::assert_snapshot!(output);
}

#[test]
fn an_unknown_step_is_an_error_that_names_all_steps() {
    let options = CiOptions { steps: vec!["tests".to_owned()], ..CiOptions::default() };
    let ((), output) = with_shell(|shell| {
        let error = ci::run(&documents::root(), &options, shell).unwrap_err();
        shell.command_failed("ci", &error).unwrap();
    });
    insta::assert_snapshot!(output);
}
