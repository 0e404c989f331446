//! Eight floats as one value: what the fast kernels compute with.
//!
//! On wasm its vectors are written out. An app that is linked for its size (`opt-level = "z"` with fat LTO) has the
//! vectors of its loops made after linking, when loops are no longer looked at, and would compute one number at a time.
//! Elsewhere the compiler makes vectors of the arrays by itself.

use std::ops::{Add, Div, Mul, Sub};

/// How many.
pub(super) const LANES: usize = 8;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod inner {
    use super::LANES;

    pub(super) type Inner = [f32; LANES];

    macro_rules! each {
        ($($name:ident($($x:ident),+) = $value:expr;)+) => {$(
            #[inline(always)]
            pub(super) fn $name($($x: Inner),+) -> Inner {
                let mut result = [0.0; LANES];
                for lane in 0..LANES {
                    $(let $x = $x[lane];)+
                    result[lane] = $value;
                }
                result
            }
        )+};
    }

    each! {
        add(a, b) = a + b;
        sub(a, b) = a - b;
        mul(a, b) = a * b;
        div(a, b) = a / b;
        larger(a, b) = if a < b { b } else { a };
        abs(a) = a.abs();
        smaller(a, b) = if b < a { b } else { a };
        scaled(a, b) = f32::from_bits((b.to_bits() << 23).wrapping_add(a.to_bits()));
    }

    #[inline(always)]
    pub(super) fn halves([a, b, c, d, e, f, g, h]: Inner, [i, j, k, l, m, n, o, p]: Inner) -> (Inner, Inner) {
        ([a, b, c, d, i, j, k, l], [e, f, g, h, m, n, o, p])
    }

    #[inline(always)]
    pub(super) fn splat(x: f32) -> Inner {
        [x; LANES]
    }

    #[inline(always)]
    pub(super) fn load(x: &[f32; LANES]) -> Inner {
        *x
    }

    #[inline(always)]
    pub(super) fn store(x: Inner) -> [f32; LANES] {
        x
    }

    pub(super) type Half = [f32; 4];
    pub(super) const ZERO: Half = [0.0; 4];

    #[inline(always)]
    pub(super) fn load_half(x: &[f32; 4]) -> Half {
        *x
    }

    #[inline(always)]
    pub(super) fn store_half(x: Half) -> [f32; 4] {
        x
    }

    #[inline(always)]
    pub(super) fn half([a, b, c, d]: Half) -> Half {
        [a * 0.5, b * 0.5, c * 0.5, d * 0.5]
    }

    #[inline(always)]
    pub(super) fn add_half(a: Half, b: Half) -> Half {
        [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
    }

    #[inline(always)]
    pub(super) fn sub_half(a: Half, b: Half) -> Half {
        [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]]
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod inner {
    use core::arch::wasm32::{
        f32x4, f32x4_abs, f32x4_add, f32x4_div, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sub, i32x4_add,
        i32x4_shl, v128,
    };

    use super::LANES;

    pub(super) type Inner = [v128; 2];

    macro_rules! both {
        ($($name:ident($($x:ident),+) = $value:expr;)+) => {$(
            #[inline(always)]
            pub(super) fn $name($($x: Inner),+) -> Inner {
                [{ $(let $x = $x[0];)+ $value }, { $(let $x = $x[1];)+ $value }]
            }
        )+};
    }

    both! {
        add(a, b) = f32x4_add(a, b);
        sub(a, b) = f32x4_sub(a, b);
        mul(a, b) = f32x4_mul(a, b);
        div(a, b) = f32x4_div(a, b);
        larger(a, b) = f32x4_pmax(a, b);
        abs(a) = f32x4_abs(a);
        smaller(a, b) = f32x4_pmin(a, b);
        scaled(a, b) = i32x4_add(i32x4_shl(b, 23), a);
    }

    #[inline(always)]
    pub(super) fn halves([a, b]: Inner, [c, d]: Inner) -> (Inner, Inner) {
        ([a, c], [b, d])
    }

    #[inline(always)]
    pub(super) fn splat(x: f32) -> Inner {
        [f32x4_splat(x); 2]
    }

    #[inline(always)]
    pub(super) fn load(x: &[f32; LANES]) -> Inner {
        bytemuck::pod_read_unaligned(bytemuck::bytes_of(x))
    }

    #[inline(always)]
    pub(super) fn store(x: Inner) -> [f32; LANES] {
        bytemuck::cast(x)
    }

    pub(super) type Half = v128;
    pub(super) const ZERO: Half = f32x4(0.0, 0.0, 0.0, 0.0);

    #[inline(always)]
    pub(super) fn load_half(x: &[f32; 4]) -> Half {
        bytemuck::pod_read_unaligned(bytemuck::bytes_of(x))
    }

    #[inline(always)]
    pub(super) fn store_half(x: Half) -> [f32; 4] {
        bytemuck::cast(x)
    }

    #[inline(always)]
    pub(super) fn half(x: Half) -> Half {
        f32x4_mul(x, f32x4_splat(0.5))
    }

    pub(super) use core::arch::wasm32::{f32x4_add as add_half, f32x4_sub as sub_half};
}

/// Eight floats.
#[derive(Clone, Copy)]
pub(super) struct Eight(inner::Inner);

impl Eight {
    #[inline(always)]
    pub(super) fn splat(x: f32) -> Self {
        Self(inner::splat(x))
    }

    #[inline(always)]
    pub(super) fn load(x: &[f32; LANES]) -> Self {
        Self(inner::load(x))
    }

    /// Eight numbers of a row; where it ends after four of them, those and zeros.
    #[inline(always)]
    pub(super) fn of(row: &[f32], at: usize, whole: bool) -> Self {
        let row = row.get(at..).unwrap_or_default();
        if let (true, Some(eight)) = (whole, row.first_chunk()) {
            return Self::load(eight);
        }
        let mut eight = [0.0; LANES];
        if let (Some(to), Some(from)) = (eight.first_chunk_mut::<4>(), row.first_chunk::<4>()) {
            *to = *from;
        }
        Self::load(&eight)
    }

    /// Puts them into a row; where it ends after four of them, those.
    #[inline(always)]
    pub(super) fn put(self, row: &mut [f32], at: usize, whole: bool) {
        let (row, eight) = (row.get_mut(at..).unwrap_or_default(), self.store());
        // Arrays of a fixed size, as a copy of any size is a call in wasm.
        if let (true, Some(to)) = (whole, row.first_chunk_mut::<LANES>()) {
            *to = eight;
        } else if let (Some(to), Some(from)) = (row.first_chunk_mut::<4>(), eight.first_chunk::<4>()) {
            *to = *from;
        }
    }

    #[inline(always)]
    pub(super) fn store(self) -> [f32; LANES] {
        inner::store(self.0)
    }

    /// The larger of each; where one is no number, this one.
    #[inline(always)]
    pub(super) fn larger(self, other: Self) -> Self {
        Self(inner::larger(self.0, other.0))
    }

    #[inline(always)]
    pub(super) fn abs(self) -> Self {
        Self(inner::abs(self.0))
    }

    /// The first halves of two, and their second halves.
    #[inline(always)]
    pub(super) fn halves(self, other: Self) -> (Self, Self) {
        let (first, second) = inner::halves(self.0, other.0);
        (Self(first), Self(second))
    }

    /// The smaller of each; where one is no number, this one.
    #[inline(always)]
    pub(super) fn smaller(self, other: Self) -> Self {
        Self(inner::smaller(self.0, other.0))
    }

    /// Each times two to the whole number that is in the low bits of the other's.
    #[inline(always)]
    pub(super) fn scaled(self, other: Self) -> Self {
        Self(inner::scaled(self.0, other.0))
    }
}

macro_rules! operator {
    ($($operator:ident $name:ident)+) => {$(
        impl $operator for Eight {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Self(inner::$name(self.0, other.0))
            }
        }

        impl $operator<f32> for Eight {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: f32) -> Self {
                Self(inner::$name(self.0, inner::splat(other)))
            }
        }
    )+};
}

