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

/// Light in one cell, in the lanes that the sums below need.
struct Colours {
    red: u16,
    green_upper: u16,
    green_lower: u16,
    blue: u16,
}

impl Cell {
    #[inline(always)]
    fn colours(self, upper: [u8; 2], lower: [u8; 2]) -> Colours {
        // Two samples in one load, apart by mask and shift: this is what becomes vector code.
        let (upper, lower) = (u16::from_le_bytes(upper), u16::from_le_bytes(lower));
        let (a, b, c, d) = (upper & 0xff, upper >> 8, lower & 0xff, lower >> 8);
        match self {
            Self::Bggr => Colours { blue: a, green_upper: b, green_lower: c, red: d },
            Self::Gbrg => Colours { green_upper: a, blue: b, red: c, green_lower: d },
            Self::Grbg => Colours { green_upper: a, red: b, blue: c, green_lower: d },
            Self::Rggb => Colours { red: a, green_upper: b, green_lower: c, blue: d },
        }
    }
}

pub(super) fn convert(cell: Cell, rows: &Rows<'_>, to: PlanesMut<'_>) {
    // Each arm gets loops of its own, without the choice in them.
    match cell {
        Cell::Bggr => each_pair(rows, to, |upper, lower| Cell::Bggr.colours(upper, lower)),
        Cell::Gbrg => each_pair(rows, to, |upper, lower| Cell::Gbrg.colours(upper, lower)),
        Cell::Grbg => each_pair(rows, to, |upper, lower| Cell::Grbg.colours(upper, lower)),
        Cell::Rggb => each_pair(rows, to, |upper, lower| Cell::Rggb.colours(upper, lower)),
    }
}

#[inline(always)]
fn each_pair(rows: &Rows<'_>, to: PlanesMut<'_>, colours: impl Fn([u8; 2], [u8; 2]) -> Colours + Copy) {
    let width = to.size.width();
    let luma = to.y.chunks_exact_mut(2 * width);
    let chroma = to.u.chunks_exact_mut(width / 2).zip(to.v.chunks_exact_mut(width / 2));
    for (((upper, lower), luma), (u, v)) in rows.pairs().zip(luma).zip(chroma) {
        let (luma_upper, luma_lower) = luma.split_at_mut(width);
        // One loop for each output: four short loops become vector code, one long one does not.
        let cells = || {
            let cells = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            cells.map(move |(&upper, &lower)| colours(upper, lower))
        };
        for (pair, cell) in luma_upper.as_chunks_mut::<2>().0.iter_mut().zip(cells()) {
            *pair = twice(luma_of(cell.red, cell.green_upper, cell.blue));
        }
        for (pair, cell) in luma_lower.as_chunks_mut::<2>().0.iter_mut().zip(cells()) {
            *pair = twice(luma_of(cell.red, cell.green_lower, cell.blue));
        }
        for (u, cell) in u.iter_mut().zip(cells()) {
            let green = (cell.green_upper + cell.green_lower).div_ceil(2);
            *u = ((cell.blue * 112 + NEUTRAL - cell.red * 26 - green * 86) >> 8) as u8;
        }
        for (v, cell) in v.iter_mut().zip(cells()) {
            let green = (cell.green_upper + cell.green_lower).div_ceil(2);
            *v = ((cell.red * 112 + NEUTRAL - green * 102 - cell.blue * 10) >> 8) as u8;
        }
    }
}

// BT.709 in limited range with weights in 1/256: every sum fits 16 bits, also on the way, and is less than one off.
// The weights of chroma add up to zero: grey stays grey.

/// 128 and a half.
const NEUTRAL: u16 = (128 << 8) + 128;

/// 16 and a half.
const BLACK: u16 = (16 << 8) + 128;

#[inline(always)]
fn luma_of(red: u16, green: u16, blue: u16) -> u16 {
    (red * 47 + green * 157 + blue * 16 + BLACK) >> 8
}

/// A byte in both halves.
#[inline(always)]
fn twice(byte: u16) -> [u8; 2] {
    (byte * 0x0101).to_le_bytes()
}
