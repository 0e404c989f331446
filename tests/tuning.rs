//! Which variant of the product is chosen, on engines that only say how long they would take.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::cell::Cell;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::kernels::nn::{CONV, FLOATS, TileChoices, tune};
use gradus::kernels::{Buffer, BufferId, Command, Control, Engine, EngineError, EngineInfo, EngineKind, Recording};
use gradus::value::Time;
use gradus_cpu::nn::conv::Shape;

/// What a variant does on an engine of paper.
#[derive(Clone, Copy)]
enum Does {
    /// So many operations a second when all units have work.
    Rate(f64),
    /// The same, with a wrong number in the result.
    Wrong(f64),
    Refuse,
    Lose,
}
use Does::{Lose, Rate, Refuse, Wrong};

/// An engine that computes nothing: each kernel takes its time, and each run half a millisecond more.
struct Paper {
    info: EngineInfo,
    does: [Does; CONV.len()],
    /// Workgroups that have all units busy.
    filling: f64,
    now: Cell<f64>,
    wrong: Cell<bool>,
}

impl Paper {
    /// An engine without halves.
    fn new([a, b, c, d]: [Does; FLOATS], filling: f64) -> Self {
        Self::with("packed-f16", [a, b, c, d, Lose, Lose], filling)
    }

    fn with(tier: &str, does: [Does; CONV.len()], filling: f64) -> Self {
        let text = String::new;
        let info = EngineInfo {
            kind: EngineKind::Gpu,
            name: text(),
            software: false,
            tier: tier.to_owned(),
            largest_buffer: 1 << 30,
            note: text(),
        };
        Self { info, does, filling, now: Cell::new(0.0), wrong: Cell::new(false) }
    }

    fn tuned(&self) -> Result<TileChoices, EngineError> {
        pollster::block_on(tune(self, self))
    }
}

impl Control for Paper {
    /// Of a browser whose clock moves once a millisecond.
    fn now(&self) -> Time {
        Time::from_micros((self.now.get() * 1e3) as u64 * 1000)
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        std::future::ready(()).boxed_local()
    }
}

impl Engine for Paper {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn buffer(&self, _: &str, words: usize) -> Result<Buffer, EngineError> {
        Ok(Buffer::new(BufferId(0), words, |_| ()))
    }

    fn run<'a>(&'a self, recording: &'a Recording, _: &'a dyn Control) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        self.now.set(self.now.get() + 0.0005);
        for command in recording.commands() {
            let Command::Dispatch(dispatch) = command else { continue };
            let variant = CONV.iter().position(|variant| std::ptr::eq(&variant.kernels[1], dispatch.kernel));
            let rate = match self.does[variant.expect("a variant with halves")] {
                Rate(rate) | Wrong(rate) => rate,
                Lose => return std::future::ready(Err(EngineError::Lost("gone".into()))).boxed_local(),
                Refuse => {
                    let refused = EngineError::Refused { kernel: "conv".into(), why: "no".into() };
                    return std::future::ready(Err(refused)).boxed_local();
                }
            };
            self.wrong.set(matches!(self.does[variant.unwrap()], Wrong(_)));
            let workgroups = f64::from(dispatch.items) / f64::from(dispatch.kernel.workgroup);
            let busy = (workgroups / self.filling).min(1.0);
            let operations = f64::from(dispatch.items) * f64::from(dispatch.cost);
            self.now.set(self.now.get() + operations / (rate * busy));
        }
        std::future::ready(Ok(())).boxed_local()
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        let mut words = vec![1f32.to_bits(); buffer.words()];
        if let (true, Some(last)) = (self.wrong.get(), words.last_mut()) {
            *last = f32::NAN.to_bits();
        }
        std::future::ready(Ok(words)).boxed_local()
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        std::future::ready(()).boxed_local()
    }
}

/// A product, a convolution, one of a middle and one of a small map, and a narrow one.
fn shapes() -> [Shape; 5] {
    let shape = |side: usize, kernel: usize, panels: usize| Shape {
        rows: side * side,
        panels,
        kernel: [kernel; 2],
        channels: [320, 0],
        ..Shape::default()
    };
    [shape(64, 1, 40), shape(64, 3, 40), shape(32, 3, 80), shape(8, 3, 160), shape(512, 3, 1)]
}

