//! Buffers that are used again, so that a steady stream of frames allocates nothing (S-242).

use std::sync::Arc;

use parking_lot::Mutex;

/// Buffers kept for the next frame: one in conversion, two on their way to the encoder.
const KEPT: usize = 3;

/// A buffer is kept for smaller needs only down to this fraction, so that one huge picture does not hold memory for ever.
const WASTE: usize = 4;
/// Below this many bytes waste does not matter.
const SMALL: usize = 1 << 20;

/// Makes `buffer` hold exactly `len` bytes; what is in them is left over from earlier use.
fn fit(buffer: &mut Vec<u8>, len: usize) {
    let wasteful = buffer.capacity() > SMALL && buffer.capacity() / WASTE > len;
    if buffer.capacity() < len || wasteful {
        // Not `reserve`, which would copy what nobody reads and round the size up; and the old buffer goes first.
        *buffer = Vec::new();
        *buffer = vec![0; len];
    } else {
        buffer.resize(len, 0);
    }
}

/// One buffer that is used again and never leaves its owner.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    buffer: Vec<u8>,
}

impl Scratch {
    /// `len` bytes with anything in them.
    pub(super) fn take(&mut self, len: usize) -> &mut [u8] {
        fit(&mut self.buffer, len);
        &mut self.buffer
    }
}

/// The buffers of one converter's frames. Frames in use are bounded by who holds them; spare ones by [`KEPT`].
#[derive(Debug, Default)]
pub(super) struct Pool {
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { spare: Mutex::new(Vec::with_capacity(KEPT)) })
    }

    /// `len` bytes with anything in them; they come back when the buffer is dropped.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> PooledBuffer {
        let mut bytes = self.spare.lock().pop().unwrap_or_default();
        fit(&mut bytes, len);
        PooledBuffer { bytes, pool: self.clone() }
    }

    #[cfg(test)]
    fn spare(&self) -> usize {
        self.spare.lock().len()
    }
}

/// Bytes on loan from a [`Pool`].
#[derive(Debug)]
pub(super) struct PooledBuffer {
    bytes: Vec<u8>,
    pool: Arc<Pool>,
}

impl std::ops::Deref for PooledBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::ops::DerefMut for PooledBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut spare = self.pool.spare.lock();
        if spare.len() < KEPT {
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_242_a_buffer_comes_back_and_is_used_again() {
        let pool = Pool::new();
        let first = pool.take(1000);
        let address = first.as_ptr();
        drop(first);
        assert_eq!(pool.spare(), 1);
        let second = pool.take(900);
        assert_eq!((second.as_ptr(), second.len()), (address, 900));
        assert_eq!(pool.spare(), 0);
    }

    #[test]
    fn spare_buffers_are_bounded_however_many_were_out() {
        let pool = Pool::new();
        let out: Vec<_> = (0..10).map(|_| pool.take(64)).collect();
        drop(out);
        assert_eq!(pool.spare(), KEPT);
    }

    #[test]
    fn a_buffer_outlives_its_converter() {
        let pool = Pool::new();
        let mut buffer = pool.take(8);
        drop(pool);
        buffer.fill(7);
        assert_eq!(&buffer[..], &[7; 8]);
    }

    #[test]
    fn one_huge_picture_does_not_hold_memory_for_ever() {
        let mut scratch = Scratch::default();
        scratch.take(64 << 20);
        scratch.take(1 << 20);
        assert!(scratch.buffer.capacity() < 2 << 20, "{}", scratch.buffer.capacity());
        scratch.take(1 << 19);
        assert!(scratch.buffer.capacity() >= 1 << 20, "little waste is no reason to allocate");
    }
}
