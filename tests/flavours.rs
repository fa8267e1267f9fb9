//! Handlers that return their answers, blocking and asynchronous, and the session's calls for async callers: over the
//! memory room, in real time.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use telelink::context::Context;
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::room::memory::MemoryServer;
use telelink::room::{JoinRequest, RoomOptions};
use telelink::session::{
    blocking_assets, future_assets, AssetFolder, AssetHandler, ConnectionGraph, ErrorKind, Service, SessionCapability,
    SessionOptions,
};
use telelink_viewer_client::{Viewer, ViewerError, ViewerOptions};

/// How long any single expected thing may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);
const DROPPED: &str = "Internal server error: service failed to send a response";

/// A robot in the room of a server of its own.
struct Robot {
    server: Arc<MemoryServer>,
    session: Arc<Session>,
}

impl Robot {
    fn start(change: impl FnOnce(&mut SessionOptions)) -> Self {
        let server = MemoryServer::new();
        let mut options = SessionOptions { supported_encodings: vec!["json".into()], ..SessionOptions::default() };
        options.capabilities = vec![SessionCapability::Services];
        change(&mut options);
        let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
        direct.connector = Some(server.connector());
        let session = Arc::new(Session::start(&Context::new(), options, direct).unwrap());
        Self { server, session }
    }

    fn with_services(services: Vec<Service>) -> Self {
        Self::start(|options| options.services = services)
    }

    fn with_assets(handler: AssetHandler) -> Self {
        Self::start(|options| options.asset_handler = Some(handler))
    }

    /// A viewer that knows `services` of the robot's services.
    async fn viewer(&self, identity: &str, services: usize) -> Viewer {
        let token = self.server.token("yard", identity).attribute("protocolVersion", "2.3.0").build();
        let request = JoinRequest { url: "memory://".into(), token, options: RoomOptions::default() };
        let viewer = Viewer::join(self.server.connector(), request, ViewerOptions::default()).await.unwrap();
        viewer.ready(LIMIT).await.unwrap();
        viewer.wait_until("the services", LIMIT, |picture, _| picture.services().len() == services).await.unwrap();
        viewer
    }
}

/// The payload of the answer, or the text of the failure.
async fn call(viewer: &Viewer, service: &str, payload: &'static str) -> Result<String, String> {
    match viewer.call_service(service, "json", payload, LIMIT).await {
        Ok(reply) => Ok(String::from_utf8(reply.payload.to_vec()).unwrap()),
        Err(ViewerError::Declined(text)) => Err(text),
        Err(error) => panic!("{service}: {error}"),
    }
}

async fn fetch(viewer: &Viewer, uri: &str) -> Result<String, String> {
    match viewer.fetch_asset(uri, LIMIT).await {
        Ok(data) => Ok(String::from_utf8(data.to_vec()).unwrap()),
        Err(ViewerError::Declined(text)) => Err(text),
        Err(error) => panic!("{uri}: {error}"),
    }
}

/// Waits for another thread without blocking this one.
async fn heard<T: Send + 'static>(receiver: mpsc::Receiver<T>) -> T {
    tokio::task::spawn_blocking(move || receiver.recv_timeout(LIMIT).unwrap()).await.unwrap()
}

#[tokio::test]
async fn s_199_handlers_return_their_answers() {
    let robot = Robot::with_services(vec![
        Service::blocking("/blocking", "", |request| match request.payload.as_ref() {
            b"bad" => Err(format!("{} says no", request.service)),
            _ => Ok(request.payload),
        }),
        Service::future("/future", "", |request| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            match request.payload.as_ref() {
                b"bad" => Err(std::io::Error::other("out of order")),
                other => Ok(other.to_vec()),
            }
        }),
    ]);
    let viewer = robot.viewer("ann", 2).await;
    assert_eq!(call(&viewer, "/blocking", "[1]").await, Ok("[1]".into()));
    assert_eq!(call(&viewer, "/blocking", "bad").await, Err("/blocking says no".into()));
    assert_eq!(call(&viewer, "/future", "[2]").await, Ok("[2]".into()));
    assert_eq!(call(&viewer, "/future", "bad").await, Err("out of order".into()));
}

#[tokio::test]
async fn s_199_each_future_is_a_task_of_its_own() {
    // All 32 wait for each other, which 24 threads of one viewer could not.
    let barrier = Arc::new(tokio::sync::Barrier::new(32));
    let robot = Robot::with_services(vec![Service::future("/meet", "", move |_| {
        let barrier = barrier.clone();
        async move {
            barrier.wait().await;
            Ok::<_, String>("met")
        }
    })]);
    let viewer = robot.viewer("ann", 1).await;
    let calls = (0..32).map(|_| call(&viewer, "/meet", ""));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer, Ok("met".into()));
    }
}

