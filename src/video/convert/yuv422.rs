//! Packed 4:2:2 to planar 4:2:0: chroma of two rows becomes one (S-245).
//!
//! By hand: the `yuv` crate (0.8.20) takes the chroma of the lower row where its vector code runs and of the upper row in
//! the rest of the line, and averages nowhere.

use super::layout::Rows;
use super::PlanesMut;

/// Where U, the first Y and V lie in the four bytes of two pixels; the second Y is two behind the first.
#[derive(Clone, Copy)]
struct Order {
    u: usize,
    y: usize,
    v: usize,
}

pub(super) fn uyvy(rows: &Rows<'_>, to: PlanesMut<'_>) {
    convert(rows, to, Order { u: 0, y: 1, v: 2 });
}

pub(super) fn yuyv(rows: &Rows<'_>, to: PlanesMut<'_>) {
    convert(rows, to, Order { y: 0, u: 1, v: 3 });
}

#[inline(always)]
fn convert(rows: &Rows<'_>, to: PlanesMut<'_>, order: Order) {
    let width = to.size.width();
    let luma = to.y.chunks_exact_mut(2 * width);
    let chroma = to.u.chunks_exact_mut(width / 2).zip(to.v.chunks_exact_mut(width / 2));
    for (((upper, lower), luma), (u, v)) in rows.pairs().zip(luma).zip(chroma) {
        let (upper, lower) = (upper.as_chunks::<4>().0, lower.as_chunks::<4>().0);
        let (luma_upper, luma_lower) = luma.split_at_mut(width);
        copy_luma(upper, luma_upper, order);
        copy_luma(lower, luma_lower, order);
        for (((u, v), upper), lower) in u.iter_mut().zip(v).zip(upper).zip(lower) {
            *u = average(upper[order.u], lower[order.u]);
            *v = average(upper[order.v], lower[order.v]);
        }
    }
}

#[inline(always)]
fn copy_luma(row: &[[u8; 4]], luma: &mut [u8], order: Order) {
    for (luma, pixels) in luma.as_chunks_mut::<2>().0.iter_mut().zip(row) {
        *luma = [pixels[order.y], pixels[order.y + 2]];
    }
}

#[inline(always)]
fn average(a: u8, b: u8) -> u8 {
    (u16::from(a) + u16::from(b)).div_ceil(2) as u8
}
