//! What an author describes, and what comes of it when it is built.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use gradus::blocks::{App, Event, Runs};
use gradus::prelude::*;

fn build(describe: fn(&Ui)) -> App {
    Blocks::named("test", describe).build().unwrap()
}

fn errors(describe: fn(&Ui)) -> String {
    Blocks::named("test", describe).build().unwrap_err().to_string()
}

fn lanes(describe: fn(&Ui)) -> Vec<(String, Option<usize>)> {
    build(describe).lanes().iter().map(|lane| (lane.name.clone(), lane.count.map(|count| count.get()))).collect()
}

async fn image_gen(_: String) -> Option<Picture> {
    None
}

async fn image_gen_2(_: String) -> Option<Picture> {
    None
}

fn three(ui: &Ui, count: fn(gradus::blocks::Listener<'_>, usize)) {
    let prompt = ui.add(Textbox::new());
    let image = ui.add(Image::new());
    for index in 0..3 {
        let button = ui.add(Button::new(format!("Generate {index}")));
        count(button.click(image_gen, prompt, image).concurrency_id("gpu_queue"), index);
    }
}

#[test]
fn counts() {
    let check = |describe: fn(&Ui), expected: &[(&str, Option<usize>)]| {
        let expected: Vec<(String, Option<usize>)> = expected.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect();
        assert_eq!(lanes(describe), expected);
    };
    // One at a time, a queue each, also for the same function twice.
    check(
        |ui| {
            let (prompt, image) = (ui.add(Textbox::new()), ui.add(Image::new()));
            ui.add(Button::new("a")).click(image_gen, prompt, image);
            ui.add(Button::new("b")).click(image_gen, prompt, image);
        },
        &[("image_gen", Some(1)), ("image_gen_1", Some(1))],
    );
    // The guide's second example: a listener that gives no number does not lower its sibling's.
    check(
        |ui| {
            three(ui, |listener, index| {
                if index == 0 {
                    listener.concurrency_count(2);
                }
            })
        },
        &[("gpu_queue", Some(2))],
    );
    // The lowest explicit number wins; no limit loses to any number.
    check(
        |ui| {
            three(ui, |listener, index| {
                listener.concurrency_count([Some(4), Some(3), None][index]);
            })
        },
        &[("gpu_queue", Some(3))],
    );
    check(
        |ui| {
            three(ui, |listener, _| {
                listener.concurrency_limit(None);
            })
        },
        &[("gpu_queue", None)],
    );
    check(|ui| three(ui, |_, _| {}), &[("gpu_queue", Some(1))]);
    // An app-wide default.
    check(
        |ui| {
            ui.default_concurrency_count(7);
            three(ui, |_, _| {});
        },
        &[("gpu_queue", Some(7))],
    );
    // An id that is also a function's name is another lane.
    check(
        |ui| {
            let (prompt, image) = (ui.add(Textbox::new()), ui.add(Image::new()));
            ui.add(Button::new("a")).click(image_gen, prompt, image);
            ui.add(Button::new("b")).click(image_gen_2, prompt, image).concurrency_id("image_gen");
        },
        &[("image_gen_1", Some(1)), ("image_gen", Some(1))],
    );
}

#[test]
fn differing_counts_are_a_warning_that_names_them() {
    let app = build(|ui| {
        three(ui, |listener, index| {
            listener.concurrency_count([4, 3, 3][index]);
        })
    });
    let warnings = app.warnings().join("\n");
    for part in ["gpu_queue", "image_gen asks for 4", "image_gen_1 asks for 3", "image_gen_2 asks for 3", "lowest"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    assert!(build(|ui| three(ui, |_, _| {})).warnings().is_empty());
}

#[test]
fn errors_name_the_listener_and_say_what_to_do() {
    let check = |describe: fn(&Ui), parts: &[&str]| {
        let text = errors(describe);
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    check(
        |ui| {
            three(ui, |listener, _| {
                listener.concurrency_count(0);
            })
        },
        &["image_gen", "click of the Button \"Generate 0\"", "concurrency_count of 0", "at least 1"],
    );
    check(
        |ui| {
            let text = ui.add(Textbox::new());
            text.submit(|text: String| text, text, text).concurrency_id(" ").api_name("echo");
        },
        &["\"echo\"", "empty concurrency_id", "leave it out"],
    );
    check(
        |ui| {
            let text = ui.add(Textbox::new());
            text.submit(|text: String| (text.clone(), text), text, (text, text));
        },
        &["writes one component twice"],
    );
    check(
        |ui| {
            ui.add(Dropdown::of(Vec::<String>::new()));
            ui.add(Slider::between(3.0, 3.0).label("Narrow"));
            ui.add(Number::new().label("Low").range(1.0, 2.0).value(5.0));
            ui.tab("Alone", |_| {});
        },
        &["no choices", "Narrow", "low < high", "\"Low\" does not accept its own first value", "outside of tabs"],
    );
    let nameless = Blocks::named(" ", |_| {}).build().unwrap_err().to_string();
    assert!(nameless.contains("name is empty"), "{nameless}");
}

#[test]
fn a_component_of_another_app_is_refused() {
    let _ = Blocks::named("outer", |outer| {
        let foreign = outer.add(Textbox::new().label("Foreign"));
        let inner = Blocks::named("inner", |ui| {
            ui.add(Button::new("Go")).click(|text: String| text, foreign, foreign).api_name("go");
        });
        let text = inner.build().unwrap_err().to_string();
        assert!(text.contains("\"go\"") && text.contains("component of another app"), "{text}");
    });
}

#[test]
fn the_signature_decides_where_a_handler_runs() {
    let app = build(|ui| {
        let text = ui.add(Textbox::new());
        let go = ui.add(Button::new("Go"));
        go.click(|text: String| text, text, text);
        go.click(|text: String, _: Context| text.chars().map(String::from).collect::<Vec<_>>().into_iter(), text, text);
        go.click(|text: String| async move { Ok::<_, Error>(text) }, text, text);
        go.click(|text: String, _: Context| futures_util::stream::iter([text]), text, text);
        go.click(|| {}, (), ());
    });
    let runs: Vec<Runs> = app.listeners().iter().map(|listener| listener.runs).collect();
    assert_eq!(runs, [Runs::Blocking, Runs::Blocking, Runs::Shared, Runs::Shared, Runs::Blocking]);
    assert_eq!(app.listeners_of(app.listeners()[0].triggers[0].0, Event::Click).count(), 5);
}

#[test]
fn eight_inputs_and_outputs_fit() {
    type Eight = (String, String, String, String, String, String, String, String);
    #[allow(clippy::too_many_arguments, reason = "the most that are allowed")]
    fn eight(
        a: String,
        b: String,
        c: String,
        d: String,
        e: String,
        f: String,
        g: String,
        h: String,
        _: Context,
    ) -> Eight {
        (a, b, c, d, e, f, g, h)
    }
    let app = build(|ui| {
        let [a, b, c, d, e, f, g, h] = std::array::from_fn(|_| ui.add(Textbox::new()));
        ui.add(Button::new("Go")).click(eight, (a, b, c, d, e, f, g, h), (a, b, c, d, e, f, g, h));
    });
    assert_eq!((app.listeners()[0].inputs.len(), app.listeners()[0].outputs.len()), (8, 8));
}

#[test]
fn page_and_worker_build_the_same_app_and_tell_another() {
    let hash = |describe: fn(&Ui)| build(describe).hash();
    let one: fn(&Ui) = |ui| three(ui, |_, _| {});
    let other: fn(&Ui) = |ui| {
        three(ui, |listener, _| {
            listener.concurrency_count(2);
        })
    };
    assert_eq!(hash(one), hash(one));
    assert_ne!(hash(one), hash(other));
}

#[test]
fn what_visitors_give_is_tested_at_the_component() {
    let app = build(|ui| {
        ui.add(Textbox::new().max_length(5).required("Write something."));
        ui.add(Number::new().whole().range(64.0, 2048.0));
        ui.add(Dropdown::of(["a", "b"]));
        ui.add(Textbox::new().check(|text| text.parse::<u64>().map(|_| ()).map_err(|_| "no seed".to_owned())));
    });
    let check = |component: usize, value: Value, refusal: Option<&str>| {
        let result = app.components()[component].accept(&value);
        match refusal {
            None => assert_eq!(result, Ok(()), "{value:?}"),
            Some(part) => assert!(result.as_ref().unwrap_err().contains(part), "{value:?}: {result:?}"),
        }
    };
    check(0, Value::from(""), Some("Write something."));
    check(0, Value::from(" \n "), Some("Write something."));
    check(0, Value::from("🦄🦄🦄🦄🦄"), None);
    check(0, Value::from("<script>"), Some("8 characters"));
    check(0, Value::from("x".repeat(100_000).as_str()), Some("100000"));
    for number in [0.0, 63.0, 2049.0, 64.5, -1.0, f64::NAN, f64::INFINITY] {
        check(1, Value::Number(number), Some("from 64 to 2048"));
    }
    check(1, Value::Null, Some("Type a number"));
    check(1, Value::Number(64.0), None);
    check(2, Value::from("c"), Some("Choose one"));
    check(3, Value::from("18446744073709551615"), None);
    check(3, Value::from("18446744073709551616"), Some("no seed"));
}

#[test]
fn a_picture_is_painted_over_one_of_its_own_app() {
    let app = Blocks::named("outer", |outer| {
        let photo = outer.add(Image::new().label("Photo"));
        let mask = outer.add(Image::new().label("Mask").paint_over(photo));
        outer.add(Button::new("Go")).click(|_: Option<Picture>| (), mask, ());
        let inner = Blocks::named("inner", |ui| {
            ui.add(Image::new().label("Mask").paint_over(photo));
        });
        let errors = inner.build().unwrap_err().0;
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("the Image \"Mask\" is painted over a picture of another app"), "{errors:?}");
    })
    .build()
    .unwrap();
    assert!(app.components()[0].over().is_none() && app.components()[1].over().is_some());
    // Nobody reads the photo, and yet there is one to choose.
    assert_eq!(app.components()[0].interactive, Some(true));
}