#[tokio::test]
async fn s_267_a_future_that_panics_is_counted_and_answered_for() {
    let robot = Robot::with_services(vec![
        Service::future("/later", "", |request| async move {
            tokio::task::yield_now().await;
            assert!(!request.payload.is_empty(), "a bug of the application");
            Ok::<_, String>("")
        }),
        Service::future("/at-once", "", |request| {
            assert!(request.payload.is_empty(), "a bug before there is a future");
            std::future::ready(Ok::<_, String>("fine"))
        }),
    ]);
    let viewer = robot.viewer("ann", 2).await;
    assert_eq!(call(&viewer, "/later", "").await, Err(DROPPED.into()));
    assert_eq!(call(&viewer, "/at-once", "x").await, Err(DROPPED.into()));
    assert_eq!(call(&viewer, "/at-once", "").await, Ok("fine".into()));
    // The answer goes out while the panic unwinds, and the count follows.
    let counted = async {
        while robot.session.stats_async().await.unwrap().callback_panics < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, counted).await.expect("both are counted");
    assert_eq!(robot.session.stats_async().await.unwrap().callback_panics, 2);
}

/// Says when it is dropped.
struct Guard(mpsc::Sender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn futures_end_with_their_session_and_before_it() {
    let ((begin, begun), (end, ended)) = (mpsc::channel(), mpsc::channel());
    let robot = Robot::with_services(vec![Service::future("/for-ever", "", move |_| {
        let (begin, guard) = (begin.clone(), Guard(end.clone()));
        async move {
            begin.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(guard);
            Ok::<_, String>("")
        }
    })]);
    let viewer = robot.viewer("ann", 1).await;
    let waiting = tokio::spawn(async move { call(&viewer, "/for-ever", "").await });
    heard(begun).await;
    assert!(ended.try_recv().is_err());
    let Robot { server, session } = robot;
    tokio::task::spawn_blocking(move || drop(session)).await.unwrap();
    assert_eq!(ended.try_recv(), Ok(()), "dropped before the session's end was over");
    waiting.abort();
    drop(server);
}

#[tokio::test]
async fn a_future_may_drop_its_own_session() {
    let own = Arc::new(Mutex::new(None::<Arc<Session>>));
    let (done, dropped) = mpsc::channel();
    let inside = own.clone();
    let robot = Robot::with_services(vec![Service::future("/drop", "", move |_| {
        let (own, done) = (inside.clone(), done.clone());
        async move {
            let session = own.lock().take().expect("called once");
            done.send(Arc::strong_count(&session)).unwrap();
            drop(session);
            std::future::pending::<Result<&str, String>>().await
        }
    })]);
    let viewer = robot.viewer("ann", 1).await;
    let weak = Arc::downgrade(&robot.session);
    *own.lock() = Some(robot.session);
    let calling = tokio::spawn(async move { call(&viewer, "/drop", "").await });
    assert_eq!(heard(dropped).await, 1);
    assert!(weak.upgrade().is_none());
    calling.abort();
}

#[tokio::test]
async fn futures_that_block_stop_nobody_else() {
    let ((begin, begun), (go, gate)) = (mpsc::channel(), mpsc::channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    let robot = Robot::with_services(vec![
        Service::future("/blocks", "", move |_| {
            let (begin, gate) = (begin.clone(), gate.clone());
            async move {
                begin.send(()).unwrap();
                let _ = gate.lock().recv();
                Ok::<_, String>("late")
            }
        }),
        Service::blocking("/echo", "", |request| Ok::<_, String>(request.payload)),
    ]);
    let (ann, bob) = (Arc::new(robot.viewer("ann", 2).await), robot.viewer("bob", 2).await);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let ann = ann.clone();
            tokio::spawn(async move { call(&ann, "/blocks", "").await })
        })
        .collect();
    // Both threads of futures are stuck now.
    let begun = tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            begun.recv_timeout(LIMIT).unwrap();
        }
        begun
    });
    let _begun = begun.await.unwrap();
    assert_eq!(call(&bob, "/echo", "1").await, Ok("1".into()));
    assert_eq!(call(&ann, "/echo", "2").await, Ok("2".into()));
    robot.session.add_services_async(vec![Service::new("/more", "", |_, _| {})]).await.unwrap();
    drop(go);
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok("late".into()));
    }
}

