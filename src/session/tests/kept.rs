//! What the application handed over ends as a callback, off the owner task (design.md decision 6, S-42, S-266).

use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::OnceLock;
use std::thread::ThreadId;

use super::*;
use crate::gateway::{DirectOptions, Session, TokenSource};

const LONG: Duration = Duration::from_secs(60);

/// How something ended.
#[derive(Debug)]
struct End {
    what: &'static str,
    thread: ThreadId,
    callback: bool,
}

/// Captured by a handler, says how that ended.
struct Ends(&'static str, Sender<End>);

impl Drop for Ends {
    fn drop(&mut self) {
        let thread = std::thread::current().id();
        let _ = self.1.send(End { what: self.0, thread, callback: on_callback_thread() });
    }
}

/// Captured by a handler, runs when that ends.
struct AtEnd<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn service(name: &str, owns: impl Send + Sync + 'static) -> Service {
    Service::new(name, "t", move |_, _| {
        let _ = &owns;
    })
}

fn serving(options: &mut SessionOptions) {
    options.capabilities = vec![SessionCapability::Services];
    options.supported_encodings = vec!["json".into()];
}

/// A call of the session, which may block, beside the owner.
async fn blocking<T: Send + 'static>(
    control: &Arc<Control>,
    call: impl FnOnce(&Control) -> T + Send + 'static,
) -> (T, ThreadId) {
    let control = control.clone();
    tokio::task::spawn_blocking(move || (call(&control), std::thread::current().id())).await.unwrap()
}

async fn received<T: Send + 'static>(from: Receiver<T>) -> (T, Receiver<T>) {
    tokio::task::spawn_blocking(move || (from.recv_timeout(LONG).unwrap(), from)).await.unwrap()
}

#[tokio::test]
async fn a_handler_may_ask_its_session_when_it_ends() {
    let session = Arc::<OnceLock<Weak<Control>>>::default();
    let (tell, told) = channel();
    let asks = session.clone();
    let asks = AtEnd(move || {
        let control = asks.get().unwrap().upgrade().unwrap();
        tell.send(control.stats().map(|stats| stats.viewers.len())).unwrap();
    });
    let stage = Stage::with(|options| {
        serving(options);
        options.services = vec![service("/s", asks)];
    })
    .await;
    session.set(Arc::downgrade(&stage.control)).unwrap();
    blocking(&stage.control, |control| control.remove_services(&["/s"])).await.0.unwrap();
    assert_eq!(received(told).await.0, Ok(0));
    stage.finish().await;
}

#[tokio::test]
async fn s_266_a_handler_whose_end_panics_is_counted_and_the_session_lives() {
    let stage = Stage::with(serving).await;
    let (tell, told) = channel();
    let panics = AtEnd(move || {
        tell.send(()).unwrap();
        panic!("a bug of the application");
    });
    let ((), told) = {
        blocking(&stage.control, |control| control.add_services(vec![service("/s", panics)])).await.0.unwrap();
        blocking(&stage.control, |control| control.remove_services(&["/s"])).await.0.unwrap();
        received(told).await
    };
    drop(told);
    // One destructor at a time: when this one runs, the other has been counted.
    let (tell, told) = channel();
    let services = vec![service("/s", Ends("next", tell))];
    blocking(&stage.control, |control| control.add_services(services)).await.0.unwrap();
    blocking(&stage.control, |control| control.remove_services(&["/s"])).await.0.unwrap();
    received(told).await;
    assert_eq!(stage.stats().await.callback_panics, 1);
    stage.finish().await;
}

struct Handler(#[allow(dead_code)] Ends);

impl ParameterHandler for Handler {
    fn get(&self, _: GetParametersRequest, _: ParameterResponder) {}
    fn set(&self, _: SetParametersRequest, _: ParameterResponder) {}
}

/// The owner runs on the test's own thread.
#[tokio::test]
async fn all_that_a_session_held_ends_as_callbacks_before_its_end_and_not_on_the_owner() {
    let (tell, told) = channel();
    let ends = |what| Ends(what, tell.clone());
    let schema =
        crate::context::Schema { name: "R".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"\xff") };
    let bad = service("/bad", ends("bad service")).response(MessageSchema { encoding: "json".into(), schema });
    let (asset, authorizer, filter, qos, suppress) =
        (ends("assets"), ends("authorizer"), ends("filter"), ends("qos"), ends("suppress"));
    let stage = Stage::with(|options| {
        serving(options);
        options.services = vec![service("/s", ends("service")), bad];
        options.asset_handler = Some(Arc::new(move |_, _| assert!(std::ptr::eq(&asset, &asset))));
        options.parameter_handler = Some(Arc::new(Handler(ends("parameters"))));
        options.authorizer = Some(Arc::new(move |_, _, _| std::ptr::eq(&authorizer, &authorizer)));
        options.channel_filter = Some(Arc::new(move |_| std::ptr::eq(&filter, &filter)));
        options.qos_classifier = Some(Arc::new(move |channel| (&qos, channel.qos()).1));
        options.suppress_video = Some(Arc::new(move |_| std::ptr::eq(&suppress, &suppress)));
    })
    .await;
    let _channel = stage.reliable("/r");
    // P-143: the one that cannot be shown is let go of at once.
    let (end, told) = received(told).await;
    assert_eq!((end.what, end.callback), ("bad service", true), "{end:?}");
    let owner = std::thread::current().id();
    assert_ne!(end.thread, owner);
    stage.finish().await;
    let mut names = Vec::new();
    for end in told.try_iter() {
        assert!(end.callback && end.thread != owner, "{end:?}");
        names.push(end.what);
    }
    names.sort_unstable();
    assert_eq!(names, ["assets", "authorizer", "filter", "parameters", "qos", "service", "suppress"]);
}

