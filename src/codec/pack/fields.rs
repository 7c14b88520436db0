//! Numbers at the offsets of a fixed part, little-endian.

/// Fields of a fixed part. The offsets are constants of the layout, all within `N`.
#[inline]
pub(super) fn chunk<const N: usize, const W: usize>(fixed: &[u8; N], at: usize) -> [u8; W] {
    let mut out = [0u8; W];
    if let Some(field) = fixed.get(at..at + W) {
        out.copy_from_slice(field);
    }
    out
}

#[inline]
pub(super) fn u16_at<const N: usize>(fixed: &[u8; N], at: usize) -> u16 {
    u16::from_le_bytes(chunk(fixed, at))
}

#[inline]
pub(super) fn u32_at<const N: usize>(fixed: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes(chunk(fixed, at))
}

#[inline]
pub(super) fn u64_at<const N: usize>(fixed: &[u8; N], at: usize) -> u64 {
    u64::from_le_bytes(chunk(fixed, at))
}

#[inline]
pub(super) fn i64_at<const N: usize>(fixed: &[u8; N], at: usize) -> i64 {
    i64::from_le_bytes(chunk(fixed, at))
}
