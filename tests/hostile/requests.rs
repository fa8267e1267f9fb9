//! Requests above admission: more of them, or larger ones, than a viewer may have open (P-186).

use std::sync::atomic::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use telelink::protocol::frame::MAX_PAYLOAD;
use telelink::protocol::{FromViewer, Parameter, ParameterValue, ServiceCall, ToViewer};
use telelink::session::{
    GetParametersRequest, ParameterHandler, ParameterResponder, Service, SessionOptions, SetParametersRequest,
};

use crate::memory::Gauge;
use crate::rig::{alone, Barrier, Stage, Viewer};

/// Two services, one of which blocks until the test opens the barrier, and assets and parameters that block too.
fn blocking(barrier: &Arc<Barrier>) -> SessionOptions {
    struct Blocking(Arc<Barrier>);
    impl ParameterHandler for Blocking {
        fn get(&self, _: GetParametersRequest, responder: ParameterResponder) {
            self.0.wait();
            let _ = responder.respond(vec![Parameter::new("x", ParameterValue::Integer(1))]);
        }
        fn set(&self, _: SetParametersRequest, responder: ParameterResponder) {
            self.0.wait();
            let _ = responder.respond(Vec::new());
        }
    }
    let (slow, asset) = (barrier.clone(), barrier.clone());
    let slow = Service::new("slow", "t", move |request, responder| {
        slow.wait();
        let _ = responder.respond(Bytes::from(request.payload.len().to_string()));
    });
    let quick = Service::new("quick", "t", |_, responder| {
        let _ = responder.respond("quick");
    });
    SessionOptions {
        supported_encodings: vec!["json".into()],
        services: vec![slow, quick],
        asset_handler: Some(Arc::new(move |_, responder| {
            asset.wait();
            let _ = responder.respond("asset");
        })),
        parameter_handler: Some(Arc::new(Blocking(barrier.clone()))),
        ..Default::default()
    }
}

/// The ids of the two services, as the viewer learns them.
async fn services(viewer: &mut Viewer) -> (u32, u32) {
    viewer
        .until(|message| match message {
            ToViewer::AdvertiseServices { services } => {
                let id = |name| services.iter().find(|service| service.name == name).map(|service| service.id);
                Some((id("slow")?, id("quick")?))
            }
            _ => None,
        })
        .await
}

fn call(service_id: u32, call_id: u32, payload: Bytes) -> FromViewer {
    FromViewer::ServiceCallRequest(ServiceCall { service_id, call_id, encoding: "json".into(), payload })
}

fn failure(message: ToViewer) -> Option<(u32, String)> {
    match message {
        ToViewer::ServiceCallFailure { call_id, message, .. } => Some((call_id, message)),
        _ => None,
    }
}

fn response(message: ToViewer) -> Option<(u32, Bytes)> {
    match message {
        ToViewer::ServiceCallResponse(answer) => Some((answer.call_id, answer.payload)),
        _ => None,
    }
}

#[tokio::test]
async fn p_186_calls_of_16_mib_are_refused_beyond_32_mib_whatever_their_number() {
    let _alone = alone().await;
    let barrier = Arc::<Barrier>::default();
    let stage = Stage::new(blocking(&barrier)).await;
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let (slow, quick) = services(&mut hostile).await;
    services(&mut calm).await;
    let quiet = calm.round_trip().await;
    let payload = Bytes::from(vec![b'x'; MAX_PAYLOAD - 64]);
    let gauge = Gauge::new();
    for n in 0..8 {
        hostile.say(&call(slow, n, payload.clone()));
        hostile.flushed().await;
    }
    for n in 2..8 {
        assert_eq!(hostile.until(failure).await, (n, "Too many requests".to_owned()));
    }
    calm.undisturbed(quiet).await;
    calm.say(&call(quick, 1, Bytes::from_static(b"{}")));
    assert_eq!(calm.until(response).await, (1, "quick".into()));
    // Two payloads that the handlers have, one that is read, one that is assembled, one in the test's source.
    assert!(gauge.peak() < 128 << 20, "{} bytes", gauge.peak());
    assert_eq!(barrier.came.load(Ordering::Relaxed), 2);
    barrier.open();
    for _ in 0..2 {
        assert_eq!(hostile.until(response).await.1, (MAX_PAYLOAD - 64).to_string());
    }
    // The bytes are free again.
    hostile.say(&call(slow, 9, payload));
    assert_eq!(hostile.until(response).await.0, 9);
}

#[tokio::test]
async fn p_186_floods_of_requests_are_refused_beyond_32_of_each_kind() {
    const SENT: u32 = 3000;
    let _alone = alone().await;
    let barrier = Arc::<Barrier>::default();
    let stage = Stage::new(blocking(&barrier)).await;
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let (slow, quick) = services(&mut hostile).await;
    services(&mut calm).await;
    let quiet = calm.round_trip().await;
    let gauge = Gauge::new();
    for n in 0..SENT {
        hostile.say(&call(slow, n, Bytes::from_static(b"{}")));
        hostile.say(&FromViewer::FetchAsset { request_id: n, uri: "package://x".into() });
        hostile.say(&FromViewer::GetParameters { names: Vec::new(), id: Some(n.to_string()) });
    }
    calm.undisturbed(quiet).await;
    calm.say(&call(quick, 1, Bytes::from_static(b"{}")));
    assert_eq!(calm.until(response).await, (1, "quick".into()), "some threads are left to the others");
    let refused = hostile.barrier().await;
    let count = |want: fn(&ToViewer) -> bool| refused.iter().filter(|message| want(message)).count() as u32;
    assert_eq!(count(|m| matches!(m, ToViewer::ServiceCallFailure { .. })), SENT - 32);
    assert_eq!(count(|m| matches!(m, ToViewer::FetchAssetResponse(answer) if answer.result.is_err())), SENT - 32);
    assert_eq!(count(|m| matches!(m, ToViewer::Status(_))), SENT - 32);
    assert!(gauge.peak() < 32 << 20, "{} bytes", gauge.peak());
    barrier.open();
    let mut open = 96;
    hostile
        .until(|message| {
            open -= match message {
                ToViewer::ServiceCallResponse(_) | ToViewer::ParameterValues { .. } => 1,
                ToViewer::FetchAssetResponse(answer) => u32::from(answer.result.is_ok()),
                _ => 0,
            };
            (open == 0).then_some(())
        })
        .await;
    assert_eq!(barrier.came.load(Ordering::Relaxed), 96);
}
