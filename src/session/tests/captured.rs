//! What a test's own thread logs. Other threads' lines are not seen, so that tests do not see each other's.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::subscriber::DefaultGuard;

/// The lines from debug level on, until it is dropped.
pub(in crate::session) struct Captured {
    text: Text,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Captured {
    pub(in crate::session) fn start() -> Self {
        let text = Text::default();
        let writer = text.clone();
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).without_time();
        let _guard = tracing::subscriber::set_default(log.with_writer(move || writer.clone()).finish());
        Self { text, _guard }
    }

    /// The lines of one level so far.
    pub(in crate::session) fn lines(&self, level: &str) -> Vec<String> {
        let text = String::from_utf8(self.text.0.lock().clone()).expect("a log is text");
        text.lines().map(str::trim_start).filter(|line| line.starts_with(level)).map(str::to_owned).collect()
    }
}
