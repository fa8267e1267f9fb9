//! Statistics as Prometheus reads them: the text exposition format, version 0.0.4 (S-260).

use std::fmt::{Display, Write};

use crate::room::ConnectionQuality;

use super::{ChannelStats, ConnectionStatus, DropCounts, Error, ErrorKind, SessionStats, VideoCounts, ViewerStats};

/// Longest value of a label, bytes; longer ones are cut at a character boundary. A label with the number of the viewer
/// or channel stands beside every text that is cut, so no two series become one.
const MAX_LABEL: usize = 256;

/// Names of the labels that series have themselves.
const OWN_LABELS: [&str; 9] = ["cause", "channel", "client", "le", "mode", "path", "quantile", "topic", "viewer"];

impl SessionStats {
    /// Channels that get series of their own: those of the lowest ids. The totals count all of them.
    pub const MAX_PROMETHEUS_CHANNELS: usize = 512;

    /// The figures in Prometheus' text format 0.0.4, to be served as `text/plain; version=0.0.4; charset=utf-8`.
    ///
    /// `labels` are put on every series, for example `[("robot", "digger-7")]`. The names of metrics begin with
    /// `telelink_`; what counts up ends with `_total` and starts at 0 with the session, or, for one viewer, channel or
    /// room, with that. The number of series is bounded by [`Limits::max_viewers`](super::Limits::max_viewers) and
    /// [`MAX_PROMETHEUS_CHANNELS`](Self::MAX_PROMETHEUS_CHANNELS). Takes no lock and waits for nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] for a label whose name Prometheus does not allow, that occurs twice, or that series
    /// have themselves (`cause`, `channel`, `client`, `le`, `mode`, `path`, `quantile`, `topic`, `viewer`).
    pub fn to_prometheus(&self, labels: &[(&str, &str)]) -> Result<String, Error> {
        for (place, (name, _)) in labels.iter().enumerate() {
            check_label(name)?;
            if labels[..place].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::new(ErrorKind::InvalidValue, format!("the label {name} is given twice")));
            }
        }
        let mut page = Page { text: String::with_capacity(8192), common: String::new() };
        for (name, value) in labels {
            write_label(&mut page.common, name, value);
        }
        self.write_session(&mut page);
        self.write_room(&mut page);
        write_viewers(&mut page, &self.viewers);
        write_channels(&mut page, &self.channels);
        Ok(page.text)
    }

    fn write_session(&self, page: &mut Page) {
        let connected = u8::from(self.status == ConnectionStatus::Connected);
        page.gauge("connected", "1 while the session is in a room.", connected);
        page.gauge("uptime_seconds", "Time since the session was started.", self.uptime.as_secs_f64());
        page.counter("joins_total", "Rooms entered; the first join counts.", self.joins);
        page.counter("reconnects_total", "Links lost and got back without leaving the room.", self.reconnects);
        let reconnecting = u8::from(self.reconnecting);
        page.gauge("reconnecting", "1 while the transport tries to get a lost link back.", reconnecting);
        page.gauge("viewers", "Registered viewers.", self.viewers.len());
        page.gauge("subscriptions", "Subscriptions of all viewers.", self.subscriptions);
        page.gauge("backlog_bytes", "Bytes waiting for all viewers.", self.backlog_bytes);
        if let Some(rtt) = self.ping_rtt_ms {
            page.gauge("ping_rtt_seconds", "Mean round trip of the viewers' pings.", seconds(rtt));
        }
        page.head("viewer_resets_total", "counter", "Viewers that had to be reset, by cause.");
        page.sample("viewer_resets_total", &[("cause", "queue_overflow")], self.overflow_resets);
        page.sample("viewer_resets_total", &[("cause", "write_failure")], self.write_failure_resets);
        let name = "listener_dropped_messages_total";
        page.head(name, "counter", "Viewers' messages that waited for the listener and never reached it, by cause.");
        page.sample(name, &[("cause", "slow_listener")], self.listener_messages_dropped);
        page.sample(name, &[("cause", "discarded")], self.listener_messages_discarded);
        page.counter(
            "callback_panics_total",
            "Panics that were stopped, of callbacks of the application and of the library.",
            self.callback_panics,
        );

        let totals = self.totals();
        page.head("messages_total", "counter", "Messages sent, once each however many viewers, by path.");
        for (path, messages, _) in paths(&totals) {
            page.sample("messages_total", &[("path", path)], messages);
        }
        page.head("message_bytes_total", "counter", "Bytes of the messages sent, by path.");
        for (path, _, bytes) in paths(&totals) {
            page.sample("message_bytes_total", &[("path", path)], bytes);
        }
        page.head("dropped_messages_total", "counter", "Messages dropped here, by cause.");
        for (cause, dropped) in causes(&totals) {
            page.sample("dropped_messages_total", &[("cause", cause)], dropped);
        }
        let unlisted = self.channels.len().saturating_sub(Self::MAX_PROMETHEUS_CHANNELS);
        page.gauge("unlisted_channels", "Channels without series of their own; the totals count them.", unlisted);
    }

    fn write_room(&self, page: &mut Page) {
        if let Some(quality) = self.quality {
            let quality = match quality {
                ConnectionQuality::Lost => 0,
                ConnectionQuality::Poor => 1,
                ConnectionQuality::Good => 2,
                ConnectionQuality::Excellent => 3,
            };
            page.gauge("connection_quality", "LiveKit's judgement: 0 lost, 1 poor, 2 good, 3 excellent.", quality);
        }
        let Some(room) = &self.room else { return };
        if let Some(rtt) = room.ice_rtt_ms {
            page.gauge("ice_rtt_seconds", "Round trip to the LiveKit server.", seconds(rtt));
        }
        let counters = [
            ("room_sent_bytes_total", "Bytes sent over the publisher transport of this room.", room.bytes_sent),
            (
                "room_received_bytes_total",
                "Bytes received over the subscriber transport of this room.",
                room.bytes_received,
            ),
            ("room_video_sent_bytes_total", "Bytes of video sent in this room.", room.video_bytes_sent),
            ("room_data_frames_total", "Data-track frames the transport took.", Some(room.data_frames_pushed)),
            ("room_data_frames_refused_total", "Data-track frames refused as full.", Some(room.data_frames_refused)),
            ("room_data_packets_total", "Data-track packets sent.", room.data_packets_sent),
        ];
        for (name, help, value) in counters {
            if let Some(value) = value {
                page.counter(name, help, value);
            }
        }
        if let Some(spacing) = room.pacer_spacing_us {
            page.gauge("room_pacer_spacing_seconds", "Time between two data-track packets.", spacing as f64 / 1e6);
        }
    }
}

