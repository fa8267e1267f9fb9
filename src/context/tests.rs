//! Tests of contexts, channels and sinks.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use bytes::Bytes;
use parking_lot::Mutex;

use super::*;

/// A sink that writes down what it is told.
#[derive(Default)]
struct Recorder {
    lines: Mutex<Vec<String>>,
    present: Mutex<BTreeSet<ChannelId>>,
}

impl Sink for Recorder {
    fn channels_added(&self, channels: &[ChannelRef]) {
        for channel in channels {
            self.lines.lock().push(format!("+{}", channel.topic()));
            // A removal may overtake the addition.
            if !channel.is_closed() {
                assert!(self.present.lock().insert(channel.id()), "told twice");
            }
        }
    }
    fn channel_removed(&self, channel: &ChannelRef) {
        assert!(channel.is_closed());
        self.lines.lock().push(format!("-{}", channel.topic()));
        self.present.lock().remove(&channel.id());
    }
}

impl Recorder {
    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock())
    }
}

#[derive(Default)]
struct Messages(Mutex<Vec<(Vec<u8>, u64)>>);

impl Output for Messages {
    fn log(&self, message: Message<'_>) {
        self.0.lock().push((message.payload.to_vec(), message.log_time));
    }
}

#[derive(Default)]
struct Count(AtomicU64);

