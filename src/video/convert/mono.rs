//! Luma only: Y = round(16 + v × 219) for v from 0 to 1, no colour (S-245).

use super::layout::Rows;
use super::PlanesMut;

/// U and V of grey.
const NEUTRAL: u8 = 128;

pub(super) fn mono8(rows: &Rows<'_>, to: PlanesMut<'_>) {
    each_row(rows, to, |row, luma| {
        for (luma, &value) in luma.iter_mut().zip(row) {
            // x / 255, rounded, in 16 bits: eight or sixteen pixels in one go
            let scaled = u16::from(value) * 219 + 127;
            *luma = 16 + ((scaled + 1 + (scaled >> 8)) >> 8) as u8;
        }
    });
}

pub(super) fn mono16(rows: &Rows<'_>, big_endian: bool, to: PlanesMut<'_>) {
    fn luma_of(value: u16) -> u8 {
        let scaled = u32::from(value) * 219 + 32_767;
        16 + ((scaled + 1 + (scaled >> 16)) >> 16) as u8
    }
    if big_endian {
        each_row(rows, to, |row, luma| samples(row, luma, |bytes| luma_of(u16::from_be_bytes(bytes))));
    } else {
        each_row(rows, to, |row, luma| samples(row, luma, |bytes| luma_of(u16::from_le_bytes(bytes))));
    }
}

pub(super) fn float(rows: &Rows<'_>, big_endian: bool, to: PlanesMut<'_>) {
    fn luma_of(value: f32) -> u8 {
        // Comparisons that are false for what is not a number make it black.
        let value = if value > 0.0 { value } else { 0.0 };
        let value = if value < 1.0 { value } else { 1.0 };
        // In a sum of this size the last bit is one, so the addition rounds; a cast with its checks would not become
        // vector code.
        const UNITS: f32 = (1 << 23) as f32;
        (value * 219.0 + 16.0 + UNITS).to_bits() as u8
    }
    if big_endian {
        each_row(rows, to, |row, luma| samples(row, luma, |bytes| luma_of(f32::from_be_bytes(bytes))));
    } else {
        each_row(rows, to, |row, luma| samples(row, luma, |bytes| luma_of(f32::from_le_bytes(bytes))));
    }
}

#[inline(always)]
fn samples<const N: usize>(row: &[u8], luma: &mut [u8], convert: impl Fn([u8; N]) -> u8) {
    for (luma, &bytes) in luma.iter_mut().zip(row.as_chunks::<N>().0) {
        *luma = convert(bytes);
    }
}

#[inline(always)]
fn each_row(rows: &Rows<'_>, to: PlanesMut<'_>, convert: impl Fn(&[u8], &mut [u8])) {
    for (row, luma) in rows.iter().zip(to.y.chunks_exact_mut(to.size.width())) {
        convert(row, luma);
    }
    to.u.fill(NEUTRAL);
    to.v.fill(NEUTRAL);
}
