//! The shortest robot in Rust: one channel, one service.
//!
//! `LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=… cargo run --example minimal_robot`

use std::error::Error;
use std::time::Duration;

use telelink::context::{Context, Qos};
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::room::Secret;
use telelink::session::{Service, SessionOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("LIVEKIT_URL")?;
    let token = Secret::new(std::env::var("LIVEKIT_TOKEN")?);

    let context = Context::new();
    let uptime = context.channel("/uptime").encoding("json").qos(Qos::Reliable).open()?;

    let options = SessionOptions {
        name: "minimal robot".into(),
        supported_encodings: vec!["json".into()],
        services: vec![Service::new("/echo", "example/Echo", |request, responder| {
            if let Err(error) = responder.respond(request.payload) {
                eprintln!("/echo: {error}");
            }
        })],
        ..SessionOptions::default()
    };
    let session = Session::start(&context, options, DirectOptions::new(url, TokenSource::Static(token)))?;

    for seconds in 0.. {
        // Costs nothing while nobody watches.
        uptime.log(format!(r#"{{"seconds":{seconds}}}"#).as_bytes())?;
        if let Some(error) = session.last_error() {
            eprintln!("{}: {error}", session.status());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}
