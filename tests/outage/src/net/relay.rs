//! A path with delay: reads packets from a TUN device on one host and writes them to one on the other, later. For tests only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// Packets under way in one direction; what comes when so many are is lost, as in any router.
const QUEUE: usize = 1024;
/// Larger than any packet of a device with the usual 1,500 bytes.
const PACKET: usize = 2048;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A process in the robot's network namespace.
    #[arg(long)]
    robot: u32,
    #[arg(long)]
    hub_device: String,
    #[arg(long)]
    robot_device: String,
    #[arg(long)]
    delay_us: u64,
    #[arg(long)]
    jitter_us: u64,
}

/// Runs until the standard input ends.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let hub = tun(&options.hub_device)?;
    let (robot, device) = (options.robot, options.robot_device.clone());
    // A namespace is a property of a thread; the descriptor made there works everywhere.
    let there = thread::spawn(move || enter(robot).and_then(|()| tun(&device)));
    let there = there.join().map_err(|_| io::Error::other("the thread in the robot's namespace panicked"))??;
    let (delay, jitter) = (Duration::from_micros(options.delay_us), Duration::from_micros(options.jitter_us));
    for (from, to) in [(hub.try_clone()?, there.try_clone()?), (there, hub)] {
        let (sender, receiver) = sync_channel(QUEUE);
        thread::spawn(move || take(from, &sender, delay, jitter));
        thread::spawn(move || give(to, &receiver));
    }
    println!("up");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn take(mut from: File, to: &SyncSender<(Instant, Vec<u8>)>, delay: Duration, jitter: Duration) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut last = Instant::now();
    let mut packet = vec![0; PACKET];
    loop {
        // A device that is down answers with an error until it is up again.
        let Ok(length) = from.read(&mut packet) else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        let spread = jitter.mul_f64(2.0 * random.unit());
        // A queue on the way does not reorder: nothing arrives before what was sent before it.
        last = last.max(Instant::now() + delay + spread - jitter.min(delay));
        let _ = to.try_send((last, packet[..length].to_vec()));
    }
}

fn give(mut to: File, from: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, packet)) = from.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // The other device may be down: then the packet is lost.
        let _ = to.write(&packet);
    }
}

/// xorshift64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Puts the calling thread into the network namespace of a process.
fn enter(process: u32) -> io::Result<()> {
    let namespace = File::open(format!("/proc/{process}/ns/net"))?;
    // SAFETY: plain numbers; the descriptor is open during the call.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes a TUN device of this name in the thread's namespace; it lives as long as the file.
fn tun(name: &str) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: ifreq is plain old data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::other("a device name that is too long"));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which lives during the call.
    match unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &mut request) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(file),
    }
}
