//! What an adapter over a LiveKit server must do: one suite, made for every adapter that can run. Needs `LIVEKIT_SERVER` and
//! `TELELINK_LIVEKIT_LIBRARY`.

#![allow(unreachable_pub, reason = "a test target has no outside")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../room/port_suite.rs"]
mod port_suite;
#[path = "../room/stage.rs"]
#[allow(dead_code, reason = "the memory room's own tests use the rest")]
mod stage;

mod data_tracks;
mod descriptors;
mod pacer;
mod reconnect;
mod rig;
mod rooms;
mod streams;
mod video;

/// What rooms share outlives the last of them: taking it down has once aborted the process (docs/reliability.md).
#[tokio::test(flavor = "multi_thread")]
async fn the_librarys_threads_outlive_the_last_room() {
    let _quiet = rig::quiet().await;
    let rig = rig::Rig::new(rig::library);
    let joined = rig.join(&rig::room_name("last"), "robot").await;
    joined.room.close().await;
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.starts_with("network_thread")).count()
    };
    // It would end in the moment after the answer.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while std::time::Instant::now() < end {
        assert_eq!(threads(), 1);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Makes tests of the functions of one module, for one adapter.
macro_rules! cases {
    ($connector:expr, $module:ident, [$($name:ident),+ $(,)?]) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    crate::$module::$name(&crate::rig::Rig::new($connector)).await;
                }
            )+
        }
    };
}

/// Makes the whole suite for one adapter: what every room must do, and what only a real server shows.
macro_rules! suite {
    ($adapter:ident, $connector:expr) => {
        mod $adapter {
            mod port {
                crate::port_suite!(
                    #[tokio::test(flavor = "multi_thread")],
                    crate::rig::OnServer::new(crate::rig::Rig::new($connector)).await
                );
            }
            cases!($connector, data_tracks, [
                a_track_can_be_unpublished_and_published_again_under_its_name,
                tracks_of_a_participant_that_leaves_are_gone,
                who_joins_later_sees_tracks_that_are_there,
                a_slow_reader_loses_frames_and_counts_them,
                our_tracks_survive_a_full_reconnect,
            ]);
            cases!($connector, pacer, [
                fifty_channels_notified_together_arrive,
                the_pacer_finds_its_pace_when_overloaded,
                s_267_a_panic_of_a_frame_source_does_not_end_the_rooms_data_tracks,
            ]);
            cases!($connector, reconnect, [
                a_full_reconnect_changes_the_sid_and_voids_open_streams,
                a_full_reconnect_alone_in_the_room_is_seen_too,
                a_signal_reconnect_keeps_streams,
                a_server_that_sends_us_away_ends_the_room,
                a_server_that_comes_back_is_a_full_reconnect,
                a_server_that_stays_away_ends_the_room_and_its_streams,
            ]);
            cases!($connector, rooms, [
                both_sides_see_each_other_join_and_leave,
                a_closed_room_ends_its_events_and_refuses_calls,
                dropping_a_room_leaves_it,
                an_abandoned_join_leaves_nothing_behind,
                the_same_identity_joining_again_ends_the_first,
                bad_tokens_are_unauthorized_and_not_quoted,
                a_server_that_is_not_there_is_unreachable,
                a_server_that_never_answers_is_a_timeout,
                a_wrong_url_is_invalid,
                statistics_show_the_link,
                joining_and_closing_again_and_again_leaks_nothing,
            ]);
            cases!($connector, streams, [
                two_interleaved_streams_arrive_whole_and_in_order,
                a_stream_of_somebody_not_announced_yet_arrives,
                a_slow_reader_gets_everything,
                a_refused_stream_harms_nothing,
                an_abandoned_stream_does_not_look_complete,
                a_sender_that_leaves_ends_its_streams_at_both_ends,
                a_sender_that_leaves_before_it_is_announced_ends_its_streams_too,
                our_own_leaving_ends_what_we_read,
                one_sender_may_have_64_streams_open,
            ]);
            cases!($connector, video, [
                a_viewer_sees_what_was_captured_and_when,
                dropping_a_track_unpublishes_it_and_it_comes_back,
                an_abandoned_publication_is_taken_back,
                s_275_a_full_reconnect_renews_the_track,
                a_publication_that_no_track_stands_for_can_be_taken_back,
                pictures_with_times_that_stand_still_or_jump_are_shown,
                wrong_pictures_and_tokens_are_refused,
                pictures_that_come_encoded_pass_through,
            ]);
        }
    };
}

suite!(library, crate::rig::library);

// Compiled by `make lint`; to run it the crates must have been able to download libwebrtc (docs/livekit-library.md).
#[cfg(feature = "livekit-static")]
suite!(linked, crate::rig::linked);
