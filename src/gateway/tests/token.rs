//! The token callback: one question at a time, none after a stop, and the end waits for it (S-13, S-45).

use std::sync::mpsc::{channel, Receiver, Sender};

use super::*;
use crate::gateway::Session;

/// A token callback that stands still in its first question until the test lets it go on.
struct Stuck {
    source: TokenSource,
    go: Sender<()>,
    asked: Arc<AtomicUsize>,
}

fn stuck(server: &Arc<MemoryServer>, diary: &Arc<Diary>) -> Stuck {
    let (go, wait): (_, Receiver<()>) = channel();
    let (secret, wait) = (server.token("yard", "robot").build(), Mutex::new(Some(wait)));
    let (asked, diary) = (Arc::<AtomicUsize>::default(), diary.clone());
    let count = asked.clone();
    let source = TokenSource::Callback(Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let Some(wait) = wait.lock().take() else { return Ok(secret.clone()) };
        diary.say("asked");
        let _ = wait.recv();
        diary.say("answered");
        Err("too late".to_owned())
    }));
    Stuck { source, go, asked }
}

fn direct(server: &Arc<MemoryServer>, source: TokenSource) -> DirectOptions {
    let mut direct = DirectOptions::new("memory://", source);
    direct.connector = Some(server.connector());
    direct
}

fn options(diary: &Arc<Diary>) -> SessionOptions {
    SessionOptions { listener: Some(diary.clone()), ..Default::default() }
}

#[tokio::test]
async fn s_13_the_end_waits_for_a_running_token_callback() {
    let (server, diary) = (MemoryServer::new(), Arc::new(Diary::default()));
    let Stuck { source, go, .. } = stuck(&server, &diary);
    let session = Session::start(&Context::new(), options(&diary), direct(&server, source)).unwrap();
    // The statuses are told on another thread than the question is asked.
    diary.has("asked").await;
    let closing = tokio::task::spawn_blocking(move || {
        let closed = session.close_timeout(Duration::from_millis(200));
        (session, closed)
    });
    let (session, closed) = closing.await.unwrap();
    assert_eq!(closed.unwrap_err().kind, ErrorKind::Timeout);
    let told = diary.clone();
    let dropping = tokio::task::spawn_blocking(move || {
        drop(session);
        told.lines.lock().clone()
    });
    go.send(()).unwrap();
    let lines = dropping.await.unwrap();
    assert_eq!(lines[lines.len() - 3..], ["shutting down", "answered", "shutdown"], "{lines:?}");
}

#[tokio::test]
async fn s_13_a_stop_before_the_first_step_asks_for_no_token() {
    let (server, diary) = (MemoryServer::new(), Arc::new(Diary::default()));
    let (alive, ended) = channel::<()>();
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let source = TokenSource::Callback(Arc::new(move || {
        let _alive = &alive;
        count.fetch_add(1, Ordering::SeqCst);
        Err("asked".to_owned())
    }));
    let (control, driver) = Control::start(&Context::new(), options(&diary)).unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let gateway = tokio::spawn(Direct::new(direct(&server, source)).unwrap().run(control.clone(), stop));
    tokio::spawn(driver);
    gateway.await.unwrap();
    diary.is(&["connecting", "shutting down", "shutdown"]).await;
    // No thread holds the callback any more, so none will ask it.
    ended.recv().unwrap_err();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn s_45_a_callback_that_does_not_return_is_not_asked_again_until_it_has() {
    let (server, calls) = (MemoryServer::new(), Arc::new(Diary::default()));
    let Stuck { source, go, asked } = stuck(&server, &calls);
    let stage = Stage::on(server, |direct| direct.token = source);
    // The clock runs on while the thread waits: the limit passes, and later attempts come and fail.
    let late = "connecting (Timeout)";
    let lines = ["connecting", late, late, late];
    let texts = ["did not return within 30 s", "has not returned for more than 30 s", "for more than 60 s"];
    for (n, text) in texts.into_iter().enumerate() {
        let told = async {
            while !stage.control.last_error().is_some_and(|error| error.message.contains(text)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(300), told).await.expect(text);
        assert_eq!(stage.control.last_error().unwrap().kind, ErrorKind::Timeout);
        assert_eq!(asked.load(Ordering::SeqCst), 1, "one question at a time");
        // Each before the next: of two that a slow listener has not heard it is told the last.
        stage.diary.is(&lines[..n + 2]).await;
    }
    // A clock that stands still would run past the limit of the next question.
    tokio::time::resume();
    go.send(()).unwrap();
    stage.joins(1).await;
    calls.is(&["asked", "answered"]).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the late answer was dropped, the next one used");
    stage.diary.is(&[&lines[..], &["connected"]].concat()).await;
    stage.stop(&[&lines[..], &["connected"]].concat()).await;
}
