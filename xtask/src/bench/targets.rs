//! The targets, next to the rows that they are about and to what was measured before.

use super::{BenchRows, build, ours};

/// The part of a row that has a target.
#[derive(Clone, Copy)]
enum Cell {
    Ours,
    Ratio,
}

/// A measurement with a target.
struct Target {
    what: &'static str,
    row: &'static str,
    cell: Cell,
    before: &'static str,
    value: &'static str,
}

const ONE_CORE: &str = "one call over loopback, client and server on one core";
const ONE_CORE_OF_100: &str = "one call over loopback, 100 avatars, client and server on one core";
const ROOMS: &str = "20 rooms of the mock at once for 30s, all avatars speaking";

/// When the column `before` was measured, before the work on these targets.
const BEFORE: &str = "2026-11-22";

const TARGETS: [Target; 12] = [
    target("a call on one core, times plain", ONE_CORE, Cell::Ratio, "1.20 to 1.22", "1.05"),
    target("client instructions of a call, times plain", super::INSTRUCTIONS, Cell::Ratio, "1.24", "1.03"),
    target(
        "allocations of a call (54 in 17.3 kB plain)",
        "allocations: one call over loopback",
        Cell::Ours,
        "72 in 19.3 kB",
        "58",
    ),
    target("a call with 100 avatars on one core, times plain", ONE_CORE_OF_100, Cell::Ratio, "1.09", "0.92"),
    target(
        "bytes of a call with 100 avatars, times plain",
        "allocations: one call over loopback, 100 avatars",
        Cell::Ratio,
        "1.45",
        "1.15",
    ),
    target("a configuration checked", "token request, every rule checked", Cell::Ours, "40µs", "5µs"),
    target("a cold debug build, times plain", build::COLD_BUILD, Cell::Ratio, "1.55", "1.5"),
    target(
        "a cold debug build without `generate`, times plain",
        build::COLD_BUILD_WITHOUT_GENERATOR,
        Cell::Ratio,
        "",
        "1.2",
    ),
    target(
        "the first command of the README, processor time",
        build::FIRST_COMMAND,
        Cell::Ours,
        "236 s",
        "150 s",
    ),
    target(
        "units compiled by `cargo xtask` after `cargo build -p xtask`, both with `--profile test`",
        build::XTASK_UNITS,
        Cell::Ours,
        "47",
        "0",
    ),
    target("memory of an open socket", super::SOCKET_MEMORY, Cell::Ours, "13650 bytes", "15000 bytes"),
    target("20 rooms of the mock at once", ROOMS, Cell::Ours, "", "0 lost; slowest join 1 s"),
];

const fn target(
    what: &'static str,
    row: &'static str,
    cell: Cell,
    before: &'static str,
    value: &'static str,
) -> Target {
    Target { what, row, cell, before, value }
}

/// Returns the table of all targets.
pub(super) fn table(rows: &BenchRows) -> String {
    let head = format!("\n| What | {BEFORE} | now | target |\n| --- | --- | --- | --- |\n");
    TARGETS.iter().fold(head, |text, Target { what, row, cell, before, value }| {
        format!("{text}| {what} | {before} | {} | {value} |\n", measured(rows, row, *cell))
    })
}

fn measured<'r>(rows: &'r BenchRows, row: &str, cell: Cell) -> &'r str {
    let fact = || rows.facts.iter().find(|fact| fact.what == row).map(|fact| fact.value.as_str());
    let pair = rows.pairs.iter().find(|pair| pair.what == row);
    let pair = pair.and_then(|pair| match cell {
        Cell::Ours => Some(ours(&pair.cells)),
        Cell::Ratio => pair.cells.get("plain").map(|[_, _, ratio]| ratio.as_str()),
    });
    pair.or_else(fact).unwrap_or("not measured")
}
