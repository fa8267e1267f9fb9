//! The snapshot (S-260) and its Prometheus text.

use std::collections::{BTreeMap, BTreeSet};

use super::captured::Captured;
use super::*;
use crate::room::memory::Gate;
use crate::room::DropCause;

/// One series: its name and labels.
type Series = (String, BTreeMap<String, String>);

/// Reads the text exposition format 0.0.4, and more strictly than Prometheus does: every family has HELP and TYPE, once
/// and in one piece, every series is there once, counters and only they end with `_total`.
fn parse(text: &str) -> BTreeMap<Series, f64> {
    assert!(text.ends_with('\n'));
    let mut series = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line.strip_prefix("# HELP ").unwrap_or_else(|| panic!("no HELP but {line:?}"));
        let (name, help) = help.split_once(' ').unwrap();
        assert!(!help.is_empty() && !help.contains('\\'));
        assert!(name.starts_with("telelink_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(families.insert(name.to_owned()), "{name} in two pieces");
        let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} {kind}");
        assert!(["counter", "gauge"].contains(&kind));
        let before = series.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (found, labels, value) = parse_sample(line);
            assert_eq!(found, name);
            assert!(kind == "gauge" || value >= 0.0);
            assert_eq!(series.insert((found, labels), value), None, "twice: {line}");
        }
        assert!(series.len() > before, "{name} has no samples");
    }
    series
}

fn parse_sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            let (mut value, mut chars) = (String::new(), after.char_indices());
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        other => panic!("\\{other} is no escape"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    (name.to_owned(), labels, rest.strip_prefix(' ').unwrap().parse().unwrap())
}

/// The value of the one series of that name which has these labels, whatever others it has.
fn value(series: &BTreeMap<Series, f64>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let mut found = series.iter().filter(|((series, has), _)| {
        series == name && labels.iter().all(|(label, value)| has.get(*label).map(String::as_str) == Some(value))
    });
    let (_, value) = found.next().unwrap_or_else(|| panic!("no {name} {labels:?} in {series:?}"));
    assert!(found.next().is_none(), "{name} {labels:?} is not one series");
    *value
}

