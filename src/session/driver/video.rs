//! Video tracks: what the core decided about them, done.

use std::sync::Arc;
use std::time::Duration;

use crate::context::ChannelRef;
use crate::protocol::data_track::video_track_name;
use crate::room::{PublishError, RoomError, Sid, VideoCodec, VideoTrack, VideoTrackOptions};
use crate::session::core::{Input, PublisherId};
use crate::session::stats::VideoStats;
use crate::session::video_publisher::Publisher;

use super::{ChannelIo, Driver};

/// Size of a picture that nobody has seen yet: a hint for the encoder's bit rate, which follows the real size later.
const USUAL_SIZE: (u32, u32) = (1280, 720);
/// When the encoder of a new track is first asked what it does, and how often after that.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(5);

impl Driver {
    pub(super) fn start_video(&mut self, channel: &ChannelRef, publisher: PublisherId) {
        let (pool, inputs) = (self.shared.videos.clone(), self.shared.inputs.clone());
        let io = self.io(channel);
        let new = Publisher::new(publisher, channel, &io.video, pool, inputs);
        if let Some(old) = io.publisher.replace(new) {
            old.close();
        }
    }

    pub(super) fn publish_video(&mut self, channel: &ChannelRef, publisher: PublisherId) {
        let settings = self.video.clone();
        let io = self.io(channel);
        let encoded = io.publisher.as_ref().is_some_and(|publisher| publisher.is_encoded());
        let codec = if encoded { VideoCodec::H264 } else { settings.codec };
        let options = VideoTrackOptions {
            codec,
            capture_times: settings.capture_times.with(codec),
            encoder: settings.encoder,
            limits: settings.limits,
            encoded,
            size: io.video.size.lock().unwrap_or(USUAL_SIZE),
        };
        let inputs = self.shared.inputs.clone();
        let Some(room) = &mut self.room else { return };
        let publish = room.room.publish_video_track(&video_track_name(channel.id().get()), &options);
        room.tasks.spawn(async move { inputs.video_published(publisher, publish.await) });
    }

    /// An answer to [`Self::publish_video`], perhaps of a room that is left.
    pub(super) fn video_published(
        &mut self,
        publisher: PublisherId,
        result: Result<Arc<dyn VideoTrack>, PublishError>,
    ) {
        let result = match (&mut self.room, result) {
            (Some(room), Ok(track)) => {
                let sid = track.sid();
                room.videos.insert(publisher, track);
                Ok(sid)
            }
            // Dropping the track takes it back.
            (None, Ok(_)) => Err(RoomError::Closed.to_string()),
            (_, Err(error)) => Err(error.to_string()),
        };
        self.tell(Input::VideoPublished { publisher, result });
    }

    pub(super) fn attach_video(&mut self, channel: crate::context::ChannelId, id: PublisherId) {
        let Some(room) = &mut self.room else { return };
        let (Some(io), Some(track)) = (self.channels.get_mut(&channel), room.videos.get(&id)) else { return };
        let Some(publisher) = io.publisher.as_ref().filter(|publisher| publisher.id() == id) else { return };
        publisher.attach(track.clone());
        let (track, encoder) = (Arc::downgrade(track), io.encoder.clone());
        room.tasks.spawn(async move {
            tokio::time::sleep(FIRST_LOOK).await;
            loop {
                let Some(stats) = track.upgrade().map(|track| track.stats()) else { return };
                match stats.await {
                    Ok(stats) => *encoder.lock() = Some(stats),
                    Err(RoomError::Closed) => return,
                    Err(error) => tracing::debug!(%error, "an encoder could not be measured"),
                }
                tokio::time::sleep(LOOK).await;
            }
        });
    }

    /// Takes a publication back.
    pub(super) fn drop_video(&mut self, id: PublisherId) {
        for io in self.channels.values().filter(|io| io.publisher.as_ref().is_some_and(|p| p.id() == id)) {
            if let Some(publisher) = &io.publisher {
                publisher.detach();
            }
        }
        let Some(room) = &mut self.room else { return };
        if let Some(track) = room.videos.remove(&id) {
            let unpublish = track.unpublish();
            // The task holds the track: dropping it before the room was told would ask twice.
            room.tasks.spawn(async move {
                unpublish.await;
                drop(track);
            });
        }
    }

    pub(super) fn stop_video(&mut self, channel: crate::context::ChannelId, id: PublisherId) {
        if let Some(io) = self.channels.get_mut(&channel) {
            if let Some(publisher) = io.publisher.take_if(|publisher| publisher.id() == id) {
                publisher.close();
                *io.encoder.lock() = None;
            }
        }
        self.drop_video(id);
    }

    pub(super) fn unpublish_orphan(&mut self, sid: &Sid) {
        let Some(room) = &mut self.room else { return };
        tracing::debug!(%sid, "a renewed video track that nobody watches is unpublished");
        let unpublish = room.room.unpublish_video_track(sid);
        room.tasks.spawn(unpublish);
    }
}

impl ChannelIo {
    /// What is measured of the channel's video; `None` if nobody ever watched it.
    pub(super) fn video_stats(&self) -> Option<VideoStats> {
        let counts = self.video.counters.read();
        let active = self.publisher.is_some();
        (active || counts.frames_in > 0).then(|| VideoStats { active, counts, encoder: self.encoder.lock().clone() })
    }
}