operator! { Add add Sub sub Mul mul Div div }

/// Four floats, for what is long: in eights it would be twice the code.
#[derive(Clone, Copy)]
pub(super) struct Four(inner::Half);

impl Four {
    pub(super) const ZERO: Self = Self(inner::ZERO);

    #[inline(always)]
    pub(super) fn load(x: &[f32; 4]) -> Self {
        Self(inner::load_half(x))
    }

    #[inline(always)]
    pub(super) fn store(self) -> [f32; 4] {
        inner::store_half(self.0)
    }

    #[inline(always)]
    pub(super) fn half(self) -> Self {
        Self(inner::half(self.0))
    }
}

impl Add for Four {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(inner::add_half(self.0, other.0))
    }
}

impl Sub for Four {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(inner::sub_half(self.0, other.0))
    }
}

/// Puts into each place what a function makes of what is there and of the numbers of the others, eight at a time; all
/// are of one length.
#[inline(always)]
pub(super) fn zip_eights<const N: usize>(to: &mut [f32], from: [&[f32]; N], f: impl Fn(Eight, [Eight; N]) -> Eight) {
    let mut at = 0;
    while let Some(place) = to[at..].first_chunk_mut() {
        let eights = from.map(|values| values[at..].first_chunk().map_or(Eight::splat(0.0), Eight::load));
        *place = f(Eight::load(place), eights).store();
        at += LANES;
    }
    let rest = &mut to[at..];
    let filled = |values: &[f32]| {
        let mut eight = [0.0; LANES];
        eight.iter_mut().zip(values).for_each(|(to, &x)| *to = x);
        Eight::load(&eight)
    };
    if !rest.is_empty() {
        let last = f(filled(rest), from.map(|values| filled(&values[at..]))).store();
        rest.iter_mut().zip(last).for_each(|(to, x)| *to = x);
    }
}
