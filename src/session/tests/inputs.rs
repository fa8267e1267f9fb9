//! The owner's mailbox: bounded, with callers that wait for room (design.md decision 9).

use super::*;

use std::sync::atomic::AtomicBool;

use crate::session::inputs::{Call, Inputs};

fn call() -> Call {
    Call::Core(Input::Tick, None)
}

fn full() -> Arc<Inputs> {
    let inputs = Arc::<Inputs>::default();
    for _ in 0..1024 {
        inputs.call(call(), Instant::now()).unwrap();
    }
    inputs
}

#[test]
fn a_full_mailbox_makes_callers_wait_until_their_deadline() {
    let inputs = full();
    let before = Instant::now();
    let error = inputs.call(call(), Instant::now() + Duration::from_millis(30)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(before.elapsed() >= Duration::from_millis(30));
    assert_eq!(inputs.take().calls.len(), 1024, "the one that gave up is not among them");
}

#[test]
fn a_caller_that_waits_goes_on_when_the_owner_has_looked() {
    let inputs = full();
    let waiter = inputs.clone();
    let caller = std::thread::spawn(move || waiter.call(call(), Instant::now() + Duration::from_secs(60)));
    let mut taken = inputs.take().calls.len();
    // The caller may have come before the look or after it.
    while taken < 1025 {
        std::thread::yield_now();
        taken += inputs.take().calls.len();
    }
    assert_eq!(caller.join().unwrap(), Ok(()));
}

/// S-269.
#[test]
fn the_gateway_never_waits_and_nobody_waits_for_a_closed_session() {
    let inputs = full();
    inputs.post(Call::Finish);
    let waiter = inputs.clone();
    let caller = std::thread::spawn(move || waiter.call(call(), Instant::now() + Duration::from_secs(60)));
    inputs.close();
    assert_eq!(caller.join().unwrap().unwrap_err().kind, ErrorKind::Closed);
    assert_eq!(inputs.call(call(), Instant::now()).unwrap_err().kind, ErrorKind::Closed);
    assert!(inputs.take().calls.is_empty());
    let asked = inputs.ask(Call::Stats, Duration::from_secs(60));
    assert_eq!(asked.unwrap_err().kind, ErrorKind::Closed);
}

/// Decision 6: no lock of ours is held while something of the application ends.
#[test]
fn what_a_closed_mailbox_still_held_may_use_it_when_it_ends() {
    struct Caller(Arc<Inputs>, std::sync::mpsc::Sender<Error>);
    impl Drop for Caller {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.call(call(), Instant::now()).unwrap_err());
        }
    }
    let inputs = Arc::<Inputs>::default();
    let (tell, told) = std::sync::mpsc::channel();
    let caller = Caller(inputs.clone(), tell);
    let service = Service::new("/s", "t", move |_, _| {
        let _ = &caller;
    });
    inputs.post(Call::Core(Input::AddServices(vec![service]), None));
    let closed = inputs.clone();
    // On a thread of its own, for a deadlock would be for ever.
    std::thread::spawn(move || closed.close());
    let error = told.recv_timeout(Duration::from_secs(60)).expect("close lets go of its lock");
    assert_eq!(error.kind, ErrorKind::Closed);
}

/// Posts a call that posts itself again, until `others_ran` or so many times. Answers how many were left.
fn again(inputs: Arc<Inputs>, others_ran: Arc<AtomicBool>, left: usize, done: oneshot::Sender<usize>) {
    let next = inputs.clone();
    let work = move || {
        if left == 0 || others_ran.load(Ordering::Relaxed) {
            done.send(left).unwrap();
        } else {
            again(next, others_ran, left - 1, done);
        }
    };
    inputs.post(Call::Run(Box::new(work)));
}

async fn other_tasks_run_between_calls() {
    const CALLS: usize = 20_000;
    let stage = Stage::new().await;
    let ((done, left), others_ran) = (oneshot::channel(), Arc::<AtomicBool>::default());
    let (inputs, other) = (stage.control.inputs.clone(), others_ran.clone());
    // Woken by the owner itself, while it runs: its own worker keeps such a task.
    let first = move || {
        tokio::spawn(async move { other.store(true, Ordering::Relaxed) });
        again(inputs, others_ran, CALLS, done);
    };
    stage.control.inputs.post(Call::Run(Box::new(first)));
    let calls = CALLS - left.await.unwrap();
    assert!(calls <= 1000, "{calls} calls came first");
    stage.finish().await;
}

#[tokio::test]
async fn calls_without_end_do_not_starve_other_tasks() {
    other_tasks_run_between_calls().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn calls_without_end_do_not_starve_other_tasks_of_a_worker() {
    other_tasks_run_between_calls().await;
}
