//! The handler pool: fair over viewers, bounded, survives panics.

use std::sync::mpsc::{channel, Receiver, Sender};

use super::*;
use crate::session::handlers::{Lane, QUESTIONS};

const SECOND: Duration = Duration::from_secs(60);

fn pool() -> (Arc<HandlerPool>, Arc<AtomicU64>) {
    let panics = Arc::<AtomicU64>::default();
    (HandlerPool::new(panics.clone()), panics)
}

/// A job that says it runs and then waits until the test drops the other end of `gate`.
fn blocking(name: u32, started: &Sender<u32>, gate: &Arc<Mutex<Receiver<()>>>) -> Box<dyn FnOnce() + Send> {
    let (started, gate) = (started.clone(), gate.clone());
    Box::new(move || {
        started.send(name).unwrap();
        let _ = gate.lock().recv();
    })
}

#[test]
fn one_viewer_cannot_take_all_threads() {
    let (pool, _) = pool();
    let ((started, runs), (open, gate)) = (channel(), channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    for n in 0..32 {
        pool.submit(ClientId(1), Lane::Parallel, blocking(n, &started, &gate));
    }
    for _ in 0..24 {
        runs.recv_timeout(SECOND).unwrap();
    }
    pool.submit(ClientId(2), Lane::Parallel, blocking(1000, &started, &gate));
    assert_eq!(runs.recv_timeout(SECOND).unwrap(), 1000, "the other viewer is served at once");
    drop(open);
    let rest: Vec<u32> = (0..8).map(|_| runs.recv_timeout(SECOND).unwrap()).collect();
    assert!(rest.iter().all(|n| *n < 32), "and then the first one's others");
    pool.close();
    pool.wait_idle();
}

#[test]
fn waiting_requests_are_taken_one_per_viewer_in_turn() {
    let (pool, _) = pool();
    let ((started, runs), (open, gate)) = (channel(), channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    // All threads are busy, by two viewers.
    for n in 0..32 {
        pool.submit(ClientId(8 + n % 2), Lane::Parallel, blocking(n, &started, &gate));
    }
    for _ in 0..32 {
        runs.recv_timeout(SECOND).unwrap();
    }
    let (done, order) = channel();
    let done = Arc::new(Mutex::new(done));
    for (client, count) in [(1, 4), (2, 2), (3, 1)] {
        for n in 0..count {
            let done = done.clone();
            pool.submit(ClientId(client), Lane::Parallel, Box::new(move || done.lock().send((client, n)).unwrap()));
        }
    }
    // One thread becomes free and takes them all, one after another.
    open.send(()).unwrap();
    let order: Vec<_> = (0..7).map(|_| order.recv_timeout(SECOND).unwrap()).collect();
    assert_eq!(order, [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2), (1, 3)]);
    drop(open);
    pool.close();
    pool.wait_idle();
}

#[test]
fn s_128_questions_about_rights_find_a_thread_when_all_handlers_block() {
    let (pool, _) = pool();
    let ((started, runs), (open, gate)) = (channel(), channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    for n in 0..40 {
        pool.submit(ClientId(8 + n % 2), Lane::Parallel, blocking(n, &started, &gate));
    }
    for _ in 0..32 {
        runs.recv_timeout(SECOND).unwrap();
    }
    pool.submit(QUESTIONS, Lane::Parallel, blocking(1000, &started, &gate));
    pool.submit(QUESTIONS, Lane::Parallel, blocking(1001, &started, &gate));
    let questions = [runs.recv_timeout(SECOND).unwrap(), runs.recv_timeout(SECOND).unwrap()];
    assert_eq!(questions.map(|n| n >= 1000), [true; 2], "{questions:?}: their threads are for them alone");
    drop(open);
    for _ in 0..8 {
        runs.recv_timeout(SECOND).unwrap();
    }
    pool.close();
    pool.wait_idle();
}

#[test]
fn a_panic_is_counted_and_its_thread_goes_on() {
    let (pool, panics) = pool();
    let (done, ran) = channel();
    for n in 0..40u32 {
        let done = done.clone();
        pool.submit(
            ClientId(1),
            Lane::Parallel,
            Box::new(move || {
                done.send(n).unwrap();
                panic!("a bug of the application");
            }),
        );
    }
    let mut all: Vec<u32> = (0..40).map(|_| ran.recv_timeout(SECOND).unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..40).collect::<Vec<_>>());
    pool.close();
    pool.wait_idle();
    assert_eq!(panics.load(Ordering::Relaxed), 40);
}

#[test]
fn a_closed_pool_drops_what_has_not_started() {
    let (pool, _) = pool();
    pool.close();
    struct Answered(Sender<&'static str>);
    impl Drop for Answered {
        fn drop(&mut self) {
            self.0.send("dropped").unwrap();
        }
    }
    let (tx, rx) = channel();
    let responder = Answered(tx);
    pool.submit(
        ClientId(1),
        Lane::Parallel,
        Box::new(move || {
            let _responder = responder;
            unreachable!("a closed pool runs nothing");
        }),
    );
    assert_eq!(rx.recv_timeout(SECOND).unwrap(), "dropped");
    pool.wait_idle();
}

/// S-262.
#[test]
fn the_ordered_lane_of_a_viewer_runs_one_at_a_time_and_others_beside_it() {
    let (pool, _) = pool();
    let ((started, runs), (open, gate)) = (channel(), channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    for n in 0..5 {
        pool.submit(ClientId(1), Lane::InOrder, blocking(n, &started, &gate));
    }
    pool.submit(ClientId(2), Lane::InOrder, blocking(100, &started, &gate));
    pool.submit(ClientId(1), Lane::Parallel, blocking(50, &started, &gate));
    let mut first: Vec<u32> = (0..3).map(|_| runs.recv_timeout(SECOND).unwrap()).collect();
    first.sort_unstable();
    assert_eq!(first, [0, 50, 100], "the first of each lane; the others wait for it");
    drop(open);
    let rest: Vec<u32> = (0..4).map(|_| runs.recv_timeout(SECOND).unwrap()).collect();
    assert_eq!(rest, [1, 2, 3, 4]);
    pool.close();
    pool.wait_idle();
}

#[test]
fn a_paused_viewer_waits_and_a_forgotten_one_is_dropped() {
    let (pool, _) = pool();
    let (done, runs) = channel();
    let job = |n: u32| {
        let done = done.clone();
        Box::new(move || done.send(n).unwrap())
    };
    pool.pause(ClientId(1));
    pool.pause(ClientId(2));
    for n in 0..3 {
        pool.submit(ClientId(1), Lane::Parallel, job(n));
        pool.submit(ClientId(2), Lane::Parallel, job(10 + n));
    }
    pool.submit(ClientId(3), Lane::Parallel, job(99));
    assert_eq!(runs.recv_timeout(SECOND).unwrap(), 99, "others go on");
    pool.forget(ClientId(2));
    pool.resume(ClientId(2));
    pool.resume(ClientId(1));
    let mut ran: Vec<u32> = (0..3).map(|_| runs.recv_timeout(SECOND).unwrap()).collect();
    ran.sort_unstable();
    assert_eq!(ran, [0, 1, 2]);
    pool.close();
    pool.wait_idle();
    assert!(runs.try_recv().is_err(), "nothing of the viewer that left");
}

#[test]
fn s_202_requests_whose_time_is_over_do_not_pile_up() {
    let (pool, _) = pool();
    let ((started, runs), (open, gate)) = (channel(), channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    for n in 0..24 {
        pool.submit(ClientId(1), Lane::Parallel, blocking(n, &started, &gate));
    }
    for _ in 0..24 {
        runs.recv_timeout(SECOND).unwrap();
    }
    // Their time is over, the slots are free, and the viewer asks again and again.
    for n in 24..1024 {
        pool.submit(ClientId(1), Lane::Parallel, blocking(n, &started, &gate));
    }
    drop(open);
    let rest: Vec<u32> = (0..64).map(|_| runs.recv_timeout(SECOND).unwrap()).collect();
    assert!(rest.iter().all(|n| (24..88).contains(n)), "the first ones wait, later ones are dropped: {rest:?}");
    drop(started);
    pool.close();
    pool.wait_idle();
    assert!(runs.recv_timeout(SECOND).is_err(), "and nothing is left of them");
}

#[test]
fn destructors_run_one_at_a_time_beside_blocked_handlers_and_all_before_the_end() {
    let (pool, panics) = pool();
    let ((started, runs), (open, gate)) = (channel(), channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    for n in 0..32 {
        pool.submit(ClientId(1 + n / 16), Lane::Parallel, blocking(n, &started, &gate));
        runs.recv_timeout(SECOND).unwrap();
    }
    let ((entered, enters), (leave, left)) = (channel(), channel::<()>());
    pool.destroy(Box::new(move || {
        entered.send(crate::threads::on_callback_thread()).unwrap();
        left.recv().unwrap();
        panic!("a bug of the application");
    }));
    assert!(enters.recv_timeout(SECOND).unwrap(), "the handlers all block, and it runs, as a callback");
    for n in 100..103 {
        let started = started.clone();
        pool.destroy(Box::new(move || started.send(n).unwrap()));
    }
    pool.close();
    let late = started.clone();
    pool.destroy(Box::new(move || late.send(103).unwrap()));
    assert!(runs.try_recv().is_err(), "the first one has not returned");
    leave.send(()).unwrap();
    drop(open);
    pool.wait_idle();
    assert_eq!(runs.try_iter().collect::<Vec<_>>(), [100, 101, 102, 103]);
    assert_eq!(panics.load(Ordering::Relaxed), 1);
    // After the end, where it arises.
    let test = std::thread::current().id();
    let (tell, told) = channel();
    pool.destroy(Box::new(move || tell.send(std::thread::current().id()).unwrap()));
    assert_eq!(told.try_recv(), Ok(test));
}
