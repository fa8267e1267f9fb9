//! RGB in all orders, by the `yuv` crate.

use yuv::{BufferStoreMut, YuvConversionMode, YuvError, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::layout::Rows;
use super::{PlanesMut, VideoError};

type Conversion = fn(
    &mut YuvPlanarImageMut<'_, u8>,
    &[u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Result<(), YuvError>;

pub(super) fn convert(conversion: Conversion, rows: &Rows<'_>, to: PlanesMut<'_>) -> Result<(), VideoError> {
    let (width, height) = (to.size.width() as u32, to.size.height() as u32);
    let mut image = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(to.y),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(to.u),
        u_stride: width / 2,
        v_plane: BufferStoreMut::Borrowed(to.v),
        v_stride: width / 2,
        width,
        height,
    };
    // Balanced is off by little more than rounding, 1.25 at most on noise.
    let mode = YuvConversionMode::Balanced;
    conversion(&mut image, rows.main(), rows.stride() as u32, YuvRange::Limited, YuvStandardMatrix::Bt709, mode)
        .map_err(|error| VideoError::malformed("raw image", error.to_string()))
}
