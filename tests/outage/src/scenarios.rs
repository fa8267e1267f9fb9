//! What happens to the link, and how long it takes until viewers get data again.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::sleep;

use crate::clock::unix_ns;
use crate::net::{Loss, Path};
use crate::robot::Command;
use crate::stage::Stage;

/// When the fault began and ended, nanoseconds since the Unix epoch.
pub(crate) struct Fault {
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

type Run = for<'a> fn(&'a mut Stage) -> Pin<Box<dyn Future<Output = Fault> + Send + 'a>>;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is done, for the table.
    pub(crate) what: &'static str,
    pub(crate) path: Path,
    /// Data comes again within this time of the fault's end.
    pub(crate) back: Duration,
    pub(crate) run: Run,
}

/// A subscribed viewer gets data again within this time of the link's return (issue 5).
const BACK: Duration = seconds(10);
/// Where nothing returns, the other way has to be found first: 15 s until the library gives the old one up, then 3 s.
const NO_RETURN: Duration = seconds(20);

const FAR: Path = Path::Far { delay: Duration::from_millis(30), jitter: Duration::from_millis(10) };

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

async fn silent(stage: &mut Stage, loss: Loss, time: Duration) -> Fault {
    let began = unix_ns();
    stage.net.lose(loss).expect("packets are lost");
    sleep(time).await;
    stage.net.lose(Loss::None).expect("packets are not lost any more");
    Fault { began, ended: unix_ns() }
}

async fn device_down(stage: &mut Stage, time: Duration) -> Fault {
    let began = unix_ns();
    stage.net.set_device(false).expect("the device goes down");
    sleep(time).await;
    stage.net.set_device(true).expect("the device comes up");
    Fault { began, ended: unix_ns() }
}

async fn killed(stage: &mut Stage, time: Duration) -> Fault {
    let began = unix_ns();
    tokio::task::block_in_place(|| stage.server.restart(time));
    Fault { began, ended: unix_ns() }
}

async fn frozen(stage: &mut Stage, time: Duration) -> Fault {
    let began = unix_ns();
    stage.server.freeze();
    sleep(time).await;
    stage.server.thaw();
    Fault { began, ended: unix_ns() }
}

/// The robot's program is started again while nobody answers, and tries for `time`.
async fn early(stage: &mut Stage, time: Duration, absent: bool) -> Fault {
    let began = unix_ns();
    if absent {
        stage.server.kill();
        stage.restart_robot();
        tokio::task::block_in_place(|| stage.server.restart(time));
    } else {
        stage.server.freeze();
        stage.restart_robot();
        sleep(time).await;
        stage.server.thaw();
    }
    Fault { began, ended: unix_ns() }
}

/// Under a condition that lasts, data comes; then a cut on top of it.
async fn under(stage: &mut Stage, time: Duration) -> Fault {
    stage.expect_data().await;
    sleep(time).await;
    silent(stage, Loss::All, seconds(5)).await
}

async fn lossy(stage: &mut Stage, percent: u32) -> Fault {
    let began = unix_ns();
    stage.net.lose(Loss::Percent(percent)).expect("packets are lost");
    sleep(seconds(20)).await;
    stage.expect_data().await;
    stage.net.lose(Loss::All).expect("packets are lost");
    sleep(seconds(5)).await;
    // The link is back, as bad as before.
    stage.net.lose(Loss::Percent(percent)).expect("packets are lost");
    Fault { began, ended: unix_ns() }
}