fn write_viewers(page: &mut Page, viewers: &[ViewerStats]) {
    type Family = (&'static str, &'static str, &'static str, fn(&ViewerStats) -> Option<f64>);
    let families: [Family; 10] = [
        ("viewer_queue_frames", "gauge", "Frames waiting for the viewer.", |v| Some(v.queue.frames as f64)),
        ("viewer_queue_bytes", "gauge", "Bytes waiting for the viewer.", |v| Some(v.queue.bytes as f64)),
        ("viewer_queue_frames_max", "gauge", "Most frames that ever waited.", |v| {
            Some(v.queue.frames_high_water as f64)
        }),
        ("viewer_queue_bytes_max", "gauge", "Most bytes that ever waited.", |v| Some(v.queue.bytes_high_water as f64)),
        ("viewer_sent_frames_total", "counter", "Frames written to the viewer.", |v| Some(v.queue.frames_sent as f64)),
        ("viewer_sent_bytes_total", "counter", "Bytes written to the viewer.", |v| Some(v.queue.bytes_sent as f64)),
        ("viewer_subscriptions", "gauge", "Channels the viewer is subscribed to.", |v| Some(v.subscriptions as f64)),
        ("viewer_connection_resets_total", "counter", "Resets of the viewer's connection.", |v| Some(v.resets as f64)),
        ("viewer_ping_rtt_seconds", "gauge", "Mean round trip of the viewer's pings.", |v| {
            v.ping_rtt_ms.map(|rtt| seconds(rtt.mean))
        }),
        ("viewer_ping_rtt_deviation_seconds", "gauge", "Standard deviation of these round trips.", |v| {
            v.ping_rtt_ms.map(|rtt| seconds(rtt.deviation))
        }),
    ];
    for (name, kind, help, value) in families {
        let values = viewers.iter().filter_map(|viewer| Some((viewer, value(viewer)?)));
        for (place, (viewer, value)) in values.enumerate() {
            if place == 0 {
                page.head(name, kind, help);
            }
            let number = viewer.client.id.to_string();
            page.sample(name, &[("viewer", viewer.client.identity.as_str()), ("client", &number)], value);
        }
    }
}

fn write_channels(page: &mut Page, channels: &[ChannelStats]) {
    let listed = &channels[..channels.len().min(SessionStats::MAX_PROMETHEUS_CHANNELS)];
    if listed.is_empty() {
        return;
    }
    type Values = fn(&ChannelStats) -> Vec<(&'static str, u64)>;
    let families: [(&str, &str, &str, &str, Values); 6] = [
        ("channel_messages_total", "counter", "Messages of the channel sent, by path.", "path", |channel| {
            paths(&channel.counts).map(|(path, messages, _)| (path, messages)).into()
        }),
        ("channel_message_bytes_total", "counter", "Bytes of these messages, by path.", "path", |channel| {
            paths(&channel.counts).map(|(path, _, bytes)| (path, bytes)).into()
        }),
        ("channel_dropped_messages_total", "counter", "Messages dropped here.", "cause", |channel| {
            causes(&channel.counts).into()
        }),
        ("channel_subscribers", "gauge", "Viewers subscribed to the channel, by mode.", "mode", |channel| {
            vec![("data", channel.data_subscribers as u64), ("video", channel.video_subscribers as u64)]
        }),
        ("channel_video_frames_total", "counter", "Pictures of the channel while it is watched.", "mode", |channel| {
            channel
                .video
                .iter()
                .flat_map(|video| [("logged", video.counts.frames_in), ("sent", video.counts.sent)])
                .collect()
        }),
        ("channel_video_dropped_frames_total", "counter", "Pictures that were not shown.", "cause", |channel| {
            channel.video.iter().flat_map(|video| video_causes(&video.counts)).collect()
        }),
    ];
    for (name, kind, help, label, values) in families {
        let mut started = false;
        for channel in listed {
            let id = channel.id.to_string();
            for (of, value) in values(channel) {
                if !std::mem::replace(&mut started, true) {
                    page.head(name, kind, help);
                }
                page.sample(name, &[("channel", &id), ("topic", &channel.topic), (label, of)], value);
            }
        }
    }
}

/// Messages and bytes by path.
fn paths(counts: &DropCounts) -> [(&'static str, u64, u64); 2] {
    [
        ("reliable", counts.reliable_messages, counts.reliable_bytes),
        ("lossy", counts.lossy_messages, counts.lossy_bytes),
    ]
}

fn video_causes(counts: &VideoCounts) -> [(&'static str, u64); 4] {
    [
        ("overwritten", counts.overwritten),
        ("failed", counts.failed + counts.too_small + counts.oversize),
        ("not_published", counts.not_published),
        ("refused", counts.refused),
    ]
}

fn causes(counts: &DropCounts) -> [(&'static str, u64); 5] {
    [
        ("overwritten", counts.overwritten),
        ("not_ready", counts.not_ready),
        ("oversize", counts.oversize),
        ("transport_full", counts.transport_full),
        ("refused", counts.refused),
    ]
}

fn seconds(ms: f64) -> f64 {
    ms / 1000.0
}

/// The text as it grows.
struct Page {
    text: String,
    /// The application's labels, written already.
    common: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.text, "# HELP telelink_{name} {help}\n# TYPE telelink_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let mut own = self.common.clone();
        for (label, value) in labels {
            write_label(&mut own, label, value);
        }
        let (open, close) = if own.is_empty() { ("", "") } else { ("{", "}") };
        let _ = writeln!(self.text, "telelink_{name}{open}{own}{close} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.sample(name, &[], value);
    }
}

fn write_label(to: &mut String, name: &str, value: &str) {
    if !to.is_empty() {
        to.push(',');
    }
    to.push_str(name);
    to.push_str("=\"");
    for c in cut(value).chars() {
        match c {
            '\\' => to.push_str("\\\\"),
            '"' => to.push_str("\\\""),
            '\n' => to.push_str("\\n"),
            c => to.push(c),
        }
    }
    to.push('"');
}

fn cut(value: &str) -> &str {
    let mut end = value.len().min(MAX_LABEL);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, and not one of the names that are taken.
fn check_label(name: &str) -> Result<(), Error> {
    let invalid = |text: String| Err(Error::new(ErrorKind::InvalidValue, text));
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins || name.starts_with("__") || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return invalid(format!("{name:?} is no name of a Prometheus label"));
    }
    if OWN_LABELS.contains(&name) {
        return invalid(format!("the label {name} is one of telelink's own"));
    }
    Ok(())
}
