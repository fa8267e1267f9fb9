//! Sensor mosaics. Every 2×2 cell gives all four pixels its red and its blue; the upper two take the upper green, the lower
//! two the lower green (S-245): half the resolution in colour, which is what 4:2:0 keeps anyway.

use super::layout::Rows;
use super::PlanesMut;

/// The cell: two upper samples, then two lower ones.
#[derive(Clone, Copy)]
pub(super) enum Cell {
    /// B G / G R
    Bggr,
    /// G B / R G
    Gbrg,
    /// G R / B G
    Grbg,
    /// R G / G B
    Rggb,
}

/// Light in one cell.
struct Colours {
    red: u8,
    green_upper: u8,
    green_lower: u8,
    blue: u8,
}

impl Cell {
    #[inline(always)]
    fn colours(self, upper: [u8; 2], lower: [u8; 2]) -> Colours {
        let ([a, b], [c, d]) = (upper, lower);
        match self {
            Self::Bggr => Colours { blue: a, green_upper: b, green_lower: c, red: d },
            Self::Gbrg => Colours { green_upper: a, blue: b, red: c, green_lower: d },
            Self::Grbg => Colours { green_upper: a, red: b, blue: c, green_lower: d },
            Self::Rggb => Colours { red: a, green_upper: b, green_lower: c, blue: d },
        }
    }
}

pub(super) fn convert(cell: Cell, rows: &Rows<'_>, to: PlanesMut<'_>) {
    // Each arm gets a loop of its own, without the choice in it.
    match cell {
        Cell::Bggr => each_cell(rows, to, |upper, lower| Cell::Bggr.colours(upper, lower)),
        Cell::Gbrg => each_cell(rows, to, |upper, lower| Cell::Gbrg.colours(upper, lower)),
        Cell::Grbg => each_cell(rows, to, |upper, lower| Cell::Grbg.colours(upper, lower)),
        Cell::Rggb => each_cell(rows, to, |upper, lower| Cell::Rggb.colours(upper, lower)),
    }
}

#[inline(always)]
fn each_cell(rows: &Rows<'_>, to: PlanesMut<'_>, colours: impl Fn([u8; 2], [u8; 2]) -> Colours) {
    let width = to.size.width();
    let luma = to.y.chunks_exact_mut(2 * width);
    let chroma = to.u.chunks_exact_mut(width / 2).zip(to.v.chunks_exact_mut(width / 2));
    for (((upper, lower), luma), (u, v)) in rows.pairs().zip(luma).zip(chroma) {
        let cells = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        let (luma_upper, luma_lower) = luma.split_at_mut(width);
        let luma = luma_upper.as_chunks_mut::<2>().0.iter_mut().zip(luma_lower.as_chunks_mut::<2>().0);
        for (((&upper, &lower), (luma_upper, luma_lower)), (u, v)) in cells.zip(luma).zip(u.iter_mut().zip(v)) {
            let Colours { red, green_upper, green_lower, blue } = colours(upper, lower);
            *luma_upper = [luma_of(red, green_upper, blue); 2];
            *luma_lower = [luma_of(red, green_lower, blue); 2];
            let green = (u16::from(green_upper) + u16::from(green_lower)).div_ceil(2) as u8;
            *u = blue_difference(red, green, blue);
            *v = red_difference(red, green, blue);
        }
    }
}

// BT.709 in limited range with weights in 1/256, so that all of it fits 16 bits and the loop becomes vector code.
// The sums of the chroma weights are zero: grey stays grey.

#[inline(always)]
fn luma_of(red: u8, green: u8, blue: u8) -> u8 {
    let sum = u16::from(red) * 47 + u16::from(green) * 157 + u16::from(blue) * 16;
    ((sum + (16 << 8) + 128) >> 8) as u8
}

#[inline(always)]
fn blue_difference(red: u8, green: u8, blue: u8) -> u8 {
    let sum = i16::from(blue) * 112 - i16::from(red) * 26 - i16::from(green) * 86;
    (((sum + 128) >> 8) + 128) as u8
}

#[inline(always)]
fn red_difference(red: u8, green: u8, blue: u8) -> u8 {
    let sum = i16::from(red) * 112 - i16::from(green) * 102 - i16::from(blue) * 10;
    (((sum + 128) >> 8) + 128) as u8
}
