//! The table of a run.

use std::fmt::Write;
use std::time::Duration;

use crate::robot::Robot;

/// What one scenario came to.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// The robot's first word about it, after the beginning.
    pub(crate) sign: String,
    /// How the robot came back.
    pub(crate) way: String,
    /// Until data came, after the end of the fault: reliable, lossy.
    pub(crate) back: Option<[Duration; 2]>,
    pub(crate) wrong: Vec<String>,
}

impl Row {
    pub(crate) fn line(&self) -> String {
        let back = self.back.map_or("never".into(), |[reliable, lossy]| {
            format!("{:.1} s | {:.1} s", reliable.as_secs_f64(), lossy.as_secs_f64())
        });
        format!("| {} | {} | {} | {back} |", self.what, self.sign, self.way)
    }
}

/// The robot's log lines that tell of trouble, with the words of the table.
const SIGNS: [(&str, &str); 3] = [
    ("the link is silent", "link silent"),
    ("the transport lost its link", "reconnecting"),
    ("the room is lost", "room lost"),
];

/// The first sign after `began`, in milliseconds since the Unix epoch.
pub(crate) fn first_sign(robot: &Robot, began: u64) -> String {
    let seen = SIGNS.iter().filter_map(|(text, word)| Some((robot.logged_at(text, began)?, word)));
    match seen.min() {
        Some((at, word)) => format!("{word} after {:.1} s", (at - began) as f64 / 1e3),
        None => "none".into(),
    }
}

/// How the robot got back after `began`.
pub(crate) fn way_back(robot: &Robot, began: u64) -> String {
    let ways = [
        ("the transport reconnected full=false", "resumed"),
        ("the transport reconnected full=true", "reconnected fully"),
        ("joined the room", "joined again"),
    ];
    let mut seen: Vec<_> =
        ways.iter().filter_map(|(text, word)| Some((robot.logged_at(text, began)?, *word))).collect();
    seen.sort_unstable();
    let words: Vec<&str> = seen.into_iter().map(|(_, word)| word).collect();
    if words.is_empty() {
        "link kept".into()
    } else {
        words.join(", then ")
    }
}

pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| Fault | The robot's first sign | How it came back | Reliable data after the link's return | Lossy data |\n\
         |---|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(out, "{}", row.line());
    }
    out
}