#[test]
fn a_variant_is_chosen_where_it_wins() {
    let check = |what: &str, does: [Does; 4], filling: f64, expected: [usize; 5]| {
        for scale in [1e10, 1e11, 1e12, 1e13] {
            let at = |does| match does {
                Rate(rate) => Rate(rate * scale),
                Wrong(rate) => Wrong(rate * scale),
                other => other,
            };
            let engine = Paper::new(does.map(at), filling);
            let choices = engine.tuned().unwrap();
            let variants = shapes().map(|shape| choices.variant(&shape));
            if scale > 1e10 {
                assert_eq!(variants, expected, "{what} at {scale:e}: {choices:?}");
            } else {
                assert_eq!(variants[..2], expected[..2], "{what} at {scale:e}: {choices:?}");
            }
            let took = engine.now.get();
            assert!(took < if scale > 1e11 { 1.1 } else { 4.0 }, "{what} at {scale:e} took {took} s");
            println!("{{\"engine\":\"{what}\",\"operations\":{scale:e},\"tuning_s\":{took:.2}}}");
        }
    };
    let good = [Rate(0.3), Rate(1.0), Rate(0.7), Rate(0.5)];
    check("many units", good, 128.0, [1, 1, 2, 3, 0]);
    check("few units", good, 8.0, [1, 1, 1, 1, 0]);
    check("software", [Rate(1.0), Rate(0.7), Rate(0.5), Rate(0.3)], 1.0, [0; 5]);
    check("nearly as fast", [Rate(0.97), Rate(1.0), Rate(0.9), Rate(0.9)], 1.0, [0; 5]);
    check("a wrong number", [Rate(0.3), Rate(0.8), Wrong(1.0), Rate(0.5)], 1.0, [0; 5]);
    check("one is refused", [Rate(0.3), Refuse, Rate(0.8), Rate(0.5)], 1.0, [2, 2, 2, 2, 0]);
    check("all but one are refused", [Rate(0.3), Refuse, Refuse, Refuse], 1.0, [0; 5]);
}

#[test]
fn halves_are_chosen_where_they_save_a_tenth_more() {
    let check = |what: &str, does: [f64; CONV.len()], expected: [usize; 5]| {
        let engine = Paper::with("shader-f16", does.map(|rate| Rate(rate * 1e12)), 128.0);
        let choices = engine.tuned().unwrap();
        assert_eq!(shapes().map(|shape| choices.variant(&shape)), expected, "{what}: {choices:?}");
        assert_eq!(choices.halves(), expected.iter().any(|&variant| variant >= FLOATS), "{what}");
        assert!(choices.tiles(), "{what}");
        assert!(engine.now.get() < 1.5, "{what} took {} s", engine.now.get());
        println!("{{\"engine\":\"{what}\",\"tuning_s\":{:.2}}}", engine.now.get());
    };
    check("a third faster", [0.3, 1.0, 0.7, 0.5, 1.3, 0.95], [4, 4, 5, 3, 0]);
    check("a twentieth faster", [0.3, 1.0, 0.7, 0.5, 1.05, 0.73], [1, 1, 2, 3, 0]);
    check("slower", [0.3, 1.0, 0.7, 0.5, 0.8, 0.6], [1, 1, 2, 3, 0]);
    // The same engine without them: to time one would lose it.
    let [a, b, c, d, ..] = [0.3, 1.0, 0.7, 0.5].map(|rate: f64| Rate(rate * 1e12));
    let without = Paper::new([a, b, c, d], 128.0).tuned().unwrap();
    assert!(!without.halves(), "{without:?}");
    // A wrong number in halves is no reason to do without tiles.
    let does = [0.3, 1.0, 0.7, 0.5].map(|rate: f64| Rate(rate * 1e12));
    let wrong = Paper::with("shader-f16", [does[0], does[1], does[2], does[3], Wrong(2e12), Refuse], 8.0);
    assert_eq!(shapes().map(|shape| wrong.tuned().unwrap().variant(&shape)), [1, 1, 1, 1, 0]);
    // Nor is it where halves are refused.
    let refused = Paper::with("shader-f16", [does[0], does[1], does[2], does[3], Refuse, Refuse], 8.0);
    assert_eq!(shapes().map(|shape| refused.tuned().unwrap().variant(&shape)), [1, 1, 1, 1, 0]);
}

#[test]
fn a_lost_engine_is_told() {
    let engine = Paper::new([Rate(1e12), Rate(1e12), Rate(1e12), Lose], 1.0);
    assert_eq!(engine.tuned(), Err(EngineError::Lost("gone".into())));
}

#[test]
fn choices_are_remembered_as_texts_of_this_build() {
    for variant in 0..CONV.len() {
        let choices = TileChoices::all(variant);
        assert_eq!(TileChoices::parse(&choices.text()), Some(choices));
        assert_eq!(shapes().map(|shape| choices.variant(&shape)), [variant; 5]);
        assert_eq!(choices.halves(), variant >= FLOATS);
        let in_floats = TileChoices::all([0, 1, 2, 3, 1, 2][variant]);
        assert_eq!(choices.in_floats(), in_floats);
        assert!(!in_floats.halves());
    }
    let number: u64 = TileChoices::default().text().parse().unwrap();
    for other in [String::new(), "many".into(), "0".into(), (number + (1 << 15)).to_string(), format!("-{number}")] {
        assert_eq!(TileChoices::parse(&other), None, "{other:?}");
    }
}