/// All scenarios, short ones first.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "silent-5s",
        what: "every packet lost silently for 5 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(silent(stage, Loss::All, seconds(5))),
    },
    Scenario {
        name: "silent-30s",
        what: "every packet lost silently for 30 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(silent(stage, Loss::All, seconds(30))),
    },
    Scenario {
        name: "silent-120s",
        what: "every packet lost silently for 120 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(silent(stage, Loss::All, seconds(120))),
    },
    Scenario {
        name: "signal-30s",
        what: "the signal connection alone lost silently for 30 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(silent(stage, Loss::Signal, seconds(30))),
    },
    Scenario {
        name: "reset",
        what: "the signal connection reset",
        path: Path::Cable,
        back: BACK,
        // It meets the next packet, and those come every few seconds.
        run: |stage| Box::pin(silent(stage, Loss::Reset, seconds(12))),
    },
    Scenario {
        name: "resets",
        what: "the signal connection reset six times in a minute",
        path: Path::Cable,
        back: BACK,
        run: |stage| {
            Box::pin(async {
                let mut fault = silent(stage, Loss::Reset, seconds(10)).await;
                for _ in 1..6 {
                    fault.ended = silent(stage, Loss::Reset, seconds(10)).await.ended;
                }
                fault
            })
        },
    },
    Scenario {
        name: "media-30s",
        what: "everything but the signal connection lost silently for 30 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(silent(stage, Loss::Media, seconds(30))),
    },
    Scenario {
        name: "down-5s",
        what: "the robot's device down for 5 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(device_down(stage, seconds(5))),
    },
    Scenario {
        name: "down-30s",
        what: "the robot's device down for 30 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(device_down(stage, seconds(30))),
    },
    Scenario {
        name: "moved",
        what: "the robot's host gets another address",
        path: Path::Cable,
        back: BACK,
        run: |stage| {
            Box::pin(async {
                let began = unix_ns();
                stage.net.move_robot().expect("the robot's host moves");
                Fault { began, ended: unix_ns() }
            })
        },
    },
    Scenario {
        name: "no-udp",
        what: "UDP lost for good; the server's TCP port is left",
        path: Path::Cable,
        back: NO_RETURN,
        run: |stage| {
            Box::pin(async {
                let began = unix_ns();
                stage.net.lose(Loss::Udp).expect("packets are lost");
                Fault { began, ended: unix_ns() }
            })
        },
    },
    Scenario {
        name: "killed-1s",
        what: "server killed, back after 1 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(killed(stage, seconds(1))),
    },
    Scenario {
        name: "killed-30s",
        what: "server killed, back after 30 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(killed(stage, seconds(30))),
    },
    Scenario {
        name: "frozen-5s",
        what: "server frozen (SIGSTOP) for 5 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(frozen(stage, seconds(5))),
    },
    Scenario {
        name: "frozen-30s",
        what: "server frozen (SIGSTOP) for 30 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(frozen(stage, seconds(30))),
    },
    Scenario {
        name: "frozen-120s",
        what: "server frozen (SIGSTOP) for 120 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(frozen(stage, seconds(120))),
    },
    Scenario {
        name: "early-absent",
        what: "the robot's program starts 30 s before its server",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(early(stage, seconds(30), true)),
    },
    Scenario {
        name: "early-frozen",
        what: "the robot's program starts at a frozen server (SIGSTOP), which goes on after 30 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(early(stage, seconds(30), false)),
    },
    Scenario {
        name: "loss-2",
        what: "2 % of all packets lost for 20 s, then all of them for 5 s, then 2 % again",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(lossy(stage, 2)),
    },
    Scenario {
        name: "loss-10",
        what: "10 % of all packets lost for 20 s, then all of them for 5 s, then 10 % again",
        path: Path::Cable,
        back: BACK,
        run: |stage| Box::pin(lossy(stage, 10)),
    },
    Scenario {
        name: "far",
        what: "30 ms ± 10 ms each way; every packet lost for 5 s",
        path: FAR,
        back: BACK,
        run: |stage| Box::pin(under(stage, seconds(10))),
    },
    Scenario {
        name: "narrow",
        what: "15 Mbit/s up, 8 Mbit/s of it used; every packet lost for 5 s",
        path: Path::Cable,
        back: BACK,
        run: |stage| {
            Box::pin(async {
                stage.net.limit_uplink(15).expect("a limited uplink");
                // To two viewers: 2 x 16 KiB x 30 Hz = 8 Mbit/s.
                stage.robot.tell(&Command::Load { bytes: 16 << 10, hz: 30 }).await;
                under(stage, seconds(10)).await
            })
        },
    },
];
