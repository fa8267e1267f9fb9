//! The robot's streams: stuck, broken, overflowing viewers, and what a reset keeps.

use super::*;

use crate::room::memory::Gate;

fn small(options: &mut SessionOptions) {
    options.limits.message_backlog_size = 16;
}

/// S-21, S-114.
#[tokio::test(start_paused = true)]
async fn s_23_one_stuck_viewer_does_not_delay_the_others() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Open, "stuck");
    let mut stuck = Viewer::join(&stage.server, "stuck").await;
    stage.server.until_waiting(Gate::Open, "stuck", 1).await;
    let before = tokio::time::Instant::now();
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    assert!(before.elapsed() < Duration::from_secs(1));
    // After ten seconds the attempt is given up and made again.
    tokio::time::sleep(Duration::from_secs(11)).await;
    stage.server.open(Gate::Open, "stuck");
    stuck.server_info().await;
    let text = stuck.status(StatusLevel::Warning).await;
    assert!(text.starts_with("The session was restarted: write failure"), "{text}");
    stage.finish().await;
}

/// S-94, S-112.
#[tokio::test(start_paused = true)]
async fn p_26_a_write_failure_starts_a_new_stream() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    stage.server.fail_writes("ann", 1);
    channel.log(b"lost").unwrap();
    viewer.server_info().await;
    assert_eq!(viewer.streams, 2);
    let text = viewer.status(StatusLevel::Warning).await;
    assert!(text.starts_with("The session was restarted: write failure"), "{text}");
    stage.log.wait(&format!("- {} /r", viewer.sid)).await;
    // The viewer's own stream survives a reset (S-74c), and speaks for the new registration.
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    channel.log(b"found").unwrap();
    assert_eq!(viewer.data().await, ["found"]);
    let stats = stage.stats().await;
    assert_eq!((stats.write_failure_resets, stats.overflow_resets), (1, 0), "S-115");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_116_a_write_that_stands_still_for_30_s_starts_a_new_stream() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    stage.server.shut(Gate::Write, "ann");
    channel.log(b"stuck").unwrap();
    stage.server.until_waiting(Gate::Write, "ann", 1).await;
    tokio::time::sleep(Duration::from_millis(29_900)).await;
    assert_eq!(stage.stats().await.viewer_resets(), 0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stats = stage.stats().await;
    assert_eq!((stats.write_failure_resets, stats.overflow_resets), (1, 0));
    stage.server.open(Gate::Write, "ann");
    viewer.server_info().await;
    let text = viewer.status(StatusLevel::Warning).await;
    assert!(text.starts_with("The session was restarted: write failure"), "{text}");
    assert_eq!(viewer.streams, 2);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_132_s_133_refusals_wait_their_turn_and_delay_nobody() {
    let stage = Stage::new().await;
    let old: Vec<String> = (0..200).map(|n| format!("old-{n}")).collect();
    // As many as may be refused at once are stuck.
    old[..64].iter().for_each(|identity| stage.server.shut(Gate::Open, identity));
    let mut refused = Vec::new();
    for identity in &old {
        let token = stage.server.token("yard", identity).attribute(ATTRIBUTE, "1.0.0").build();
        refused.push(Viewer::enter(&stage.server, token).await);
    }
    let mut viewer = stage.viewer("new").await;
    viewer.barrier().await;
    assert_eq!(stage.server.waiting(Gate::Open, "old-0"), 1, "still stuck");
    // Given up after 10 s; the others are told then, each once.
    for viewer in &mut refused[64..] {
        let text = viewer.status(StatusLevel::Error).await;
        assert!(text.contains("version 1.0.0 is not compatible"), "{text}");
    }
    assert_eq!(stage.server.waiting(Gate::Open, "old-0"), 0);
    stage.finish().await;
}

/// S-70, S-89, S-114, P-2.
#[tokio::test(start_paused = true)]
async fn p_26_an_overflow_resets_the_slow_viewer_and_nobody_else() {
    let stage = Stage::with(small).await;
    let channel = stage.reliable("/r");
    let (mut slow, mut quick) = (stage.viewer("slow").await, stage.viewer("quick").await);
    for viewer in [&mut slow, &mut quick] {
        viewer.subscribe(&[&channel]);
        viewer.barrier().await;
    }
    stage.server.shut(Gate::Write, "slow");
    let mut received = Vec::new();
    for n in 0..40u8 {
        channel.log(&[n]).unwrap();
        received.extend(quick.data().await);
    }
    assert_eq!(received.concat(), (0..40).collect::<Vec<u8>>(), "complete and in order");
    stage.server.open(Gate::Write, "slow");
    slow.server_info().await;
    let text = slow.status(StatusLevel::Warning).await;
    assert!(text.starts_with("The session was restarted: queue overflow, 1"), "{text}");
    let stats = stage.stats().await;
    assert_eq!((slow.streams, quick.streams), (2, 1));
    assert_eq!((stats.overflow_resets, stats.write_failure_resets), (1, 0), "S-115");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_74c_an_old_stream_lives_through_a_reset_that_has_to_wait() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    for streams in 2..=4 {
        stage.server.fail_writes("ann", 1);
        viewer.say(&FromViewer::Ping { app_timestamp: [9; 8] });
        if streams == 4 {
            // Said while nobody is registered: held, and handled when the viewer is back.
            stage.server.until(|server| server.streams_opened_to("ann") == 3).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            viewer.subscribe(&[&channel]);
        }
        viewer.until(|message| matches!(message, ToViewer::ServerInfo(_)).then_some(())).await;
        assert_eq!(viewer.streams, streams);
        viewer.status(StatusLevel::Warning).await;
    }
    viewer.barrier().await;
    channel.log(b"x").unwrap();
    assert_eq!(viewer.data().await, ["x"]);
    assert_eq!(stage.server.streams_opened_by("ann"), 1, "the viewer never had to open another");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_151_a_message_for_the_old_instance_never_reaches_its_successor() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut old = stage.viewer("ann").await;
    old.subscribe(&[&channel]);
    old.barrier().await;
    let mut new = Viewer::join(&stage.server, "ann").await;
    // The session has not seen it yet: the route still names the old instance's queue.
    assert!(channel.is_wanted());
    channel.log(b"for the old one").unwrap();
    new.server_info().await;
    new.open().await;
    assert_eq!(new.data().await, Vec::<Bytes>::new());
    assert!(!channel.is_wanted());
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_51_the_smallest_backlog_serves_a_viewer_with_many_first_messages() {
    let stage = Stage::with(small).await;
    for n in 0..64 {
        let status = Status { level: StatusLevel::Info, message: "kept".into(), id: Some(n.to_string()) };
        stage.control.publish_status(status).unwrap();
    }
    let mut viewer = stage.viewer("ann").await;
    let statuses = viewer.barrier().await.into_iter().filter(|m| matches!(m, ToViewer::Status(_))).count();
    assert_eq!((statuses, viewer.streams), (64, 1));
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_channels_come_and_go_without_a_reset() {
    let stage = Stage::with(small).await;
    let mut viewer = stage.viewer("ann").await;
    let channels: Vec<Channel> = (0..1000).map(|n| stage.reliable(&format!("/{n}"))).collect();
    let advertised = viewer.barrier().await;
    let count: usize = advertised
        .iter()
        .map(|message| match message {
            ToViewer::Advertise(advertise) => advertise.channels.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(count, 1000);
    drop(channels);
    let gone = viewer.barrier().await;
    let [ToViewer::Unadvertise { channel_ids }] = &gone[..] else { panic!("{} messages", gone.len()) };
    assert_eq!((channel_ids.len(), viewer.streams), (1000, 1));
    stage.finish().await;
}

/// S-106.
#[tokio::test(start_paused = true)]
async fn s_139_an_instance_that_is_replaced_while_its_stream_opens() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Open, "ann");
    let old = Viewer::join(&stage.server, "ann").await;
    stage.server.until_waiting(Gate::Open, "ann", 1).await;
    let mut new = Viewer::join(&stage.server, "ann").await;
    // The session gives the old attempt up by itself when it learns of the new instance.
    let only_new = |server: &MemoryServer| server.waiting(Gate::Open, "ann") == 1;
    stage.server.until(only_new).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(stage.server.waiting(Gate::Open, "ann"), 1);
    stage.server.open(Gate::Open, "ann");
    new.server_info().await;
    new.open().await;
    assert_eq!(new.barrier().await, []);
    let viewers: Vec<String> = stage.stats().await.viewers.iter().map(|v| v.client.sid.to_string()).collect();
    assert_eq!(viewers, [new.sid.clone()]);
    assert_ne!(old.sid, new.sid);
    assert_eq!(new.streams, 1);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn p_13_a_reset_reads_the_attributes_anew() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    stage.server.set_attributes("ann", [(ATTRIBUTE.to_owned(), "9.0.0".to_owned())].into());
    assert_eq!(viewer.barrier().await, [], "a change alone is not looked at");
    stage.server.fail_writes("ann", 1);
    viewer.say(&FromViewer::Ping { app_timestamp: [0; 8] });
    // The one-shot stream holds a status and nothing else.
    let ToViewer::Status(status) = viewer.next().await else { panic!() };
    assert!(status.message.contains("9.0.0 is not compatible with this device"), "{}", status.message);
    assert!(stage.stats().await.viewers.is_empty());
    stage.finish().await;
}
