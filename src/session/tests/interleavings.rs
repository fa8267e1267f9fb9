//! Every order in which callers and the owner can meet in the mailbox, as far as loom's bound on preemptions goes
//! (`scripts/test-loom.sh`, where the mailbox has room for one call). A wake-up that is lost shows as a deadlock.

use loom::future::block_on;
use loom::thread;

use super::*;
use crate::session::inputs::{Call, Inputs};

fn far() -> std::time::Instant {
    std::time::Instant::now() + Duration::from_secs(3600)
}

#[test]
fn loom_every_call_reaches_the_owner_however_full_the_mailbox_is() {
    loom::model(|| {
        let inputs = Arc::<Inputs>::default();
        let callers = [inputs.clone(), inputs.clone()]
            .map(|inputs| thread::spawn(move || inputs.call(Call::Finish, far()).unwrap()));
        let mut calls = 0;
        while calls < 2 {
            block_on(inputs.wait());
            calls += inputs.take().calls.len();
        }
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn loom_a_caller_that_waits_for_room_learns_that_the_session_is_closed() {
    loom::model(|| {
        let inputs = Arc::<Inputs>::default();
        inputs.call(Call::Finish, far()).unwrap();
        let caller = inputs.clone();
        let caller = thread::spawn(move || caller.call(Call::Finish, far()));
        inputs.close();
        assert_eq!(caller.join().unwrap().unwrap_err().kind, ErrorKind::Closed);
        assert!(inputs.take().calls.is_empty());
    });
}

#[test]
fn loom_posts_of_several_threads_wake_the_owner() {
    loom::model(|| {
        let inputs = Arc::<Inputs>::default();
        let posters = [inputs.clone(), inputs.clone()].map(|inputs| thread::spawn(move || inputs.post(Call::Finish)));
        let mut calls = 0;
        while calls < 2 {
            block_on(inputs.wait());
            calls += inputs.take().calls.len();
        }
        posters.into_iter().for_each(|poster| poster.join().unwrap());
    });
}