#[tokio::test]
async fn s_200_refused_services_have_ended_when_the_call_returns() {
    let stage = Stage::with(serving).await;
    blocking(&stage.control, |control| control.add_services(vec![service("/s", ())])).await.0.unwrap();
    let (tell, told) = channel();
    let services = vec![service("/new", Ends("new", tell.clone())), service("/s", Ends("again", tell))];
    let (result, caller) = blocking(&stage.control, |control| control.add_services(services)).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Duplicate);
    let ends: Vec<End> = told.try_iter().collect();
    assert_eq!(ends.iter().map(|end| end.what).collect::<Vec<_>>(), ["new", "again"]);
    assert!(ends.iter().all(|end| end.callback && end.thread == caller), "{ends:?}");
    let control = stage.control.clone();
    stage.finish().await;
    let (tell, told) = channel();
    let services = vec![service("/late", Ends("late", tell))];
    let (result, _) = blocking(&control, |control| control.add_services(services)).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Closed);
    assert_eq!(told.try_iter().count(), 1);
}

#[tokio::test]
async fn handlers_that_wait_for_their_end_are_bounded() {
    let stage = Stage::with(serving).await;
    let ((tell, told), (leave, left)) = (channel(), channel::<()>());
    let left = Mutex::new(left);
    let stuck = AtEnd(move || {
        tell.send(()).unwrap();
        let _ = left.lock().recv();
    });
    let names: Vec<String> = (0..1024).map(|n| format!("/{n}")).collect();
    let services =
        std::iter::once(service("/stuck", stuck)).chain(names.iter().map(|name| service(name, ()))).collect();
    blocking(&stage.control, |control| control.add_services(services)).await.0.unwrap();
    blocking(&stage.control, |control| control.remove_services(&["/stuck"])).await.0.unwrap();
    let ((), told) = received(told).await;
    let remove =
        move |control: &Control| control.remove_services(&names.iter().map(String::as_str).collect::<Vec<_>>());
    blocking(&stage.control, remove).await.0.unwrap();
    let refused = blocking(&stage.control, |control| control.add_services(vec![service("/s", ())])).await.0;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Timeout);
    leave.send(()).unwrap();
    drop(told);
    let accepted = |control: &Control| {
        let deadline = Instant::now() + LONG;
        while control.add_services(vec![service("/s", ())]).is_err() {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
    };
    blocking(&stage.control, accepted).await;
    stage.finish().await;
}

/// S-42: the session goes on ending by itself.
#[tokio::test]
async fn the_last_handle_of_a_session_may_be_its_own_handlers() {
    let (server, log) = (MemoryServer::new(), Arc::new(Log::default()));
    let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
    direct.connector = Some(server.connector());
    let ((tell, told), (go_on, may)) = (channel(), channel::<()>());
    let own = Arc::<OnceLock<Arc<Session>>>::default();
    let (mut held, may) = (Some(own.clone()), Mutex::new(may));
    let last = AtEnd(move || {
        let _ = may.lock().recv();
        let session = held.take().and_then(Arc::into_inner).and_then(OnceLock::into_inner).and_then(Arc::into_inner);
        let was_last = session.is_some();
        drop(session);
        tell.send(was_last).unwrap();
    });
    let mut options = SessionOptions { listener: Some(log.clone()), ..Default::default() };
    serving(&mut options);
    options.services = vec![service("/s", last)];
    let session = Arc::new(Session::start(&Context::new(), options, direct).unwrap());
    own.set(session.clone()).unwrap_or_else(|_| unreachable!("set once"));
    drop(own);
    log.wait("status connected").await;
    tokio::task::spawn_blocking(move || session.remove_services(&["/s"])).await.unwrap().unwrap();
    go_on.send(()).unwrap();
    assert!(received(told).await.0, "it held the last one, and came back");
    log.wait("status shutdown").await;
}

#[tokio::test]
async fn a_token_callback_ends_as_a_callback_too_and_before_the_session() {
    let server = MemoryServer::new();
    let token = server.token("yard", "robot").build();
    let (tell, told) = channel();
    let ends = Ends("token", tell);
    let callback = move || {
        let _ = &ends;
        Ok(token.clone())
    };
    let mut direct = DirectOptions::new("memory://", TokenSource::Callback(Arc::new(callback)));
    direct.connector = Some(server.connector());
    let log = Arc::new(Log::default());
    let options = SessionOptions { listener: Some(log.clone()), ..Default::default() };
    let session = Session::start(&Context::new(), options, direct).unwrap();
    log.wait("status connected").await;
    tokio::task::spawn_blocking(move || drop(session)).await.unwrap();
    let ends: Vec<(&str, bool)> = told.try_iter().map(|end| (end.what, end.callback)).collect();
    assert_eq!(ends, [("token", true)]);
}
