//! Packed 4:2:2 to planar 4:2:0: chroma of two rows becomes one (S-245).
//!
//! By hand: the `yuv` crate (0.8.20) takes the chroma of the lower row where its vector code runs and of the upper row in
//! the rest of the line, and averages nowhere.

use super::layout::Rows;
use super::PlanesMut;

/// Where U, the first Y and V lie in the word of two pixels, in bits; the second Y is 16 behind the first.
#[derive(Clone, Copy)]
struct Order {
    u: u32,
    y: u32,
    v: u32,
}

pub(super) fn uyvy(rows: &Rows<'_>, to: PlanesMut<'_>) {
    convert(rows, to, Order { u: 0, y: 8, v: 16 });
}

pub(super) fn yuyv(rows: &Rows<'_>, to: PlanesMut<'_>) {
    convert(rows, to, Order { y: 0, u: 8, v: 24 });
}

// Words, masks and shifts, and a loop for each output: this is what becomes vector code.

#[inline(always)]
fn convert(rows: &Rows<'_>, to: PlanesMut<'_>, order: Order) {
    let width = to.size.width();
    let luma = to.y.chunks_exact_mut(2 * width);
    let chroma = to.u.chunks_exact_mut(width / 2).zip(to.v.chunks_exact_mut(width / 2));
    for (((upper, lower), luma), (u, v)) in rows.pairs().zip(luma).zip(chroma) {
        let (luma_upper, luma_lower) = luma.split_at_mut(width);
        copy_luma(upper, luma_upper, order);
        copy_luma(lower, luma_lower, order);
        average(upper, lower, order.u, u);
        average(upper, lower, order.v, v);
    }
}

#[inline(always)]
fn words(row: &[u8]) -> impl Iterator<Item = u32> + '_ {
    row.as_chunks::<4>().0.iter().map(|&pixels| u32::from_le_bytes(pixels))
}

#[inline(always)]
fn copy_luma(row: &[u8], luma: &mut [u8], order: Order) {
    for (luma, pixels) in luma.as_chunks_mut::<2>().0.iter_mut().zip(words(row)) {
        let pixels = pixels >> order.y;
        *luma = ((pixels & 0xff | pixels >> 8 & 0xff00) as u16).to_le_bytes();
    }
}

#[inline(always)]
fn average(upper: &[u8], lower: &[u8], shift: u32, chroma: &mut [u8]) {
    for ((chroma, upper), lower) in chroma.iter_mut().zip(words(upper)).zip(words(lower)) {
        *chroma = ((upper >> shift & 0xff) + (lower >> shift & 0xff)).div_ceil(2) as u8;
    }
}
