use telelink::room::RoomEvent;

use crate::rig::{event, join, room_name};

#[tokio::test(flavor = "multi_thread")]
async fn trace_join() {
    let name = room_name("trace");
    let mut a = join(&name, "a").await;
    eprintln!("a {:?}", a.local);
    let b = join(&name, "b").await;
    eprintln!("b {:?} sees {:?}", b.local, b.participants);
    let p = event(&mut a, "b announced", |e| match e { RoomEvent::ParticipantConnected(p) => Some(p), _ => None }).await;
    eprintln!("a sees {p:?}");
    eprintln!("stats {:?}", a.room.stats().await);
    b.room.close().await;
    event(&mut a, "b left", |e| match e { RoomEvent::ParticipantDisconnected{..} => Some(()), _ => None }).await;
    a.room.close().await;
}
