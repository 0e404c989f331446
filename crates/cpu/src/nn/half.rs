//! Half-precision numbers (IEEE 754 binary16) and bfloat16 as bits.

/// From here on a number's nearest half is infinite; the largest half is 65504.
pub const LIMIT: f32 = 65_520.0;

/// The number that these bits are.
///
/// ```
/// use gradus_cpu::nn::half;
/// assert_eq!(half::to_f32(0x3c00), 1.0);
/// assert_eq!(half::to_f32(half::from_f32(-0.333_251_95)), -0.333_251_95);
/// ```
#[inline]
#[must_use]
pub fn to_f32(bits: u16) -> f32 {
    let (sign, size) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff));
    // The exponents' zeros are 112 apart; a product makes numbers of a half's subnormal ones, too.
    let finite = (f32::from_bits(size << 13) * 2f32.powi(112)).to_bits();
    f32::from_bits(sign | if size < 0x7c00 { finite } else { size << 13 | 0x7f80_0000 })
}

/// The nearest half, ties to even; what is too large becomes infinite.
#[inline]
#[must_use]
pub fn from_f32(x: f32) -> u16 {
    // Without a branch, so that several are rounded at a time.
    let bits = x.to_bits();
    let size = bits & 0x7fff_ffff;
    let odd = size >> 13 & 1;
    let normal = size.wrapping_sub(0x3800_0000 - 0xfff - odd) >> 13;
    // Below the smallest normal half: whole multiples of 2^-24, rounded by an addition.
    let small = (f32::from_bits(size) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
    let finite = if size < 0x3880_0000 { small } else { normal };
    let beyond = if size > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
    (bits >> 16 & 0x8000 | if size < 0x4780_0000 { finite } else { beyond }) as u16
}

/// The numbers that halves in little-endian order are.
///
/// ```
/// assert_eq!(gradus_cpu::nn::half::to_floats(&[0x00, 0x3c, 0x00, 0xc0]), [1.0, -2.0]);
/// ```
#[must_use]
pub fn to_floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|&two| to_f32(u16::from_le_bytes(two))).collect()
}

/// Numbers as halves, two in a word; none where a number that is none of the infinite ones would become one.
///
/// ```
/// use gradus_cpu::nn::half;
/// assert_eq!(half::packed(&[1.0, -2.0, f32::INFINITY, 0.0]), Some(vec![0xc000_3c00, 0x0000_7c00]));
/// assert_eq!(half::packed(&[1.0, 65520.0]), None);
/// ```
#[must_use]
pub fn packed(numbers: &[f32]) -> Option<Vec<u32>> {
    let fits = numbers.iter().all(|number| number.abs() < LIMIT || !number.is_finite());
    fits.then(|| numbers.as_chunks::<2>().0.iter().map(|&[low, high]| pack(low, high)).collect())
}

/// The number that the nearest half is: [`from_f32`] and [`to_f32`] in one, for numbers that a half has room for. Without a
/// branch, so that eight are rounded at a time.
#[inline]
#[must_use]
pub fn round(x: f32) -> f32 {
    let bits = x.to_bits();
    let (sign, size) = (bits & 0x8000_0000, bits & 0x7fff_ffff);
    let odd = size >> 13 & 1;
    let normal = (size + 0xfff + odd) & !0x1fff;
    // Below the smallest normal half: whole multiples of 2^-24.
    let small = f32::from_bits(size) + 0.5 - 0.5;
    f32::from_bits(sign | if size < 0x3880_0000 { small.to_bits() } else { normal })
}

/// Two numbers as a word of halves, the first in the low bits: what `unpack2x16float` undoes.
#[inline]
#[must_use]
pub fn pack(low: f32, high: f32) -> u32 {
    u32::from(from_f32(low)) | u32::from(from_f32(high)) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back() {
        for bits in 0..=u16::MAX {
            let x = to_f32(bits);
            if x.is_nan() {
                assert!(to_f32(from_f32(x)).is_nan());
            } else {
                assert_eq!(from_f32(x), bits, "{x}");
            }
        }
    }

    #[test]
    fn rounding_at_once_is_rounding_there_and_back() {
        for stored in -128i16..=127 {
            for bits in 0..from_f32(500.0) {
                let x = f32::from(stored) * to_f32(bits);
                assert_eq!(round(x).to_bits(), to_f32(from_f32(x)).to_bits(), "{x:e}");
            }
        }
        assert!(round(f32::NAN).is_nan());
    }

    #[test]
    fn rounding_is_to_the_nearest_and_to_even() {
        assert_eq!(from_f32(1.0 + 1.0 / 2048.0), 0x3c00);
        assert_eq!(from_f32(1.0 + 3.0 / 2048.0), 0x3c02);
        assert_eq!(from_f32(65519.9), 0x7bff);
        assert_eq!(from_f32(65520.0), 0x7c00);
        assert_eq!(from_f32(2.0f32.powi(-25)), 0);
        assert_eq!(from_f32(2.0f32.powi(-25) * 1.01), 1);
    }
}
