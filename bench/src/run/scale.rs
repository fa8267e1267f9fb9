//! A thousand channels: memory, and how long adding and announcing them takes. On robots that have done nothing before.

use std::time::{Duration, Instant};

use crate::commands::{Command, Done};
use telelink::protocol::ToViewer;
use telelink_client::{Event, ViewerError};

use super::process::{Kind, Result, Server};
use super::results::Scale;
use super::stage::Stage;

/// How long the slowest of the robots may take.
const LIMIT: Duration = Duration::from_secs(60);
/// After so long without work memory is taken as settled.
const REST: Duration = Duration::from_secs(2);
const PREFIX: &str = "/scale";

pub(crate) async fn run(stage: &mut Stage, server: &Server, channels: usize) -> Result<Scale> {
    eprintln!("{} channels, {}", channels, stage.kind.name());
    tokio::time::sleep(REST).await;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let rss_before_mib = mib(stage.robot.process.usage()?.rss);
    let mut scale = Scale {
        robot: stage.kind,
        channels,
        viewers: stage.viewers.len(),
        rss_before_mib,
        rss_after_mib: rss_before_mib,
        added_ms: f64::NAN,
        advertised_ms: f64::NAN,
        advertise_messages: f64::NAN,
    };
    // The budgets compare with nobody, and the peer is busy for a minute with the tracks of a thousand channels.
    if stage.kind != Kind::Telelink {
        return Ok(scale);
    }
    let add = Command::Add { prefix: PREFIX.into(), count: channels, reliable: false };
    let start = Instant::now();
    stage.robot.process.tell(&add).await?;
    if let Some(viewer) = stage.viewers.first() {
        viewer.wait_until("the channels", LIMIT, |picture, _| picture.channels().len() >= channels).await?;
    }
    scale.added_ms = start.elapsed().as_secs_f64() * 1e3;
    let _: Done = stage.robot.process.answer().await?;

    let viewer = stage.join(server).await?;
    let start = Instant::now();
    viewer.wait_until("the channels", LIMIT, |picture, _| picture.channels().len() >= channels).await?;
    scale.advertised_ms = start.elapsed().as_secs_f64() * 1e3;
    let mut messages = 0.0;
    loop {
        match viewer.next_event(Duration::ZERO).await {
            Ok(Event::Control(message)) if matches!(*message, ToViewer::Advertise(_)) => messages += 1.0,
            Ok(_) => (),
            Err(ViewerError::Timeout(_)) => break,
            Err(error) => return Err(error.into()),
        }
    }
    scale.advertise_messages = messages;
    viewer.close(LIMIT).await?;
    tokio::time::sleep(REST).await;
    scale.rss_after_mib = mib(stage.robot.process.usage()?.rss);

    let _: Done = stage.robot.process.ask(&Command::Remove { prefix: PREFIX.into() }).await?;
    for viewer in &stage.viewers {
        viewer.wait_until("the channels to go", LIMIT, |picture, _| picture.channels().is_empty()).await?;
    }
    Ok(scale)
}
