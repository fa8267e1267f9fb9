//! `telelink-view`: joins a room as a viewer and shows what the robot sends, once a second; or asks it one thing.

mod ask;

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{stdout, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use telelink::protocol::ToViewer;
use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{JoinRequest, RoomOptions, Secret};
use telelink_client::{Channel, ChannelStats, Event, Selector, Viewer, ViewerError, ViewerOptions};
use tokio::time::{interval_at, Instant, MissedTickBehavior};

/// Joins a LiveKit room as a viewer and shows the channels of the robot in it: messages, rate, loss and latency, once a second.
/// With a command it asks the robot that, prints the answer and ends.
#[derive(Parser)]
#[command(name = "telelink-view", version)]
struct Arguments {
    /// Address of the LiveKit server, ws:// or wss://
    #[arg(long, env = "LIVEKIT_URL")]
    url: String,
    /// Access token of a viewer; its attribute protocolVersion chooses the protocol
    #[arg(long, env = "LIVEKIT_TOKEN", hide_env_values = true)]
    token: String,
    /// Only this topic; may be given several times
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Watch so many seconds, print once and end: with status 1 if a channel stayed silent
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    once: Option<u64>,
    /// Print a JSON object per second instead of a table
    #[arg(long)]
    json: bool,
    /// Print each message as a line, topic and payload, instead of a table
    #[arg(long, conflicts_with_all = ["json", "once"])]
    print: bool,
    /// Identity of the robot; else whoever opens a control stream first
    #[arg(long, value_name = "IDENTITY")]
    robot: Option<String>,
    /// Seconds to wait for the robot
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: u64,
    /// File of the LiveKit library, if it is not found by itself
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    #[command(subcommand)]
    ask: Option<ask::Ask>,
}

const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// Notices of the robot that are shown below the table.
const NOTICES: usize = 5;
/// Widest topic in the table, in characters.
const TOPIC_WIDTH: usize = 48;
/// Most of a message that is printed, in characters.
const PAYLOAD_WIDTH: usize = 1000;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        // Whoever reads the output has seen enough.
        Err(error)
            if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("telelink-view: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let library = Library::load(&LibraryOptions { path: arguments.library.clone() })?;
    let request = JoinRequest {
        url: arguments.url.clone(),
        token: Secret::new(arguments.token.clone()),
        options: RoomOptions::default(),
    };
    let robot = arguments.robot.as_deref().map(Into::into);
    let mut options = ViewerOptions { robot, ..Default::default() };
    if !arguments.print {
        // Nobody takes the messages; only their counts are shown.
        options.message_limit = 1;
    }
    let viewer = Viewer::join(std::sync::Arc::new(LivekitConnector::new(library)), request, options).await?;
    let result = tokio::select! {
        result = watch(&viewer, &arguments) => result,
        result = tokio::signal::ctrl_c() => result.map(|()| ExitCode::SUCCESS).map_err(Into::into),
    };
    let closed = viewer.close(CLOSE_LIMIT).await;
    let code = result?;
    closed?;
    Ok(code)
}

async fn watch(viewer: &Viewer, arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let wait = Duration::from_secs(arguments.wait);
    viewer.ready(wait).await?;
    if let Some(ask) = &arguments.ask {
        ask.run(viewer, wait).await?;
        return Ok(ExitCode::SUCCESS);
    }
    match &arguments.topics[..] {
        [] => viewer.subscribe([Selector::All])?,
        topics => viewer.subscribe(topics.iter().map(String::as_str))?,
    };
    if arguments.print {
        return print(viewer).await;
    }
    let mut screen = Screen { terminal: stdout().is_terminal() && arguments.once.is_none(), ..Default::default() };
    let period = Duration::from_secs(arguments.once.unwrap_or(1));
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        ticks.tick().await;
        let elapsed = last.elapsed();
        last = Instant::now();
        screen.take_events(viewer)?;
        let rows = screen.rows(viewer, &arguments.topics, elapsed);
        let text = if arguments.json { screen.json(viewer, &rows) } else { screen.table(viewer, &rows) };
        let mut out = stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        if arguments.once.is_some() {
            let silent = rows.is_empty() || rows.iter().any(|row| row.stats.received == 0);
            return Ok(if silent { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    }
}

/// Prints messages until the viewer is closed.
async fn print(viewer: &Viewer) -> Result<ExitCode, Box<dyn Error>> {
    loop {
        match viewer.next_message(Duration::from_secs(3600)).await {
            Ok(message) => {
                let mut out = stdout().lock();
                writeln!(out, "{}", message_line(&message.topic, &message.payload))?;
                out.flush()?;
            }
            Err(ViewerError::Timeout(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Topic and payload, if that is text.
fn message_line(topic: &str, payload: &[u8]) -> String {
    let topic = printable(topic, TOPIC_WIDTH);
    match std::str::from_utf8(payload) {
        Ok(text) if !text.contains('\0') => format!("{topic} {}", printable(text, PAYLOAD_WIDTH)),
        _ => format!("{topic} ({} bytes)", payload.len()),
    }
}

#[derive(Default)]
struct Screen {
    terminal: bool,
    received: HashMap<u64, u64>,
    notices: VecDeque<String>,
}

struct Row {
    id: u64,
    topic: String,
    reliable: bool,
    rate: f64,
    stats: ChannelStats,
}

impl Row {
    fn new(channel: &Channel, stats: ChannelStats, before: u64, elapsed: Duration) -> Self {
        let rate = stats.received.saturating_sub(before) as f64 / elapsed.as_secs_f64().max(0.001);
        Self { id: channel.id, topic: channel.topic.to_string(), reliable: channel.reliable(), rate, stats }
    }
}

impl Screen {
    fn take_events(&mut self, viewer: &Viewer) -> Result<(), ViewerError> {
        while let Some(event) = viewer.try_next_event()? {
            let notice = match event {
                Event::Control(message) => match &*message {
                    ToViewer::Status(status) => format!("{:?}: {}", status.level, status.message),
                    _ => continue,
                },
                Event::Problem(problem) => problem.to_string(),
                Event::Malformed { reason } => reason,
                Event::Unreadable(error) => error.to_string(),
                Event::RobotLeft => "the robot left the room".to_owned(),
                Event::StreamEnded { .. } => "the robot ended the session".to_owned(),
                Event::WriterFailed(error) => format!("cannot write to the robot: {error}"),
                Event::Reconnecting => "the connection is lost, trying to get it back".to_owned(),
                _ => continue,
            };
            self.notices.push_back(printable(&notice, 160));
            if self.notices.len() > NOTICES {
                self.notices.pop_front();
            }
        }
        Ok(())
    }

    fn rows(&mut self, viewer: &Viewer, topics: &[String], elapsed: Duration) -> Vec<Row> {
        let channels = viewer.channels();
        let shown = channels.values().filter(|c| topics.is_empty() || topics.iter().any(|topic| **topic == *c.topic));
        let mut received = HashMap::new();
        let rows = shown.map(|channel| {
            let stats = viewer.stats(channel.id);
            received.insert(channel.id, stats.received);
            let before = self.received.get(&channel.id).copied().unwrap_or(0);
            Row::new(channel, stats, before, elapsed)
        });
        let rows = rows.collect();
        self.received = received;
        rows
    }

    fn json(&self, viewer: &Viewer, rows: &[Row]) -> String {
        let channels: Vec<_> = rows.iter().map(json_row).collect();
        let robot = viewer.server_info().map(|info| info.name);
        let totals = viewer.totals();
        let value = json!({ "robot": robot, "sessions": totals.server_infos, "problems": totals.problems,
                            "channels": channels, "notices": self.notices });
        format!("{value}\n")
    }

    fn table(&self, viewer: &Viewer, rows: &[Row]) -> String {
        let mut text = String::new();
        if self.terminal {
            // Home, and clear from there to the end.
            text.push_str("\x1b[H\x1b[J");
        }
        let robot = viewer.server_info().map_or("waiting for the robot".to_owned(), |info| info.name);
        let sessions = viewer.totals().server_infos;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} · {} channels · session {sessions}", printable(&robot, TOPIC_WIDTH), rows.len());
        let width = rows.iter().map(|row| row.topic.chars().count()).max().unwrap_or(0).clamp(7, TOPIC_WIDTH);
        let _ = writeln!(text, "{}", HEADINGS.line(width));
        for row in rows {
            let _ = writeln!(text, "{}", Line::of(row).line(width));
        }
        for notice in &self.notices {
            let _ = writeln!(text, "! {notice}");
        }
        text
    }
}

/// One line of the table.
struct Line<'a> {
    topic: std::borrow::Cow<'a, str>,
    cells: [std::borrow::Cow<'a, str>; 6],
}

const HEADINGS: Line<'static> = {
    use std::borrow::Cow::Borrowed as B;
    Line { topic: B("channel"), cells: [B("path"), B("messages"), B("Hz"), B("loss"), B("p50 ms"), B("p99 ms")] }
};

impl Line<'_> {
    fn of(row: &Row) -> Line<'static> {
        let ms = |share| {
            row.stats.latency.quantile(share).map_or("-".to_owned(), |d| format!("{:.1}", d.as_secs_f64() * 1e3))
        };
        let path = if row.reliable { "stream" } else { "track" };
        let cells = [
            path.to_owned(),
            row.stats.received.to_string(),
            format!("{:.1}", row.rate),
            format!("{:.1} %", row.stats.loss() * 100.0),
            ms(0.5),
            ms(0.99),
        ];
        Line { topic: printable(&row.topic, TOPIC_WIDTH).into(), cells: cells.map(Into::into) }
    }

    fn line(&self, width: usize) -> String {
        let [path, messages, rate, loss, p50, p99] = &self.cells;
        format!("{:width$}  {path:6}  {messages:>10}  {rate:>8}  {loss:>8}  {p50:>8}  {p99:>8}", self.topic)
    }
}

fn json_row(row: &Row) -> serde_json::Value {
    let stats = &row.stats;
    let ms = |share| stats.latency.quantile(share).map(|d| d.as_secs_f64() * 1e3);
    json!({
        "id": row.id, "topic": row.topic, "path": if row.reliable { "stream" } else { "track" },
        "messages": stats.received, "bytes": stats.bytes, "hz": row.rate, "lost": stats.lost, "loss": stats.loss(),
        "duplicates": stats.duplicates, "reordered": stats.reordered, "malformed": stats.malformed,
        "latency_p50_ms": ms(0.5), "latency_p99_ms": ms(0.99),
    })
}

/// What a robot wrote, fit for a terminal: no control characters, not too long.
fn printable(text: &str, limit: usize) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let mut stats = ChannelStats { received: 30, received_on_track: 30, lost: 10, ..Default::default() };
        stats.latency.record(1, 2_000_001);
        let topic = format!("/evil\x1b[2J{}", "x".repeat(100));
        Row { id: 7, topic, reliable: false, rate: 9.96, stats }
    }

    #[test]
    fn a_line_lines_up_with_the_headings_and_cannot_steer_the_terminal() {
        let (headings, line) = (HEADINGS.line(TOPIC_WIDTH), Line::of(&row()).line(TOPIC_WIDTH));
        assert!(!line.contains('\x1b'), "{line:?}");
        assert_eq!(headings.chars().count(), line.chars().count(), "\n{headings}\n{line}");
        let cells: Vec<&str> = line.split_whitespace().skip(1).collect();
        assert_eq!(cells, ["track", "30", "10.0", "25.0", "%", "2.0", "2.0"]);
    }

    #[test]
    fn the_rate_is_of_the_time_since_the_last_row() {
        let channel = Channel {
            id: 7,
            topic: "/a".into(),
            encoding: String::new(),
            schema: None,
            metadata: [("foxglove.reliable".to_owned(), "true".to_owned())].into(),
        };
        let stats = ChannelStats { received: 30, ..Default::default() };
        let row = Row::new(&channel, stats, 10, Duration::from_millis(500));
        assert_eq!((row.rate, row.reliable), (40.0, true));
        // Counters that began anew are no negative rate.
        assert_eq!(Row::new(&channel, ChannelStats::default(), 10, Duration::ZERO).rate, 0.0);
    }

    #[test]
    fn json_has_no_latency_where_none_was_measured() {
        let value = json_row(&Row { stats: ChannelStats::default(), ..row() });
        assert_eq!((&value["latency_p50_ms"], &value["messages"]), (&serde_json::Value::Null, &json!(0)));
        assert_eq!(json_row(&row())["lost"], json!(10));
    }

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        assert_eq!(message_line("/a", b"{\"b\": 1}"), "/a {\"b\": 1}");
        assert_eq!(message_line("/a", b"two\nlines"), "/a two?lines");
        assert_eq!(message_line("/a", b"\xff\0"), "/a (2 bytes)");
    }

    #[test]
    fn the_arguments_are_understood() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
        let given =
            ["telelink-view", "--url", "ws://x", "--token", "t", "--topic", "/a", "--topic", "/b", "--once", "3"];
        let arguments = Arguments::try_parse_from(given).unwrap();
        assert_eq!((arguments.topics, arguments.once), (vec!["/a".to_owned(), "/b".to_owned()], Some(3)));
        let parse = |more: &[&str]| {
            Arguments::try_parse_from(["telelink-view", "--url", "u", "--token", "t"].iter().chain(more))
        };
        assert!(parse(&["--once", "0"]).is_err());
        assert!(parse(&["--print", "--json"]).is_err());
        let asked = format!("{:?}", parse(&["set", "/gain", "-1"]).unwrap().ask);
        assert!(asked.contains(r#"name: "/gain", value: "-1""#), "{asked}");
    }
}