#[tokio::test]
async fn async_twins_do_what_their_calls_do() {
    let robot = Robot::start(|options| options.capabilities.push(SessionCapability::ConnectionGraph));
    let session = &robot.session;
    let service = |name: &str| Service::blocking(name, "", |_| Ok::<_, String>("ok"));
    session.add_services_async(vec![service("/a"), service("/b")]).await.unwrap();
    let twice = session.add_services_async(vec![service("/c"), service("/a")]).await.unwrap_err();
    assert_eq!((twice.kind, twice.message.as_str()), (ErrorKind::Duplicate, "service /a exists already"));
    let viewer = robot.viewer("ann", 2).await;
    assert_eq!(call(&viewer, "/b", "").await, Ok("ok".into()));
    session.remove_services_async(&["/b", "/unknown"]).await.unwrap();
    viewer.wait_until("one service", LIMIT, |picture, _| picture.services().len() == 1).await.unwrap();
    let mut graph = ConnectionGraph::new();
    graph.set_published_topic("/scan", ["lidar"]);
    session.publish_connection_graph_async(graph.clone()).await.unwrap();
    viewer.subscribe_graph().unwrap();
    let shown = |picture: &telelink_viewer_client::Picture| picture.graph().published == *graph.published_topics();
    viewer.wait_until("the graph", LIMIT, |picture, _| shown(picture)).await.unwrap();
    let stats = session.stats_async().await.unwrap();
    assert_eq!(stats.viewers.len(), 1);
    let id = stats.viewers[0].client.id.get();
    assert_eq!(session.client_async(id).await.unwrap().unwrap().identity.as_str(), "ann");
    assert!(session.client_async(id + 1000).await.unwrap().is_none());
    session.close_async(LIMIT).await.unwrap();
    assert_eq!(session.add_services_async(vec![service("/d")]).await.unwrap_err().kind, ErrorKind::Closed);
    assert_eq!(session.stats_async().await.unwrap_err().kind, ErrorKind::Closed);
}

/// An executor that is not tokio's.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            return value;
        }
        std::thread::park_timeout(LIMIT);
    }
}

#[test]
fn async_twins_need_no_runtime_of_the_caller() {
    let robot = Robot::start(|_| {});
    block_on(robot.session.add_services_async(vec![Service::new("/a", "", |_, _| {})])).unwrap();
    block_on(robot.session.close_async(LIMIT)).unwrap();
}

#[tokio::test]
async fn s_218_asset_handlers_return_their_answers() {
    let blocking = Robot::with_assets(blocking_assets(|request| match request.uri.as_str() {
        "good" => Ok("data"),
        _ => Err("not found"),
    }));
    let future = Robot::with_assets(future_assets(|request| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        match request.uri.as_str() {
            "good" => Ok(format!("for {}", request.client.identity.as_str())),
            "panic" => panic!("a bug of the application"),
            _ => Err("not found"),
        }
    }));
    let viewer = blocking.viewer("ann", 0).await;
    assert_eq!(fetch(&viewer, "good").await, Ok("data".into()));
    assert_eq!(fetch(&viewer, "bad").await, Err("not found".into()));
    let viewer = future.viewer("ann", 0).await;
    assert_eq!(fetch(&viewer, "good").await, Ok("for ann".into()));
    assert_eq!(fetch(&viewer, "bad").await, Err("not found".into()));
    let dropped = "Internal server error: asset handler failed to send a response";
    assert_eq!(fetch(&viewer, "panic").await, Err(dropped.into()));
}

#[tokio::test]
async fn s_219_an_asset_folder_serves_files_and_hands_on_the_rest() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let folder = || AssetFolder::new().package("telelink", sources).extensions(["rs"]);
    let other = future_assets(|request| async move { Ok::<_, String>(format!("elsewhere: {}", request.uri)) });
    let robot = Robot::with_assets(folder().otherwise(other).handler().unwrap());
    let viewer = robot.viewer("ann", 0).await;
    let lib = std::fs::read_to_string(format!("{sources}/lib.rs")).unwrap();
    assert_eq!(fetch(&viewer, "package://telelink/lib.rs").await, Ok(lib));
    assert_eq!(fetch(&viewer, "package://other/lib.rs").await, Ok("elsewhere: package://other/lib.rs".into()));
    assert_eq!(fetch(&viewer, "https://example.org").await, Ok("elsewhere: https://example.org".into()));
    assert_eq!(fetch(&viewer, "package://telelink/no.rs").await, Err("there is no such file".into()));

    let robot = Robot::with_assets(folder().handler().unwrap());
    let viewer = robot.viewer("ann", 0).await;
    let unknown = "the robot serves no package of that name";
    assert_eq!(fetch(&viewer, "package://other/lib.rs").await, Err(unknown.into()));
}