#[tokio::test(start_paused = true)]
async fn s_260_the_snapshot_has_viewers_and_channels() {
    let stage = Stage::new().await;
    let (reliable, lossy) = (stage.reliable("/r"), stage.lossy("/l"));
    let mut ann = stage.viewer("ann").await;
    let mut bob = stage.viewer("bob").await;
    ann.subscribe(&[&reliable, &lossy]);
    bob.subscribe(&[&reliable]);
    ann.barrier().await;
    bob.barrier().await;
    reliable.log(b"12345").unwrap();
    let stats = stage.stats().await;
    assert_eq!((stats.joins, stats.reconnects, stats.subscriptions), (1, 0, 3));
    assert_eq!(stats.viewers.iter().map(|viewer| viewer.subscriptions).collect::<Vec<_>>(), [2, 1]);
    let by_channel: Vec<_> =
        stats.channels.iter().map(|c| (&*c.topic, c.data_subscribers, c.video_subscribers)).collect();
    assert_eq!(by_channel, [("/r", 2, 0), ("/l", 1, 0)]);
    assert_eq!((stats.totals().reliable_messages, stats.totals().reliable_bytes), (1, 5));

    // What a channel counted is not lost with it.
    reliable.close();
    ann.barrier().await;
    let stats = stage.stats().await;
    assert_eq!(stats.channels.iter().map(|c| &*c.topic).collect::<Vec<_>>(), ["/l"]);
    assert_eq!((stats.totals().reliable_messages, stats.closed_channels.reliable_bytes), (1, 5));

    // Resets belong to the connection that had them.
    stage.server.fail_writes("ann", 1);
    ann.say(&FromViewer::Ping { app_timestamp: [0; 8] });
    ann.server_info().await;
    let stats = stage.stats().await;
    let resets: BTreeMap<_, _> = stats.viewers.iter().map(|v| (v.client.identity.to_string(), v.resets)).collect();
    assert_eq!(resets, [("ann".to_owned(), 1), ("bob".to_owned(), 0)].into());
    assert_eq!(stats.viewer_resets(), 1);

    stage.server.signal_reconnect("robot");
    let reconnected = async {
        while stage.stats().await.reconnects == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reconnected).await.expect("the link came back");
    assert_eq!(stage.stats().await.last_error, None);
    stage
        .control
        .set_status(ConnectionStatus::Connecting, Some(Error::new(ErrorKind::ConnectFailed, "the room was lost")));
    assert_eq!(stage.stats().await.last_error.unwrap().message, "the room was lost");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_27_a_lost_link_is_seen_in_the_log_and_the_statistics() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    assert!(!stage.stats().await.reconnecting);
    let log = Captured::start();
    stage.server.set_reachable(false);
    let stats = stage.stats().await;
    assert!(stats.reconnecting);
    assert_eq!(stats.reconnects, 0);
    assert_eq!(value(&parse(&stats.to_prometheus(&[]).unwrap()), "telelink_reconnecting", &[]), 1.0);
    let lost = "the transport lost its link and reconnects";
    let warnings = || log.lines("WARN").into_iter().filter(|line| line.contains(lost)).collect::<Vec<_>>();
    assert!(warnings().len() == 1 && warnings()[0].ends_with("count=1"), "{:?}", warnings());

    tokio::time::sleep(Duration::from_secs(4)).await;
    stage.server.set_reachable(true);
    let back = stage.stats().await;
    assert_eq!((back.reconnecting, back.reconnects), (false, 1));
    let found = log.lines("INFO").into_iter().find(|line| line.contains("the transport reconnected"));
    let took = found.as_deref().and_then(|line| line.split_once("took_ms=")).expect("the log says how long it took").1;
    assert!(took.starts_with("40"), "{took}");

    // Links that come and go again and again make no more than a line a second.
    for _ in 0..20 {
        stage.server.set_reachable(false);
        stage.server.set_reachable(true);
    }
    assert_eq!(stage.stats().await.reconnects, 21);
    assert_eq!(warnings().len(), 2, "{:?}", warnings());
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_260_prometheus_reads_the_text() {
    let stage = Stage::new().await;
    let evil = "say \"hi\\\"\nto the µ-robot";
    let channel = stage.reliable(evil);
    let mut viewer = stage.viewer("ann \"the\\one\"\n").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    channel.log(b"12345").unwrap();
    viewer.barrier().await;
    let stats = stage.stats().await;
    let plain = parse(&stats.to_prometheus(&[]).unwrap());
    assert_eq!(value(&plain, "telelink_viewers", &[]), 1.0);
    assert_eq!(value(&plain, "telelink_joins_total", &[]), 1.0);
    assert_eq!(value(&plain, "telelink_messages_total", &[("path", "reliable")]), 1.0);
    assert_eq!(value(&plain, "telelink_message_bytes_total", &[("path", "reliable")]), 5.0);
    assert_eq!(value(&plain, "telelink_dropped_messages_total", &[("cause", "oversize")]), 0.0);
    let of_channel = [("topic", evil), ("channel", &*channel.id().to_string())];
    assert_eq!(value(&plain, "telelink_channel_subscribers", &[&of_channel[..], &[("mode", "data")]].concat()), 1.0);
    let of_viewer = [("viewer", "ann \"the\\one\"\n"), ("client", &*stats.viewers[0].client.id.to_string())];
    assert_eq!(value(&plain, "telelink_viewer_subscriptions", &of_viewer), 1.0);
    assert!(value(&plain, "telelink_viewer_sent_bytes_total", &of_viewer) > 5.0);

    // Labels of the application are on every series, and change nothing else.
    let labels = [("robot", "digger \"7\""), ("_site", "")];
    let labelled = parse(&stats.to_prometheus(&labels).unwrap());
    assert_eq!(labelled.len(), plain.len());
    for ((name, mut has), value) in labelled {
        assert_eq!(has.remove("robot").as_deref(), Some("digger \"7\""));
        assert_eq!(has.remove("_site").as_deref(), Some(""));
        assert_eq!(plain[&(name, has)], value);
    }
    for name in ["", "7up", "a-b", "a b", "__name__", "µ", "topic", "viewer", "a\n"] {
        let refused = stats.to_prometheus(&[(name, "x")]).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidValue, "{name}");
    }
    assert_eq!(stats.to_prometheus(&[("a", "1"), ("a", "2")]).unwrap_err().kind, ErrorKind::InvalidValue);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_260_the_manual_lists_every_metric_with_its_labels() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let mut stats = stage.stats().await;
    // Everything that can be unknown is known here.
    let rtt = RttStats { latest: 1.0, mean: 1.0, deviation: 0.0 };
    stats.ping_rtt_ms = Some(1.0);
    stats.viewers[0].ping_rtt_ms = Some(rtt);
    stats.quality = Some(crate::room::ConnectionQuality::Good);
    stats.room = Some(crate::room::RoomStats {
        ice_rtt_ms: Some(1.0),
        bytes_sent: Some(1),
        bytes_received: Some(1),
        video_bytes_sent: Some(1),
        data_packets_sent: Some(1),
        pacer_spacing_us: Some(1),
        ..Default::default()
    });
    let counts = DropCounts::default();
    let topic = "/a".to_owned();
    let video = VideoStats { active: true, counts: VideoCounts::default(), encoder: None };
    stats.channels =
        vec![ChannelStats { id: 1, topic, counts, data_subscribers: 0, video_subscribers: 0, video: Some(video) }];
    let rendered: BTreeSet<(String, BTreeSet<String>)> = parse(&stats.to_prometheus(&[]).unwrap())
        .into_keys()
        .map(|(name, labels)| (name, labels.into_keys().collect()))
        .collect();
    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring.md")).unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let listed: BTreeSet<(String, BTreeSet<String>)> = manual
        .lines()
        .filter(|line| line.starts_with("| `telelink_"))
        .map(|line| {
            let mut cells = line.split('|').skip(1);
            (names(cells.next().unwrap()).pop_first().unwrap(), names(cells.next().unwrap()))
        })
        .collect();
    assert_eq!(rendered, listed);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_260_the_text_is_bounded_and_says_what_it_leaves_out() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let mut stats = stage.stats().await;
    let counts = DropCounts { lossy_messages: 1, oversize: 1, ..Default::default() };
    let long = "µ".repeat(30_000);
    stats.channels = (1..=2000)
        .map(|id| ChannelStats {
            id,
            topic: long.clone(),
            counts,
            data_subscribers: 1,
            video_subscribers: 0,
            video: None,
        })
        .collect();
    stats.room = Some(crate::room::RoomStats {
        ice_rtt_ms: Some(12.5),
        bytes_sent: Some(7),
        pacer_spacing_us: Some(590),
        ..Default::default()
    });
    let text = stats.to_prometheus(&[("robot", &long)]).unwrap();
    let series = parse(&text);
    let listed = series.keys().filter(|(name, _)| name == "telelink_channel_dropped_messages_total").count();
    assert_eq!(listed, 5 * SessionStats::MAX_PROMETHEUS_CHANNELS);
    assert_eq!(value(&series, "telelink_unlisted_channels", &[]), 2000.0 - 512.0);
    assert_eq!(value(&series, "telelink_messages_total", &[("path", "lossy")]), 2000.0, "totals count all");
    assert_eq!(value(&series, "telelink_ice_rtt_seconds", &[]), 0.0125);
    assert_eq!(value(&series, "telelink_room_sent_bytes_total", &[]), 7.0);
    assert_eq!(value(&series, "telelink_room_pacer_spacing_seconds", &[]), 0.00059);
    assert!(series.keys().all(|(name, _)| name != "telelink_room_received_bytes_total"), "not measured, not there");
    assert!(series.keys().flat_map(|(_, labels)| labels.values()).all(|value| value.len() <= 256));
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_225_what_a_track_drops_is_logged_every_thirty_seconds() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Publish, "robot");
    let (channel, _quiet) = (stage.lossy("/l"), stage.lossy("/quiet"));
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    let log = Captured::start();
    let lines = || -> Vec<String> {
        log.lines("DEBUG").into_iter().filter(|line| line.contains("dropped on their way to the data track")).collect()
    };
    (0..3).for_each(|_| channel.log(b"x").unwrap());
    assert_eq!(lines(), [""; 0], "log itself says nothing");
    tokio::time::sleep(Duration::from_secs(31)).await;
    let first = lines();
    assert!(first.len() == 1 && first[0].ends_with("topic=\"/l\" not_ready=3 transport_full=0"), "{first:?}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lines().len(), 1, "nothing was dropped since");
    stage.server.open(Gate::Publish, "robot");
    stage.server.refuse_frames("robot", 1, DropCause::TransportFull);
    // What is logged too early is not ready; the track may come any moment.
    while stage.stats().await.channels[0].counts.transport_full == 0 {
        channel.log(b"x").unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    channel.close();
    viewer.barrier().await;
    let last = lines();
    assert!(last.len() >= 2 && last.last().unwrap().ends_with("transport_full=1"), "{last:?}");
    stage.finish().await;
}
