//! 4:2:0 with planes already: copied, no range change (S-245).

use super::layout::Rows;
use super::PlanesMut;

pub(super) fn nv12(rows: &Rows<'_>, to: PlanesMut<'_>) {
    let width = to.size.width();
    copy(rows.iter(), to.y, width);
    let chroma = to.u.chunks_exact_mut(width / 2).zip(to.v.chunks_exact_mut(width / 2));
    for (row, (u, v)) in rows.nv12_chroma().zip(chroma) {
        for ((u, v), &pair) in u.iter_mut().zip(v).zip(row.as_chunks::<2>().0) {
            [*u, *v] = pair;
        }
    }
}

pub(super) fn i420(rows: &Rows<'_>, picture_height: u32, to: PlanesMut<'_>) {
    let width = to.size.width();
    let [u, v] = rows.i420_chroma(picture_height);
    copy(rows.iter(), to.y, width);
    copy(u, to.u, width / 2);
    copy(v, to.v, width / 2);
}

fn copy<'a>(rows: impl Iterator<Item = &'a [u8]>, plane: &mut [u8], width: usize) {
    for (row, to) in rows.zip(plane.chunks_exact_mut(width)) {
        to.copy_from_slice(row);
    }
}