impl Output for Count {
    fn log(&self, _: Message<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn messages_go_to_every_output_that_wants_them() {
    let context = Context::new();
    let channel = context.channel("/a").open().unwrap();
    let (one, two) = (context.add_sink(Arc::<Recorder>::default()), context.add_sink(Arc::<Recorder>::default()));
    assert!(!channel.is_wanted());
    channel.log(b"nobody").unwrap();
    let (a, b) = (Arc::<Messages>::default(), Arc::<Messages>::default());
    channel.set_output(one, Some(a.clone()));
    assert!(channel.is_wanted());
    channel.log_at(b"x", 5).unwrap();
    channel.set_output(two, Some(b.clone()));
    channel.log_at(b"y", 6).unwrap();
    channel.set_output(one, None);
    channel.log_at(b"z", 7).unwrap();
    channel.set_output(two, None);
    channel.log(b"nobody").unwrap();
    assert!(!channel.is_wanted());
    assert_eq!(*a.0.lock(), [(b"x".to_vec(), 5), (b"y".to_vec(), 6)]);
    assert_eq!(*b.0.lock(), [(b"y".to_vec(), 6), (b"z".to_vec(), 7)]);
}

#[test]
fn an_output_is_replaced_and_not_added() {
    let context = Context::new();
    let channel = context.channel("/a").open().unwrap();
    let sink = context.add_sink(Arc::<Recorder>::default());
    let (a, b) = (Arc::<Messages>::default(), Arc::<Messages>::default());
    channel.set_output(sink, Some(a.clone()));
    channel.set_output(sink, Some(b.clone()));
    channel.log_at(b"x", 1).unwrap();
    assert_eq!((a.0.lock().len(), b.0.lock().len()), (0, 1));
    assert_eq!(Arc::strong_count(&a), 1, "the old one is released");
}

/// Keeps what it is given; one that shares offers its copy to the others.
struct Keeps {
    shares: bool,
    kept: Mutex<Vec<Bytes>>,
}

impl Output for Keeps {
    fn log(&self, message: Message<'_>) {
        let bytes = if self.shares && message.wants_share() {
            let bytes = Bytes::copy_from_slice(message.payload);
            message.share(bytes.clone());
            bytes
        } else {
            message.to_bytes()
        };
        self.kept.lock().push(bytes);
    }

    fn shares_copy(&self) -> bool {
        self.shares
    }
}

#[test]
fn several_outputs_share_one_copy_of_the_payload() {
    let context = Context::new();
    let channel = context.channel("/a").open().unwrap();
    // Added in the order in which sharing would come too late.
    let outputs = [false, true, false].map(|shares| Arc::new(Keeps { shares, kept: Mutex::default() }));
    for output in &outputs {
        channel.set_output(context.add_sink(Arc::<Recorder>::default()), Some(output.clone()));
    }
    channel.log(b"payload").unwrap();
    let kept = outputs.each_ref().map(|output| output.kept.lock()[0].clone());
    assert!(kept.iter().all(|bytes| bytes == "payload"));
    assert!(kept.iter().all(|bytes| bytes.as_ptr() == kept[0].as_ptr()), "one copy");
    // Without one who shares, the first who needs a copy makes it.
    let sink = context.add_sink(Arc::<Recorder>::default());
    let alone = context.channel("/b").open().unwrap();
    alone.set_output(sink, Some(outputs[0].clone()));
    alone.log(b"one").unwrap();
    assert_eq!(outputs[0].kept.lock()[1], "one");
}

#[test]
fn log_stamps_messages_with_the_time_now() {
    let context = Context::new();
    let channel = context.channel("/a").open().unwrap();
    let out = Arc::<Messages>::default();
    channel.set_output(context.add_sink(Arc::<Recorder>::default()), Some(out.clone()));
    let before = now_ns();
    channel.log(b"x").unwrap();
    let (_, stamp) = out.0.lock()[0];
    assert!((before..=now_ns()).contains(&stamp));
}

#[test]
fn a_closed_channel_answers_closed_to_every_clone() {
    let context = Context::new();
    let sink = Arc::<Recorder>::default();
    let id = context.add_sink(sink.clone());
    let channel = context.channel("/a").open().unwrap();
    let clone = channel.clone();
    channel.set_output(id, Some(Arc::<Count>::default()));
    channel.close();
    channel.close();
    assert_eq!((clone.log(b"x"), clone.log_at(b"x", 1)), (Err(Closed), Err(Closed)));
    assert!(clone.is_closed() && !clone.is_wanted());
    clone.set_output(id, Some(Arc::<Count>::default()));
    assert!(clone.log(b"x").is_err(), "a closed channel takes no output");
    drop((channel, clone));
    assert_eq!(sink.lines(), ["+/a", "-/a"], "told once");
    assert!(context.channels().is_empty());
}

#[test]
fn the_last_handle_closes_the_channel_and_a_reference_does_not_keep_it_open() {
    let context = Context::new();
    let sink = Arc::<Recorder>::default();
    context.add_sink(sink.clone());
    let channel = context.channel("/a").open().unwrap();
    let (clone, reference) = (channel.clone(), channel.channel_ref().clone());
    drop(channel);
    assert!(!reference.is_closed());
    drop(clone);
    assert!(reference.is_closed());
    assert_eq!(sink.lines(), ["+/a", "-/a"]);
}

#[test]
fn p_56_ids_grow_and_are_never_used_again_and_topics_may_repeat() {
    let (context, other) = (Context::new(), Context::new());
    let a = context.channel("/same").open().unwrap();
    let first = a.id();
    drop(a);
    let b = context.channel("/same").open().unwrap();
    let c = context.channel("/same").open().unwrap();
    let d = other.channel("/same").open().unwrap();
    assert!(first < b.id() && b.id() < c.id() && c.id() < d.id() && first.get() >= 1);
    assert_eq!(context.channels().len(), 2);
}

#[test]
fn a_sink_learns_of_what_was_there_and_of_what_comes() {
    let context = Context::new();
    let (_a, b) = (context.channel("/a").open().unwrap(), context.channel("/b").open().unwrap());
    let sink = Arc::<Recorder>::default();
    let id = context.add_sink(sink.clone());
    assert_eq!(sink.lines(), ["+/a", "+/b"]);
    let _c = context.channel("/c").open().unwrap();
    drop(b);
    assert_eq!(sink.lines(), ["+/c", "-/b"]);
    context.remove_sink(id);
    context.remove_sink(id);
    let _d = context.channel("/d").open().unwrap();
    assert_eq!(sink.lines(), Vec::<String>::new());
}

#[test]
fn removing_a_sink_takes_its_outputs_with_it() {
    let context = Context::new();
    let channel = context.channel("/a").open().unwrap();
    let (one, two) = (context.add_sink(Arc::<Recorder>::default()), context.add_sink(Arc::<Recorder>::default()));
    let (a, b) = (Arc::<Count>::default(), Arc::<Count>::default());
    channel.set_output(one, Some(a.clone()));
    channel.set_output(two, Some(b.clone()));
    context.remove_sink(one);
    channel.log(b"x").unwrap();
    assert_eq!((a.0.load(Ordering::Relaxed), b.0.load(Ordering::Relaxed)), (0, 1));
    assert_eq!(Arc::strong_count(&a), 1);
}

#[test]
fn what_cannot_be_a_channel_is_refused_with_the_reason() {
    let context = Context::new();
    assert_eq!(context.channel("").open().unwrap_err(), ChannelError::EmptyTopic);
    let long = || "x".repeat(64 * 1024 + 1);
    let error = context.channel(long()).open().unwrap_err();
    assert_eq!(error, ChannelError::TooLong { what: "the topic", len: 65_537, max: 65_536 });
    assert!(context.channel("/a").encoding(long()).open().is_err());
    assert!(context.channel("/a").metadata("k", long()).open().is_err());
    let schema = |len: usize| Schema { name: "S".into(), encoding: "e".into(), data: vec![0; len].into() };
    assert!(context.channel("/a").schema(schema((8 << 20) + 1)).open().is_err());
    assert!(context.channels().is_empty());
    let channel = context.channel("x".repeat(65_536)).schema(schema(8 << 20)).open().unwrap();
    assert_eq!(channel.schema().unwrap().data.len(), 8 << 20);
}

#[test]
fn a_channel_shows_what_it_was_made_of() {
    let context = Context::new();
    let schema = Schema { name: "S".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"{}") };
    let builder = context.channel("/a").encoding("json").schema(schema.clone()).qos(Qos::Reliable);
    let channel = builder.metadata("b", "2").metadata("a", "1").open().unwrap();
    assert_eq!((channel.topic(), channel.encoding(), channel.qos()), ("/a", "json", Qos::Reliable));
    assert_eq!(channel.schema(), Some(&schema));
    let metadata: Vec<_> = channel.metadata().iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(metadata, ["a=1", "b=2"]);
}

/// A sink may use the context from inside its notices: no lock is held.
struct Nosy(Context, AtomicBool);

impl Sink for Nosy {
    fn channels_added(&self, channels: &[ChannelRef]) {
        assert!(self.0.channels().iter().any(|channel| channel.id() == channels[0].id()));
        if !self.1.swap(true, Ordering::Relaxed) {
            drop(self.0.channel("/from the sink").open().unwrap());
        }
    }
    fn channel_removed(&self, channel: &ChannelRef) {
        assert!(self.0.channels().iter().all(|other| other.id() != channel.id()));
    }
}

/// S-84, S-99.
#[test]
fn a_sink_may_call_back_into_its_context() {
    let context = Context::new();
    let nosy = Arc::new(Nosy(context.clone(), AtomicBool::new(false)));
    let id = context.add_sink(nosy.clone());
    drop(context.channel("/a").open().unwrap());
    assert!(nosy.1.load(Ordering::Relaxed));
    context.remove_sink(id);
}

/// S-99.
#[test]
fn closing_while_other_threads_log_and_subscribe() {
    for _ in 0..200 {
        let context = Context::new();
        let sink = context.add_sink(Arc::<Recorder>::default());
        let channel = context.channel("/a").open().unwrap();
        let out = Arc::<Count>::default();
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    while channel.log(b"x").is_ok() {}
                });
            }
            scope.spawn(|| {
                start.wait();
                for _ in 0..20 {
                    channel.set_output(sink, Some(out.clone()));
                    channel.set_output(sink, None);
                }
                channel.set_output(sink, Some(out.clone()));
            });
            start.wait();
            channel.close();
        });
        assert!(channel.is_closed());
        let after = out.0.load(Ordering::Relaxed);
        assert_eq!(channel.log(b"late"), Err(Closed));
        assert_eq!(out.0.load(Ordering::Relaxed), after);
        assert_eq!(Arc::strong_count(&out), 1, "a closed channel holds no output");
    }
}

#[test]
fn sinks_and_channels_that_come_and_go_at_the_same_time_end_up_consistent() {
    for _ in 0..100 {
        let context = Context::new();
        let start = Barrier::new(3);
        let sink = Arc::<Recorder>::default();
        let mut kept = Vec::new();
        std::thread::scope(|scope| {
            let makers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let mut kept = Vec::new();
                        for n in 0..20 {
                            let channel = context.channel("/a").open().unwrap();
                            if n % 2 == 0 {
                                kept.push(channel);
                            }
                        }
                        kept
                    })
                })
                .collect();
            start.wait();
            context.add_sink(sink.clone());
            kept.extend(makers.into_iter().flat_map(|maker| maker.join().unwrap()));
        });
        // Each told once, whatever the order; those closed meanwhile are not left over.
        let expected: BTreeSet<ChannelId> = kept.iter().map(|channel| channel.id()).collect();
        let present: BTreeSet<_> = sink.present.lock().iter().copied().collect();
        assert!(present.is_superset(&expected));
        assert_eq!(context.channels().len(), 20);
    }
}

/// Decision 6: no lock of ours is held while something of the application ends.
#[test]
fn a_sink_that_owns_the_last_handle_of_a_channel_can_be_removed() {
    struct Owner(#[allow(dead_code)] Mutex<Option<Channel>>);
    impl Sink for Owner {
        fn channels_added(&self, _: &[ChannelRef]) {}
        fn channel_removed(&self, _: &ChannelRef) {}
    }
    let context = Context::new();
    let recorder = Arc::new(Recorder::default());
    context.add_sink(recorder.clone());
    let channel = context.channel("/a").open().unwrap();
    let owner = context.add_sink(Arc::new(Owner(Mutex::new(Some(channel)))));
    let (done, removed) = std::sync::mpsc::channel();
    let remover = context.clone();
    // Of a thread of its own, for a deadlock would be for ever.
    std::thread::spawn(move || {
        remover.remove_sink(owner);
        let _ = done.send(());
    });
    removed.recv_timeout(std::time::Duration::from_secs(60)).expect("remove_sink returns");
    assert_eq!(recorder.lines(), ["+/a", "-/a"]);
    assert!(context.channels().is_empty());
}
